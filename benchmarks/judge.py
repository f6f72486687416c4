"""The worth of placements, and whether they may be, by code that shares nothing with the code that placed.

The formulas are those of ``docs/scoring.md``, in double precision and summed over pairs of jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.scoring import estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring import JobColumns

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

_ROWS = 8192


class Crowd(NamedTuple):
    """Jobs that are to be placed, and where.

    Attributes:
        jobs: J jobs.
        fleet: B backends.
        servers: (B,) tasks that each runs at the same time.
        urgency: (J,) multipliers of the utilities.
        impatience: (J,) score lost for each second of waiting, urgency included.
    """

    jobs: JobColumns
    fleet: Fleet
    servers: Ints
    urgency: Floats
    impatience: Floats

    def blocks(self) -> Iterator[tuple[slice, Floats, Floats]]:
        """Rows, (R, B) offers, urgency included and minus infinity where a job may not run, and seconds."""
        for start in range(0, len(self.jobs), _ROWS):
            rows = slice(start, min(start + _ROWS, len(self.jobs)))
            found = estimate(self.jobs.take(rows), self.fleet)
            offers = np.where(found.reasons == 0, found.score * self.urgency[rows, None], -np.inf)
            yield rows, offers, found.run_s.astype(np.float64)


class Terms(NamedTuple):
    """What waiting costs on each backend.

    Attributes:
        ratio: (B,) r, the impatience that comes with a second of work, over all jobs that may run there.
        servers: (B,) c.
    """

    ratio: Floats
    servers: Ints

    @property
    def units(self) -> Floats:
        """(2, B) r / 2c and 1 / 2cr; 0 where nothing may run."""
        able = self.ratio > 0
        inverse = np.divide(1, self.ratio, out=np.zeros(len(self.ratio)), where=able)
        return np.array([self.ratio, inverse]) / (2 * self.servers)


class Judgement(NamedTuple):
    """What a choice is worth.

    Attributes:
        welfare: Scores less what the jobs on each backend lose by waiting for each other.
        feasible: Whether every job is where it may run, and has a place if it may run anywhere.
        loads: (2, B) work and impatience on each backend.
    """

    welfare: float
    feasible: bool
    loads: Floats


def terms_of(crowd: Crowd) -> Terms:
    """What waiting costs, from all jobs."""
    work, impatience = np.zeros(len(crowd.fleet)), np.zeros(len(crowd.fleet))
    for rows, offers, work_s in crowd.blocks():
        able = np.isfinite(offers)
        work += np.where(able, work_s, 0).sum(axis=0)
        impatience += crowd.impatience[rows] @ able
    return Terms(
        np.divide(impatience, work, out=np.zeros(len(work)), where=work > 0), np.maximum(crowd.servers, 1)
    )


def judge_choices(crowd: Crowd, terms: Terms, choices: Mapping[str, Ints]) -> dict[str, Judgement]:
    """Judge (J,) columns, -1 without a place, by the name of who chose them."""
    backends = len(crowd.fleet)
    value = dict.fromkeys(choices, 0.0)
    feasible = dict.fromkeys(choices, True)
    loads = {name: np.zeros((2, backends)) for name in choices}
    for rows, offers, work_s in crowd.blocks():
        somewhere = np.isfinite(offers).any(axis=1)
        for name, choice in choices.items():
            column = choice[rows]
            feasible[name] &= bool(((column >= 0) == somewhere).all() and (column < backends).all())
            placed = np.flatnonzero((column >= 0) & (column < backends))
            where = column[placed]
            got, work, hurry = (
                offers[placed, where],
                work_s[placed, where],
                crowd.impatience[rows][placed],
            )
            feasible[name] &= bool(np.isfinite(got).all())
            # A job does not wait for itself: its own part of the squares is given back.
            own = terms.units[0, where] * work**2 + terms.units[1, where] * hurry**2
            value[name] += float(got.sum() + own.sum() / 2)
            loads[name][0] += np.bincount(where, weights=work, minlength=backends)
            loads[name][1] += np.bincount(where, weights=hurry, minlength=backends)
    return {
        name: Judgement(value[name] - _cost(terms, loads[name]), feasible[name], loads[name])
        for name in choices
    }


def dual_bound(crowd: Crowd, terms: Terms, loads: Floats) -> float:
    """A welfare that no choice exceeds: the tangent at some loads, where every job takes its best.

    Args:
        crowd: The jobs.
        terms: What waiting costs.
        loads: (2, B) loads; the bound is tightest at those of the optimum.
    """
    total = _cost(terms, loads)
    for rows, offers, work_s in crowd.blocks():
        hurry = crowd.impatience[rows][:, None]
        unit_w, unit_i = terms.units
        net = offers + (unit_w * work_s**2 + unit_i * hurry**2) / 2
        net -= unit_w * loads[0] * work_s + unit_i * loads[1] * hurry
        best = net.max(axis=1)
        total += float(best[np.isfinite(best)].sum())
    return total


def _cost(terms: Terms, loads: Floats) -> float:
    return float((terms.units * loads**2).sum() / 2)
