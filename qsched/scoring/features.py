"""What jobs bring to the score: the matrices that are multiplied by the fleet's coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qsched.fleet.durations import overhead_growth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

LEAST_WEIGHT = 1e-12
"""A weight of 0 counts as this: its logarithm is finite, and it adds nothing to a score."""

_BELOW_ONE = 1 - 2.0**-21  # so that a sum of weighted utilities, rounded, never exceeds 1


class Needs(NamedTuple):
    """What R jobs require, and what their cost depends on, as in ``JobColumns``."""

    selection: Ints
    qubits: Ints
    circuits: Singles
    shots: Singles
    gates: Singles
    min_fidelity: Singles
    max_cost: Floats
    remaining_s: Singles
    max_queue_s: Singles
    max_age_s: Singles

    def rows(self, rows: slice) -> Needs:
        """Some of the jobs."""
        columns: tuple[NDArray[Any], ...] = self
        return Needs(*(column[rows] for column in columns))


class Features(NamedTuple):
    """R jobs. The weight of a utility is part of its features, so that weighting costs nothing.

    The features are (R, K) with a K for each figure, those that ``Linear.routed`` multiplies at the end.

    Attributes:
        run_s: Of the seconds on the device.
        success: Of the logarithm of the weighted success probability.
        wait: Of the exponent of the weighted wait utility.
        margin: Of the weighted share of the coherence window that is left.
        thrift: Of the exponent of the weighted cost utility, without the least price.
        least: Of the same for the least price.
        weights: (R, 4) what the utilities are multiplied by.
        log_weights: (R, 4) logarithms of the same.
        wait_scale: (R,) -1 / tau.
        cost_scale: (R,) -1 / c0.
        needs: What the jobs require.
    """

    run_s: Singles
    success: Singles
    wait: Singles
    margin: Singles
    thrift: Singles
    least: Singles
    weights: Singles
    log_weights: Singles
    wait_scale: Singles
    cost_scale: Singles
    needs: Needs

    def rows(self, rows: slice) -> Features:
        """Some of the jobs."""
        columns: list[Any] = [column[rows] for column in self[:-1]]
        return Features(*columns, needs=self.needs.rows(rows))  # type: ignore[misc]


def features(jobs: JobColumns, *, weighted: bool) -> Features:
    """The features of R jobs.

    Args:
        jobs: The jobs.
        weighted: Whether utilities are multiplied by their weights.
    """
    weights = np.ones((4, len(jobs)), dtype=np.float32)
    if weighted:
        np.maximum(jobs.weights.T, np.float32(LEAST_WEIGHT), out=weights)
        weights *= np.float32(_BELOW_ONE)
    log_weights = np.log(weights)
    wait_scale = (-1 / jobs.tau_s).astype(np.float32)
    cost_scale = (-1 / jobs.cost_scale).astype(np.float32)
    shots = jobs.shots * jobs.circuits
    path = shots * jobs.path.T
    run_s = _stack(path[:3], shots, overhead_growth(shots).astype(np.float32), path[3])
    wait = _stack(run_s[:5], 1.0, 1.0, log_weights[1], run_s[5])
    wait[:6] *= wait_scale
    wait[8] *= wait_scale
    thrift = _stack(jobs.circuits, shots * jobs.gates[:, :3].T, run_s[:5], log_weights[3], run_s[5])
    thrift[:9] *= cost_scale
    thrift[10] *= cost_scale
    margin = _stack(jobs.longest[:, :3].T, -1.0, jobs.longest[:, 3])
    margin *= -weights[2]
    return Features(
        run_s=run_s.T,
        success=_stack(jobs.gates.T, 1.0, log_weights[0], jobs.routed.T).T,
        wait=wait.T,
        margin=margin.T,
        thrift=thrift.T,
        least=_stack(cost_scale, log_weights[3]).T,
        weights=weights.T,
        log_weights=log_weights.T,
        wait_scale=wait_scale,
        cost_scale=cost_scale,
        needs=Needs(*(getattr(jobs, name) for name in Needs._fields)),
    )


def _stack(*parts: Singles | float) -> Singles:
    """(K, R) of rows and single numbers: to write whole rows is faster than to write columns."""
    sizes = [len(part) if isinstance(part, np.ndarray) and part.ndim == 2 else 1 for part in parts]
    width = next(part.shape[-1] for part in parts if isinstance(part, np.ndarray))
    stacked = np.empty((sum(sizes), width), dtype=np.float32)
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        stacked[start : start + size] = part
        start += size
    return stacked
