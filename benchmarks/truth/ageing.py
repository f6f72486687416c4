"""Calibrations of different ages compete: does it pay to know how old they are?

One chip at several epochs stands for several devices. Of each the scheduler has a calibration that is some
days old; it transpiles for that one, and the truth is simulated with the calibration of the day.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.scenarios.circuits import circuits
from benchmarks.truth.epochs import epochs
from benchmarks.truth.pairs import SEED, cases
from benchmarks.truth.predictors import aged
from benchmarks.truth.ranking import CLOSE, Choice
from qsched.fleet.quality import quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.truth.pairs import Case, Pair

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FIRST_DAY = dt.date(2023, 4, 1)
"""The experiment is of April and May; the months before are there to fit on."""

EVERY_DAYS = 3
AGES_DAYS = (0, 1, 3, 7, 14, 30)
FAMILIES = ("ghz", "wstate", "qft", "vqe_real_amp")
SIZES = (3, 5)
POOL = 4
_POOLS = 4000


class Aged(NamedTuple):
    """A device as the scheduler sees it.

    Attributes:
        epoch: Which day it is there, counted from 0.
        age_days: How old its calibration is.
    """

    epoch: int
    age_days: int


class Outcome(NamedTuple):
    """Pools in which the choice was made with the age, and without it.

    Attributes:
        knowing: What choosing with the age term comes to.
        ignoring: What choosing as if all calibrations were new comes to.
        differ: Share of the pools in which the two choose differently.
        better: Share of those in which knowing the age chose the better device.
        gain_error: Standard error of the difference of the regrets, over the circuits and epochs.
    """

    knowing: Choice
    ignoring: Choice
    differ: float
    better: float
    gain_error: float


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


def compete(where: Sequence[Aged], truth: Floats, knowing: Floats, ignoring: Floats, *, seed: int) -> Outcome:
    """Draw pools of devices at different epochs with calibrations of any age, and let both choose.

    Args:
        where: D columns.
        truth: (C, D) real success.
        knowing: (C, D) estimates with the age term.
        ignoring: (C, D) without.
        seed: Of the pools.
    """
    draws = np.random.default_rng(seed)
    ages = len(AGES_DAYS)
    total = len(where) // ages
    rows = draws.integers(0, len(truth), _POOLS)
    picked = np.array([draws.choice(total, POOL, replace=False) for _ in range(_POOLS)])
    pools = picked * ages + draws.integers(0, ages, picked.shape)
    real = truth[rows[:, None], pools]
    took = [each[rows[:, None], pools].argmax(axis=1) for each in (knowing, ignoring)]
    got = [np.take_along_axis(real, each[:, None], axis=1)[:, 0] for each in took]
    lost = [real.max(axis=1) - each for each in got]
    differ = took[0] != took[1]
    knew, ignored = (
        Choice(float((each <= 0).mean()), float((each <= CLOSE).mean()), float(each.mean())) for each in lost
    )
    return Outcome(
        knew,
        ignored,
        differ=float(differ.mean()),
        better=float((got[0] > got[1])[differ].mean()) if differ.any() else 0.0,
        gain_error=_error_by_epoch(lost[1] - lost[0], picked, total),
    )


def cost_of_age(where: Sequence[Aged], truth: Floats) -> dict[int, float]:
    """Mean share of the success that a calibration of each age loses against the day's own."""
    by_age = {
        age: truth[:, [number for number, each in enumerate(where) if each.age_days == age]]
        for age in AGES_DAYS
    }
    return {age: float(1 - (found / by_age[0]).mean()) for age, found in by_age.items()}


def _error_by_epoch(gain: Floats, picked: Ints, epochs_: int) -> float:
    """Standard error by the jackknife over epochs: pools that share an epoch are not independent."""
    without = np.array([gain[(picked != epoch).all(axis=1)].mean() for epoch in range(epochs_)])
    return float(np.sqrt((epochs_ - 1) / epochs_ * ((without - without.mean()) ** 2).sum()))


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
