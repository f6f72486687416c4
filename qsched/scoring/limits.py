"""Limits of jobs as slack: what is left of each on each backend, a product like the utilities.

A limit holds where its slack is not negative. Slack is very large in size, so that a scorer can take the
lesser of it and the coherence margin: that changes nothing where the limit holds, and shuts the window where
it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.scoring.features import Features
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]

SCALE = np.float32(1e20)
"""What slack is multiplied by; the least that single precision can tell from nothing is then far above 1."""

_NO_LIMIT = np.float32(1e17)  # more than any figure; times ``SCALE`` it is still a number
_LEAST = np.float32(1e-18)
LOG_WEIGHT = 5
"""Where the logarithm of the weight is among the features of the success."""


class Limits(NamedTuple):
    """Features of R jobs; each is None where no job has such a limit.

    Attributes:
        queue: (R, 2) of the time until the start.
        age: (R, 2) of the calibration's age at the start.
        ends: (R, 8) of the time until the end.
        fidelity: (R, 8) of the log success.
    """

    queue: Singles | None
    age: Singles | None
    ends: Singles | None
    fidelity: Singles | None

    def at(self, rows: slice) -> Limits:
        """Some of the jobs."""
        return Limits(*(None if each is None else each[rows] for each in self))


def limits_of(jobs: JobColumns, rows: NDArray[np.intp], given: Features) -> Limits:
    """The limits of R jobs.

    Args:
        jobs: All jobs.
        rows: (R,) which of them.
        given: Their features.
    """
    seconds = [each.take(rows) for each in (jobs.max_queue_s, jobs.max_age_s, jobs.remaining_s)]
    queue, age, ends = (_and_a_bit(each) if (each < np.inf).any() else None for each in seconds)
    least = jobs.min_fidelity.take(rows)
    return Limits(
        queue=None if queue is None else _stack(queue),
        age=None if age is None else _stack(age),
        ends=None if ends is None else _stack(ends, given.run_s),
        fidelity=_fidelity(least, given.success) if least.any() else None,
    )


def _stack(limit: Singles, spent: Singles | None = None) -> Singles:
    """Features of a limit less what is spent, and less what each backend takes of it."""
    more = 0 if spent is None else spent.shape[1]
    stacked = np.empty((2 + more, len(limit)), dtype=np.float32)
    np.multiply(limit, SCALE, out=stacked[0])
    stacked[1] = -SCALE
    if spent is not None:
        np.multiply(spent.T, -SCALE, out=stacked[2:])
    return stacked.T


def _fidelity(least: Singles, success: Singles) -> Singles:
    """The features of the log success, but for the limit in place of the weight."""
    stacked = success.T * SCALE
    with np.errstate(divide="ignore"):
        stacked[LOG_WEIGHT] = _and_a_bit(-np.log(least)) * SCALE
    return stacked.T


def _and_a_bit(limit: Singles) -> Singles:
    """A bit more, since what meets a limit is within it."""
    more: Singles = np.maximum(np.nextafter(limit, np.float32(np.inf)), limit + _LEAST)
    return np.minimum(more, _NO_LIMIT)
