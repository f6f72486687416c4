"""How true the estimates are: a simulator of its own, the pairs that it is run on, and how predictors rank.

``channels`` and ``simulate`` make the truth, ``pairs`` says of which circuits and calibrations, ``table``
keeps it, ``predictors`` holds what is compared with it, and ``ranking`` how. ``ageing`` has the pairs of the
experiment on calibrations of different ages. ``python -m benchmarks.truth`` makes the table again.
"""
