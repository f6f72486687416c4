"""What jobs bring to the score: the matrices that are multiplied by the fleet's coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.fleet.durations import overhead_growth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]
    Rows = NDArray[np.intp]

LEAST_WEIGHT = 1e-12
"""A weight of 0 counts as this: its logarithm is finite, and it adds nothing to a score."""

_WIDTHS = (6, 8, 9, 5, 11, 2)  # of the first six figures of ``Features``

_BELOW_ONE = 1 - 2.0**-21  # so that a sum of weighted utilities, rounded, never exceeds 1


class Needs(NamedTuple):
    """What R jobs select, and what their cost and its limit depend on, as in ``JobColumns``."""

    selection: Ints
    circuits: Singles
    shots: Singles
    gates: Singles
    max_cost: Floats


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

    def at(self, rows: slice) -> Features:
        """Some of the jobs."""
        return Features(*(column[rows] for column in self))


def needs_of(jobs: JobColumns, rows: Rows) -> Needs:
    """What some of the jobs require."""
    return Needs(*(getattr(jobs, name).take(rows, axis=0) for name in Needs._fields))


def features(jobs: JobColumns, rows: Rows, *, weighted: bool) -> Features:
    """The features of R jobs.

    Args:
        jobs: All jobs.
        rows: (R,) which of them.
        weighted: Whether utilities are multiplied by their weights.
    """
    weights = np.ones((4, len(rows)), dtype=np.float32)
    if weighted:
        np.maximum(jobs.weights.take(rows, axis=0).T, np.float32(LEAST_WEIGHT), out=weights)
        weights *= np.float32(_BELOW_ONE)
    log_weights = np.log(weights)
    circuits, gates = jobs.circuits.take(rows), jobs.gates.take(rows, axis=0).T
    shots = jobs.shots.take(rows) * circuits
    wait_scale = (-1 / jobs.tau_s.take(rows)).astype(np.float32)
    cost_scale = (-1 / jobs.cost_scale.take(rows)).astype(np.float32)
    # One feature is one row while they are made: whole rows are written faster than columns.
    stacked = np.empty((sum(_WIDTHS), len(rows)), dtype=np.float32)
    run_s, success, wait, margin, thrift, least = np.split(stacked, np.cumsum(_WIDTHS)[:-1])

    run_s[0] = shots
    run_s[1] = overhead_growth(shots)
    run_s[2:] = jobs.path.take(rows, axis=0).T
    run_s[2:] *= shots

    success[:4] = gates
    success[4] = 1
    success[5] = log_weights[0]
    success[6:] = jobs.routed.take(rows, axis=0).T

    np.multiply(run_s[:5], wait_scale, out=wait[:5])
    wait[5] = wait_scale
    wait[6] = 1
    wait[7] = log_weights[1]
    np.multiply(run_s[5], wait_scale, out=wait[8])

    margin[0] = -1
    margin[1:] = jobs.longest.take(rows, axis=0).T
    margin *= -weights[2]

    thrift[0] = circuits
    thrift[1:4] = gates[:3]
    thrift[1:4] *= shots
    thrift[4:9] = run_s[:5]
    thrift[:9] *= cost_scale
    thrift[9] = log_weights[3]
    np.multiply(run_s[5], cost_scale, out=thrift[10])

    least[0] = cost_scale
    least[1] = log_weights[3]
    return Features(
        run_s=run_s.T,
        success=success.T,
        wait=wait.T,
        margin=margin.T,
        thrift=thrift.T,
        least=least.T,
        weights=weights.T,
        log_weights=log_weights.T,
        wait_scale=wait_scale,
        cost_scale=cost_scale,
    )
