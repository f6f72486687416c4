"""The benchmark harness: ``python -m benchmarks [NAME...] [--quick]``.

What is measured on (``scenarios``), the measurement (``parts``) and the verdict (``ranges`` over
``rangespec.yaml``) are separate, as in Kueue's performance tests: a threshold changes without touching a
measurement, and a measurement never knows whether it passed.

A new part is a file in ``parts`` with a ``SEED`` and a ``run(quick)`` that returns figures, and a section of
its name in ``rangespec.yaml``.
"""
