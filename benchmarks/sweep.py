"""Fronts of qsched's placement: its one trade-off, between success and completion time, at several settings.

At the setting x in [0, 1] placement gets offers (1 - x) F - x w / s and the impatience 2 x / s for every job,
with F the success, w the queue before the backend, and s a scale in seconds. Its congestion cost, A W / 2 on
each backend, is then x / s times the sum over jobs of the seconds placed on their backend: the objective of
Qonductor, who lets every job wait for all work on its backend, where qsched has it wait for half.

That cost is the convex (n^2 t + W^2 / t) / 2 in place of the product n W of the n jobs and the W seconds on a
backend, with t the mean seconds of a job there (docs/scoring.md). What lies between them is (W - n t)^2 / 2t:
it counts only where the jobs of a backend are not of typical length, as when the long ones are kept apart.
Each setting gives it back, to first order at the schedule of the setting before (the convex-concave
procedure: Yuille and Rangarajan, Neural Computation 15, 915 (2003)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.nsga2 import Front, objectives
from qsched.placement import open_market, solve
from qsched.placement.polish import MENDED, polish

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.scenarios.two_objectives import Instance

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

FIRST = (-7.0, -3.0, -1.0, 1.0, 4.0)
"""Settings that every sweep has, as log(x / (1 - x)): from nearly nothing but success to hardly any."""

_APART = 0.02


class _Point(NamedTuple):
    """A setting and what it gives.

    Attributes:
        setting: log(x / (1 - x)).
        choice: (J,) columns.
        worth: (2,) the objectives.
    """

    setting: float
    choice: Ints
    worth: Floats


def sweep(instance: Instance, points: int, *, seed: int) -> Front:
    """The front of several settings: some that are given, then always between the two furthest apart.

    Args:
        instance: What is to be placed.
        points: How many settings, at least those of ``FIRST``.
        seed: Of the placement.

    Returns:
        The schedules of all settings that no other is better than.
    """
    settings = _Settings(instance, seed)
    found: list[_Point] = []
    for setting in FIRST:
        found.append(settings.at(setting, found[-1].choice if found else None))
    while len(found) < points:
        gap = _widest_gap(found)
        middle = (found[gap].setting + found[gap + 1].setting) / 2
        found.insert(gap + 1, settings.at(middle, found[gap + 1].choice))
    choices = np.array([point.choice for point in found])
    worth = np.array([point.worth for point in found])
    best = _undominated(worth)
    return Front(choices[best], worth[best])


class _Settings:
    """An instance, to be placed at one setting after the other."""

    def __init__(self, instance: Instance, seed: int) -> None:
        self._instance, self._seed = instance, seed
        able, run_s = instance.feasible, instance.run_s
        jobs, backends = run_s.shape
        self._typical_s = run_s.sum(axis=0, where=able) / np.maximum(1, able.sum(axis=0))
        self._scale_s = float(run_s.mean(where=able)) * jobs / backends

    def at(self, setting: float, near: Ints | None) -> _Point:
        """Place all jobs.

        Args:
            setting: log(x / (1 - x)).
            near: (J,) the schedule of a setting near by. Few jobs are not placed anew: chains of moves
                mend this one.
        """
        run_s, success, queue_s, feasible = self._instance
        x = 1 / (1 + math.exp(-setting))
        price = x / self._scale_s
        offers = (1 - x) * success - price * queue_s
        if near is not None:
            offers += price * self._mix(near) * (run_s / self._typical_s - 1)
        offers[~feasible] = -np.inf
        impatience = np.full(len(run_s), 2 * price, dtype=np.float32)
        market = open_market(offers.astype(np.float32), run_s, impatience=impatience)
        if near is None or len(market) > MENDED:
            choice = solve(market, seed=self._seed)
        else:
            choice = polish(market, near)
        return _Point(setting, choice, objectives(choice[None], run_s, success, queue_s)[0])

    def _mix(self, choice: Ints) -> Floats:
        """(B,) seconds on each backend beyond those of as many typical jobs."""
        run_s = self._instance.run_s
        load_s = np.bincount(
            choice, weights=run_s[np.arange(len(choice)), choice], minlength=len(self._typical_s)
        )
        mix: Floats = load_s - np.bincount(choice, minlength=len(load_s)) * self._typical_s
        return mix


def _widest_gap(found: list[_Point]) -> int:
    """Index of the point before the gap that could hide most: the largest rectangle between neighbours."""
    worth = np.array([point.worth for point in found])
    apart = np.diff([point.setting for point in found]) > _APART
    sides = np.abs(np.diff(worth, axis=0)) / np.maximum(np.ptp(worth, axis=0), 1e-12)
    return int((sides.prod(axis=1) * apart).argmax())


def _undominated(worth: Floats) -> NDArray[np.intp]:
    """Rows that no other is at least as good as in both columns, one of equals, in order of the first."""
    order = np.lexsort((worth[:, 1], worth[:, 0]))
    least = np.minimum.accumulate(worth[order, 1])
    better = np.concatenate([[True], worth[order[1:], 1] < least[:-1]])
    best: NDArray[np.intp] = order[better]
    return best
