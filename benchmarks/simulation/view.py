"""What a policy sees, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qsched.scoring import estimate
from qsched.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring import Estimates, JobColumns

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]
    Singles = NDArray[np.float32]

WAIT = -1
"""The answer of a policy that leaves a job waiting."""


@dataclass(frozen=True, eq=False)
class View:
    """J jobs that wait and B backends, at one moment.

    What is estimated is computed when first asked for. Every policy pays for one scoring: scores and running
    times come quickest, and one that looks at more gets all of it together from its second decision on.

    Attributes:
        now_s: Seconds since the simulation began.
        names: (J,) the jobs' names.
        jobs: The jobs as qsched sees them; first come, first in the list.
        fleet: The backends; its ``wait_s`` is what qsched's wait model predicts.
        queue_s: (B,) seconds of work that were handed to each backend before, as estimated.
        current: (J,) where a job is placed so far; -1 for nowhere. Only with late binding.
        rng: For policies that draw.
        thorough: Whether all is estimated at once.
    """

    now_s: float
    names: Sequence[str]
    jobs: JobColumns
    fleet: Fleet
    queue_s: Floats
    current: Ints
    rng: np.random.Generator
    thorough: bool = False

    @property
    def estimated(self) -> bool:
        """Whether ``estimates`` were computed."""
        return "estimates" in vars(self)

    @cached_property
    def _scored(self) -> tuple[Singles, Singles]:
        if self.thorough:
            return self.estimates.offers(), self.estimates.run_s
        scorer = Scorer(self.jobs, self.fleet)
        offers, run_s = zip(*(scorer.offers(rows) for rows in scorer.blocks()), strict=True)
        return np.concatenate(offers), np.concatenate(run_s)

    @property
    def offers(self) -> Singles:
        """(J, B) qsched's scores; minus infinity where a job may not run."""
        return self._scored[0]

    @property
    def run_s(self) -> Singles:
        """(J, B) estimated seconds on the device."""
        return self._scored[1]

    @cached_property
    def feasible(self) -> Bools:
        """(J, B) where a job may run."""
        return np.isfinite(self.offers)

    @cached_property
    def estimates(self) -> Estimates:
        """Everything that qsched estimates of each job on each backend."""
        return estimate(self.jobs, self.fleet)

    @property
    def success(self) -> Singles:
        """(J, B) estimated success probability."""
        return self.estimates.success

    @property
    def cost(self) -> Floats:
        """(J, B) price."""
        return self.estimates.cost


class Policy(Protocol):
    """Chooses backends. A plain function ``place(view)`` does as well: see ``benchmarks.policies.load``.

    Attributes:
        name: What the reports call it.
        late_binding: Whether a placed job stays with the policy, which may move it, until its backend has a
            free slot; else it goes to the backend's queue at once.
        batch_jobs: It is asked when this many jobs wait,
        batch_s: or when one has waited this long for a decision, in seconds.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    @property
    def late_binding(self) -> bool:
        """See above."""
        ...

    @property
    def batch_jobs(self) -> int:
        """See above."""
        ...

    @property
    def batch_s(self) -> float:
        """See above."""
        ...

    def place(self, view: View) -> Ints:
        """(J,) a column of ``view.fleet`` for each job; -1 leaves it waiting."""
        ...
