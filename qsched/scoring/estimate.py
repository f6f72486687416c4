"""Stage 1 and the score: every job on every backend, from features and coefficients alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsched.scoring.blocks import Block
from qsched.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.blocks import Refined
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimates(Block):
    """J jobs on B backends: the pairs, and what belongs to the backends.

    Attributes:
        wait_s: (B,) median wait in seconds.
        wait_p90_s: (B,) its 90 % quantile.
        start_age_s: (B,) age of the calibration when a job starts.
    """

    wait_s: Floats
    wait_p90_s: Floats
    start_age_s: Floats

    def offers(self) -> Singles:
        """(J, B) what placement maximises: the score, minus infinity where the job may not run."""
        return np.where(self.reasons == 0, self.score, np.float32(-np.inf))


def estimate(
    jobs: JobColumns, fleet: Fleet, refinements: Mapping[tuple[int, int], Refined] | None = None
) -> Estimates:
    """Every job on every backend.

    Args:
        jobs: J jobs whose times count from the fleet's ``now``.
        fleet: B backends.
        refinements: Stage 2 figures that replace those of stage 1 for their pairs.

    Returns:
        The estimates; about 50 bytes a pair (``stage1`` bounds the memory for many jobs).
    """
    pairs = Scorer(jobs, fleet).evaluate(refinements or {})
    return Estimates(
        wait_s=fleet.wait_s,
        wait_p90_s=fleet.wait_p90_s,
        start_age_s=fleet.age_s + fleet.wait_s,
        **vars(pairs),
    )
