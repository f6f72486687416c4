"""Who takes part in the contest of calibrations of different ages (``benchmarks.measured.contest``).

The scheduler transpiles for the calibration that it has; the truth is simulated with the one of the day.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from benchmarks.measured.contest import Aged
from benchmarks.measured.perth import epochs
from benchmarks.scenarios.circuits import circuits
from benchmarks.truth.pairs import SEED, cases
from benchmarks.truth.predictors import aged
from qsched.fleet.quality import quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.truth.pairs import Case, Pair

    Floats = NDArray[np.float64]

FIRST_DAY = dt.date(2023, 4, 1)
"""The experiment is of April and May; the months before are there to fit on."""

EVERY_DAYS = 3
AGES_DAYS = (0, 1, 3, 7, 14, 30)
FAMILIES = ("ghz", "wstate", "qft", "vqe_real_amp")
SIZES = (3, 5)


def days() -> list[dt.date]:
    """The epochs: days on which no calibration of any of the ages lacks a qubit; none without the data.

    A device of which a part is dead takes no circuits of that width, however old its calibration is.
    """
    whole = {day for day, known in epochs().items() if quality(known).qubits == known.qubits}
    found: list[dt.date] = []
    for day in sorted(whole):
        fits = all(day - dt.timedelta(days=age) in whole for age in AGES_DAYS)
        if day >= FIRST_DAY and fits and (not found or (day - found[-1]).days >= EVERY_DAYS):
            found.append(day)
    return found


def columns() -> list[Aged]:
    """Every epoch with every age."""
    return [Aged(epoch, age) for epoch in range(len(days())) for age in AGES_DAYS]


def age_cases() -> list[list[Case]]:
    """Each circuit on each column: transpiled for the old calibration, run on the day's."""
    known = epochs()
    devices = [(known[day - dt.timedelta(days=age)], known[day]) for day in days() for age in AGES_DAYS]
    return [cases(circuit, devices) for circuit in circuits(SIZES, seed=SEED, families=FAMILIES)]


def cost_of_age(where: Sequence[Aged], truth: Floats) -> dict[int, float]:
    """Mean share of the success that a calibration of each age loses against the day's own."""
    by_age = {
        age: truth[:, [number for number, each in enumerate(where) if each.age_days == age]]
        for age in AGES_DAYS
    }
    return {age: float(1 - (found / by_age[0]).mean()) for age, found in by_age.items()}


def age_estimates(rows: Sequence[Sequence[Case]], pairs: Sequence[Sequence[Pair]]) -> tuple[Floats, Floats]:
    """(C, D) success as the scheduler estimates it, with the age of each calibration and as if all were new.

    Args:
        rows: Those of ``age_cases``.
        pairs: Theirs.
    """
    kept, calibrations = [row[0].circuit for row in rows], [case.known for case in rows[0]]
    ages_s = [each.age_days * 86_400.0 for each in columns()]
    knowing, ignoring = (aged(kept, pairs, calibrations, ages) for ages in (ages_s, [0.0] * len(ages_s)))
    return knowing, ignoring
