"""The best decision for a few jobs, found by trying all: a peer for qsched on small instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.simulation.enumeration import every_assignment
from benchmarks.simulation.view import WAIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.simulation.view import View

    Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Replanned:
    """The greatest sum of qsched's own scores over all assignments, planned anew at each decision.

    It knows the jobs that have come. J jobs on B backends take B^J evaluations, so this is for a handful.

    Attributes:
        name: What the reports call it.
        sees_tasks: It knows when the tasks that were handed over are expected to end; else the waits that
            qsched predicts from the depths of queues.
        late_binding: A job that has not begun may be moved.
        batch_jobs: It decides as soon as a job comes,
        batch_s: without waiting for others.
    """

    name: str = "exact"
    sees_tasks: bool = False
    late_binding: bool = True
    batch_jobs: int = 1
    batch_s: float = 0.0

    def place(self, view: View) -> Ints:
        """See ``Policy.place``."""
        choice = np.full(len(view.jobs), WAIT, dtype=np.int32)
        rows = np.flatnonzero(view.feasible.any(axis=1))
        run_s = view.run_s[rows].astype(np.float64)
        free_s = view.queue_s if self.sees_tasks else view.fleet.wait_s
        every = every_assignment(run_s, view.feasible[rows], np.zeros(len(rows)), free_s)
        jobs = np.arange(len(rows))
        end_s = every.wait_s + run_s[jobs, every.choices]
        fidelity, wait = view.jobs.weights[rows, :2].T
        worth = (fidelity * view.success[rows][jobs, every.choices]).sum(axis=1)
        worth += (wait * np.exp(-end_s / view.jobs.tau_s[rows])).sum(axis=1)
        choice[rows] = every.choices[int(worth.argmax())]
        return choice
