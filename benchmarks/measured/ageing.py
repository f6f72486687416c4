"""What a calibration's age costs: circuits on the qubits that looked best, judged by a later calibration."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks.measured.contest import Aged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.measured.perth import Calibrations

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

SIZES = (2, 3, 4, 5)
"""Circuits of so many of the device's seven qubits; the whole device leaves nothing to choose."""

MOST_DAYS = 31
SUCCESS = 0.6
"""Success that each circuit is expected to have: circuits are made so long that they have it."""

AGES = (0, 1, 2, 3, 5, 7, 10, 14, 21, 28)
"""Of the devices that compete, in calibrations; there is one a day."""

_GATES2, _GATES1, _IDLE_S = 2.0, 4.0, 2e-6
"""Of a circuit, for each qubit, beside one measurement."""
_DEAD = 0.5
_BROKEN = 1.5
"""A calibration that promises so many times the usual loss tells of a device that is out of order."""


class Choices(NamedTuple):
    """For each size of circuit (S), the set of qubits that looks best in each of D calibrations.

    Attributes:
        loss: (S, D, D) at [size, a, b] minus the log success, by calibration b, on what looked best in a.
    """

    loss: Floats

    def growth(self) -> Floats:
        """(S, D, D) factor by which the loss was larger than calibration a had said."""
        growth: Floats = self.loss / self.expected_best()[:, :, None]
        return growth

    def expected_best(self) -> Floats:
        """(S, D) the least loss that each calibration says."""
        expected: Floats = np.diagonal(self.loss, axis1=1, axis2=2)
        return expected


def choices(device: Calibrations) -> Choices:
    """The best connected qubits of every calibration, and how they do by every other one."""
    return Choices(np.stack([_of_size(device, size) for size in SIZES]))


def _of_size(device: Calibrations, size: int) -> Floats:
    losses = np.stack([_loss(device, list(each)) for each in _connected(device.couplers, size)])
    best: Floats = losses[losses.argmin(axis=0)]
    return best


def _loss(device: Calibrations, qubits: list[int]) -> Floats:
    """(D,) minus the log success of a circuit on these qubits, by each calibration."""
    inside = np.isin(device.couplers, qubits).all(axis=1)
    gates2 = _minus_log(device.gate2_error[:, inside]).mean(axis=1)
    gates1 = _minus_log(device.gate1_error[:, qubits]).mean(axis=1)
    readout = _minus_log(device.readout_error[:, qubits]).mean(axis=1)
    t1_s, t2_s = device.t1_s[:, qubits], np.minimum(device.t2_s, 2 * device.t1_s)[:, qubits]
    idle = (_IDLE_S * (1 / (4 * t1_s) + 1 / (2 * t2_s))).mean(axis=1)
    loss: Floats = len(qubits) * (_GATES2 * gates2 + _GATES1 * gates1 + readout + idle)
    return loss


def _minus_log(error: Floats) -> Floats:
    return -np.log1p(-np.minimum(error, _DEAD))


def _connected(couplers: Ints, size: int) -> list[tuple[int, ...]]:
    """Sets of qubits that couplers connect; in a device without rings one fewer of them than qubits."""
    return [
        each
        for each in combinations(range(int(couplers.max()) + 1), size)
        if np.isin(couplers, each).all(axis=1).sum() == size - 1
    ]


class Pairs(NamedTuple):
    """P pairs of an earlier and a later calibration, each with every size of circuit.

    Attributes:
        earlier: (P,) index.
        later: (P,) index.
        days: (P,) between them.
        success: (S, P) of a circuit on what looked best, that by the earlier one has ``SUCCESS``.
        lost: (S, P) how much less that is than on what looks best later.
    """

    earlier: Ints
    later: Ints
    days: Floats
    success: Floats
    lost: Floats

    def within(self, chosen: Bools) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            self.earlier[chosen],
            self.later[chosen],
            self.days[chosen],
            self.success[:, chosen],
            self.lost[:, chosen],
        )


def sound(chosen: Choices) -> Bools:
    """(D,) calibrations that promise about what the device usually does.

    For two weeks of April 2023 most of its readout was broken. Nobody sends a job to a device that says so,
    and what comes after such a calibration is a repair, no drift.
    """
    expected = chosen.expected_best()
    return np.asarray((expected <= _BROKEN * np.median(expected, axis=1)[:, None]).all(axis=0))


def pairs(device: Calibrations, chosen: Choices) -> Pairs:
    """Every pair up to ``MOST_DAYS`` apart, of which the earlier one is sound; the later may be anything."""
    days = device.taken_at[None, :] - device.taken_at[:, None]
    earlier, later = np.nonzero((days > 0) & (days <= MOST_DAYS) & sound(chosen)[:, None])
    growth = chosen.growth()
    success = SUCCESS ** growth[:, earlier, later]
    # The same circuit, on the qubits that the later calibration says are best.
    anew = chosen.expected_best()[:, later] / chosen.expected_best()[:, earlier]
    return Pairs(earlier, later, days[earlier, later], success, SUCCESS**anew - success)


def factor(per_sqrt_day: float | Floats, days: Floats) -> Floats:
    """The form of ``qsched.fleet.drift.drift``."""
    grown: Floats = 1 + per_sqrt_day * np.sqrt(days)
    return grown


def fit_drift(fit: Pairs) -> float:
    """The growth a day that makes the squared error of the success least."""
    found = minimize_scalar(
        lambda rate: float(((fit.success - SUCCESS ** factor(rate, fit.days)) ** 2).mean()),
        bounds=(0.0, 0.5),
        method="bounded",
    )
    return float(found.x)


def out_of_month(device: Calibrations, every: Pairs) -> dict[int, float]:
    """For each month the growth that is fitted to pairs of which neither calibration is of that month."""
    earlier, later = device.month[every.earlier], device.month[every.later]
    return {
        month: fit_drift(every.within((earlier != month) & (later != month)))
        for month in np.unique(device.month).tolist()
    }


def effective(found: Pairs, days: int) -> float:
    """The factor that gives the mean success of the pairs that many days apart."""
    near = np.round(found.days) == days
    return float(np.log(found.success[:, near].mean()) / np.log(SUCCESS))


class Entrants(NamedTuple):
    """D devices that compete: the one device on each day of a month, known by a calibration of each age.

    Attributes:
        where: (D,) the day and the age.
        truth: (S, D) success on the qubits that looked best in the known calibration.
        knowing: (S, D) what is expected of them, with the age.
        ignoring: (S, D) the same as if the calibration were new.
    """

    where: list[Aged]
    truth: Floats
    knowing: Floats
    ignoring: Floats


def entrants(device: Calibrations, chosen: Choices, month: int, per_sqrt_day: float) -> Entrants:
    """The devices of a month's contest.

    Args:
        device: The calibrations.
        chosen: What looks best in each.
        month: Of the days.
        per_sqrt_day: Growth that was fitted to the other months.
    """
    days = np.flatnonzero(device.month == month)
    where = [Aged(day, age) for day in days[days >= max(AGES)].tolist() for age in AGES]
    today = np.array([each.epoch for each in where], dtype=np.int64)
    known = today - np.array([each.age_days for each in where], dtype=np.int64)
    expected = chosen.expected_best()
    # Circuits that have SUCCESS on a usual day.
    length = -np.log(SUCCESS) / np.median(expected, axis=1)[:, None]
    aged = factor(per_sqrt_day, device.taken_at[today] - device.taken_at[known])
    return Entrants(
        where,
        truth=np.exp(-length * chosen.loss[:, known, today]),
        knowing=np.exp(-length * expected[:, known] * aged),
        ignoring=np.exp(-length * expected[:, known]),
    )
