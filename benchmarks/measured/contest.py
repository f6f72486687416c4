"""A contest of devices whose calibrations are of different ages: what is it worth to know the ages?

One chip at several epochs stands for several devices. Of each the scheduler has a calibration that is some
days old; it chooses by that one, and the truth is that of the day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.truth.ranking import CLOSE, Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

POOL = 4
"""Devices of a pool."""

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


def compete(where: Sequence[Aged], truth: Floats, knowing: Floats, ignoring: Floats, *, seed: int) -> Outcome:
    """Draw pools of devices at different epochs with calibrations of any age, and let both choose.

    Args:
        where: D columns: every epoch with every age.
        truth: (C, D) real success.
        knowing: (C, D) estimates with the age term.
        ignoring: (C, D) without.
        seed: Of the pools.
    """
    draws = np.random.default_rng(seed)
    total = len({each.epoch for each in where})
    ages = len(where) // total
    rows = draws.integers(0, len(truth), _POOLS)
    picked = np.array([draws.choice(total, POOL, replace=False) for _ in range(_POOLS)])
    cells = rows[:, None], picked * ages + draws.integers(0, ages, picked.shape)
    real = truth[cells]
    took = [each[cells].argmax(axis=1) for each in (knowing, ignoring)]
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


def _error_by_epoch(gain: Floats, picked: Ints, epochs_: int) -> float:
    """Standard error by the jackknife over epochs: pools that share an epoch are not independent."""
    without = np.array([gain[(picked != epoch).all(axis=1)].mean() for epoch in range(epochs_)])
    return float(np.sqrt((epochs_ - 1) / epochs_ * ((without - without.mean()) ** 2).sum()))
