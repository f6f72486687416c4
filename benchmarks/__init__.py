"""The benchmark harness: ``python -m benchmarks [NAME...] [--quick] [--resume]``.

What is measured on (``scenarios``), the measurement (``parts``) and the verdict (``ranges`` over
``rangespec.yaml``) are separate, as in Kueue's performance tests: a threshold changes without touching a
measurement, and a measurement never knows whether it passed.

A new part is a file in ``parts`` with a ``SEED`` and a ``run(quick)`` that returns figures, and a section of
its name in ``rangespec.yaml``. ``runner`` says what else a part may have: tables, plots, options.

The way of a run: ``command`` reads what is wanted; ``session`` runs part after part, each by ``runner`` in a
process (``child``), and writes the ``record`` after each; ``report`` makes pages of the record alone.
"""
