"""Fits of the execution time: qsched's few terms, and Qonductor's regression beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import nnls

from qsched.fleet.durations import DOUBLING_SHOTS, LAYER_S, OVERHEAD_S, REPETITION_S, run_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.measured.files import Executions

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_HALF = 0.2
"""A relative error of this size counts half of the most that any error counts."""
_TOO_LONG = 1.15
"""Weight of an estimate that is too long: one that is too short errs by 1 at most, this one without bound."""
_ROUNDS = 150
_ENOUGH = 1e-6
_LEAST_ERROR = 1e-4


class Terms(NamedTuple):
    """The constants of ``qsched.fleet.durations``."""

    overhead_s: float
    doubling_shots: float
    repetition_s: float
    layer_s: float


SHIPPED = Terms(OVERHEAD_S, DOUBLING_SHOTS, REPETITION_S, LAYER_S)


def folds(jobs: Executions, count: int, seed: int) -> Ints:
    """(N,) the fold of each job; jobs of the same circuits (gates, depth, qubits) are in the same one."""
    circuit = np.stack([jobs.two_qubit_gates, jobs.depth, jobs.qubits], axis=1)
    distinct, which = np.unique(circuit, axis=0, return_inverse=True)
    fold: Ints = np.random.default_rng(seed).integers(0, count, len(distinct))[which.ravel()]
    return fold


def fit_terms(jobs: Executions, chosen: Bools) -> Terms:
    """The constants that describe most of the chosen jobs best.

    The mean of e / (e + 0.2) over the relative errors e is minimised (iteratively reweighted non-negative
    least squares), because the data hold outliers of three orders of magnitude and devices that cannot be
    told apart: a sum of squares, or even of absolute errors, would describe none of them.
    """
    shots = jobs.shots * jobs.circuits
    columns = np.stack([np.ones_like(shots), np.sqrt(shots), shots, jobs.shots * jobs.depth], axis=1)
    # Of the relative error: each row is divided by the seconds; columns are scaled for the solver.
    rows = (columns / jobs.seconds[:, None])[chosen]
    scale = np.median(rows, axis=0)
    rows /= scale
    weights = np.ones(len(rows)) / np.maximum(rows.sum(axis=1), 1.0)
    solution = np.zeros(4)
    for _ in range(_ROUNDS):
        before = solution
        solution, _ = nnls(rows * weights[:, None], weights)
        if np.allclose(solution, before, rtol=_ENOUGH, atol=0):
            break
        residual = rows @ solution - 1
        tilt = np.where(residual > 0, _TOO_LONG, 1.0)
        error = np.maximum(np.abs(residual) * tilt, _LEAST_ERROR)
        weights = tilt * np.sqrt(_HALF / (error * (error + _HALF) ** 2))
    overhead_s, root_s, repetition_s, layer_s = solution / scale
    return Terms(overhead_s, (overhead_s / root_s) ** 2, repetition_s, layer_s)


def predict(terms: Terms, jobs: Executions) -> Floats:
    """(N,) seconds of each job, by the formula of ``qsched.fleet.durations``."""
    return run_s(
        jobs.shots * jobs.circuits,
        jobs.depth / jobs.circuits * terms.layer_s,
        reset_s=terms.repetition_s,
        overhead_s=terms.overhead_s,
        doubling_shots=terms.doubling_shots,
    )


def polynomial(jobs: Executions, chosen: Bools) -> Floats:
    """(N,) seconds by Qonductor's estimator, fitted to the chosen jobs.

    A regression of the seconds on all monomials of the five sums up to degree 2 (arXiv:2408.04312).
    """
    sums = np.stack(jobs[:5], axis=1)
    scaled = (sums - sums[chosen].mean(axis=0)) / sums[chosen].std(axis=0)
    one, other = np.triu_indices(scaled.shape[1])
    terms = np.concatenate([np.ones((len(sums), 1)), scaled, scaled[:, one] * scaled[:, other]], axis=1)
    weights, *_ = np.linalg.lstsq(terms[chosen], jobs.seconds[chosen], rcond=None)
    predicted: Floats = terms @ weights
    return predicted


def of_equals(jobs: Executions, least: int) -> Floats:
    """(N,) median seconds of the jobs whose five sums are equal: no estimator of the sums can know more.

    Not-a-number where there are fewer than ``least`` such jobs.
    """
    _, which, count = np.unique(np.stack(jobs[:5], axis=1), axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    seconds = np.full(len(which), np.nan)
    for each in np.flatnonzero(count >= least):
        seconds[which == each] = np.median(jobs.seconds[which == each])
    return seconds


def unseen(fold: Ints, fitted: Callable[[Bools], Floats]) -> Floats:
    """(N,) seconds of each job, as ``fitted`` to the jobs of the other folds predicts them."""
    predicted = np.empty(len(fold))
    for each in np.unique(fold):
        here = fold == each
        predicted[here] = fitted(~here)[here]
    return predicted
