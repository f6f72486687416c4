"""Every way to give a few jobs to a few backends that serve first come, first served."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]


class Assignments(NamedTuple):
    """A ways to give J jobs to B backends.

    Attributes:
        choices: (A, J) columns.
        wait_s: (A, J) how long each job waits.
    """

    choices: Ints
    wait_s: Floats


def every_assignment(run_s: Floats, feasible: Bools, ready_s: Floats, free_s: Floats) -> Assignments:
    """All of them: up to B^J.

    Args:
        run_s: (J, B) seconds that a job takes.
        feasible: (J, B) where a job may run; each may somewhere.
        ready_s: (J,) when each comes, in ascending order.
        free_s: (B,) when each backend is done with what it has.
    """
    columns = (np.flatnonzero(row) for row in feasible)
    choices = np.array(list(itertools.product(*columns)), dtype=np.int32)
    every = np.arange(len(choices))
    until_s = np.tile(free_s, (len(choices), 1))
    wait_s = np.empty(choices.shape)
    for job, ready in enumerate(ready_s.tolist()):
        column = choices[:, job]
        start_s = np.maximum(until_s[every, column], ready)
        wait_s[:, job] = start_s - ready
        until_s[every, column] = start_s + run_s[job, column]
    return Assignments(choices, wait_s)
