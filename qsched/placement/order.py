"""Mending a choice by the order in which jobs are served, where it is known.

Placement up to here counts half of the work of all jobs on a backend as before a job, because it does not ask
in which order they are served. Where that is known, a job waits for those before it, and makes those after it
wait. One job after the other moves to where the sum of scores, less the waiting of all, gains most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

_LEAST_GAIN = 1e-6
_MOVES_PER_JOB = 2


def mend_in_order(offers: Singles, work_s: Singles, impatience: Singles, servers: Ints, choice: Ints) -> Ints:
    """A choice that no move of a single job improves, as far as the effort is bounded.

    Args:
        offers: (J, B) scores, in the order of service; minus infinity where the job may not run.
        work_s: (J, B) seconds on the device.
        impatience: (J,) score that a job loses for each second of waiting.
        servers: (B,) tasks that a backend runs at the same time.
        choice: (J,) columns, -1 for none.

    Returns:
        (J,) columns, worth at least as much.
    """
    choice = choice.copy()
    placed = np.flatnonzero(choice >= 0)
    if len(placed) < 2:
        return choice
    seat = choice[placed]
    offers, each_s = offers[placed].astype(np.float64), work_s[placed] / servers
    patience = impatience[placed].astype(np.float64)
    rows = np.arange(len(placed))
    net = np.empty(offers.shape)

    def price(columns: NDArray[np.intp]) -> None:
        here = seat[:, None] == columns
        work = np.where(here, each_s[:, columns], 0)
        lost = np.where(here, patience[:, None], 0)
        before_s = np.cumsum(work, axis=0) - work
        after = lost.sum(axis=0) - np.cumsum(lost, axis=0)
        net[:, columns] = offers[:, columns] - patience[:, None] * before_s - each_s[:, columns] * after

    price(np.arange(offers.shape[1]))
    for _ in range(_MOVES_PER_JOB * len(placed)):
        gains = net - net[rows, seat][:, None]
        row, column = divmod(int(gains.argmax()), offers.shape[1])
        if gains[row, column] <= _LEAST_GAIN:
            break
        left, seat[row] = seat[row], column
        price(np.array([left, column]))
    choice[placed] = seat
    return choice
