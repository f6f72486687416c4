"""Stage 1 and the score: every job on every backend, from features and coefficients alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsched.scoring.blocks import BLOCK_TYPES, Refinements
from qsched.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.blocks import Refined
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Masks = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Estimates:
    """J jobs on B backends.

    Attributes:
        log_success: (J, B) of the circuits' geometric mean, drift included, before the hazard of
            recalibration.
        success: (J, B) estimated success probability; it is the fidelity utility.
        run_s: (J, B) seconds on the device.
        critical_path_s: (J, B) seconds of the longest circuit up to its last readout.
        window_s: (J, B) coherence window in seconds; infinite for an ideal simulator.
        cost: (J, B) in each backend's currency; 0 without a price.
        wait: (J, B) wait utility.
        coherence: (J, B) coherence utility.
        thrift: (J, B) cost utility.
        reasons: (J, B) ``Reason`` bits; 0 where the job may run.
        score: (J, B) weighted utility in [0, 1]; 0 where the job may not run.
        wait_s: (B,) median wait in seconds.
        wait_p90_s: (B,) its 90 % quantile.
        start_age_s: (B,) age of the calibration when a job starts.
    """

    log_success: Singles
    success: Singles
    run_s: Singles
    critical_path_s: Singles
    window_s: Singles
    cost: Floats
    wait: Singles
    coherence: Singles
    thrift: Singles
    reasons: Masks
    score: Singles
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
    scorer = Scorer(jobs, fleet)
    shape = (len(jobs), len(fleet))
    columns = {name: np.empty(shape, dtype) for name, dtype in BLOCK_TYPES.items()}
    for rows in scorer.blocks():
        block = scorer.evaluate(rows, _within(refinements or {}, rows))
        for name, column in columns.items():
            column[rows] = getattr(block, name)
    return Estimates(
        wait_s=fleet.wait_s,
        wait_p90_s=fleet.wait_p90_s,
        start_age_s=fleet.age_s + fleet.wait_s,
        **columns,
    )


def _within(refinements: Mapping[tuple[int, int], Refined], rows: slice) -> Refinements:
    """The refinements of a block."""
    return {pair: refined for pair, refined in refinements.items() if rows.start <= pair[0] < rows.stop}
