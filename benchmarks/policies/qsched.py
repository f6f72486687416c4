"""qsched's own decisions, made by its own code as its engine calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsched.placement import HYSTERESIS, impatience_of, place, urgency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.simulation.view import View

    Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Qsched:
    """qsched as it is; its one trade-off is in the jobs' weights (``Scenario.preferring``).

    Attributes:
        name: What the reports call it.
        hysteresis: Gain in score for which a placed job moves.
        late_binding: As the engine: a job stays in qsched until its backend has a free slot.
        batch_jobs: As the engine: new jobs are placed
        batch_s: within a second.
    """

    name: str = "qsched"
    hysteresis: float = HYSTERESIS
    late_binding: bool = True
    batch_jobs: int = 4096
    batch_s: float = 1.0

    def place(self, view: View) -> Ints:
        """As ``qsched.engine.cycle`` does."""
        jobs = view.jobs
        urgent = urgency(jobs.priority, jobs.waited_s)
        order = np.argsort(-urgent, kind="stable")
        choice = np.empty(len(jobs), dtype=np.int32)
        choice[order] = place(
            view.offers[order],
            view.run_s[order],
            impatience=impatience_of(jobs.weights, jobs.tau_s)[order],
            servers=view.fleet.servers,
            urgency=urgent[order],
            current=view.current[order],
            hysteresis=self.hysteresis,
            in_order=True,
        )
        return choice
