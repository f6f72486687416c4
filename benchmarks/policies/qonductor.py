"""Qonductor's scheduler (Giortamis et al., arXiv:2408.04312): NSGA-II over batches of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.policies.rules import least_loaded
from benchmarks.simulation.view import WAIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.simulation.view import View

    Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Qonductor:
    """NSGA-II over mean completion time and mean error; see ``benchmarks.nsga2``.

    Attributes:
        name: What the reports call it.
        late_binding: It hands jobs over at once.
        batch_jobs: It waits for so many jobs,
        batch_s: or so many seconds, as in the paper.
        seed: Of the search.
    """

    name: str = "qonductor"
    late_binding: bool = False
    batch_jobs: int = 100
    batch_s: float = 120.0
    seed: int = 0

    def place(self, view: View) -> Ints:
        """The schedule that pseudo-weights .5/.5 pick from the front; jobs that may run nowhere wait.

        On many devices of different sizes the search may end without a schedule in which every job can run.
        Then the batch goes to the least loaded, so that it does not wait for ever.
        """
        from benchmarks.nsga2 import front, pick  # pymoo takes seconds to import

        rows = np.flatnonzero(view.feasible.any(axis=1))
        found = front(view.run_s[rows], view.success[rows], view.queue_s, view.feasible[rows], self.seed)
        if not len(found.choices):
            return least_loaded(view)
        choice = np.full(len(view.jobs), WAIT, dtype=np.int32)
        choice[rows] = pick(found)
        return choice
