"""Stage 1 and the score: every job on every backend, from features and coefficients alone.

``evaluate`` is the only code that makes a score. It always works on blocks of one shape (the last block is
padded), so that a job's numbers are the same bits whether it is scored alone, to be explained, or among a
million: the linear algebra library may sum in another order for another shape, but not for another row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.scoring.coefficients import COHERENCE_THETA, Coefficients, coefficients
from qsched.scoring.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Masks = NDArray[np.uint16]

RECALIBRATION_HAZARD = 0.05
"""Share of the success probability that is lost when a job ends after the next calibration."""

_PAIRS_PER_BLOCK = 16_384  # a dozen arrays of a block fit a core's second-level cache


class Refined(NamedTuple):
    """What stage 2 knows of one job on one backend, from its transpiled circuits.

    Attributes:
        log_success: Mean over the circuits, without drift.
        path_s: Mean critical path of the circuits in seconds.
        longest_s: The longest one up to the last readout, which has an error of its own.
        t2_s: Low quantile of T2 over the used qubits.
    """

    log_success: float
    path_s: float
    longest_s: float
    t2_s: float


Refinements = dict[tuple[int, int], Refined]
"""(row of the job, column of the backend) to what stage 2 knows."""


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
    columns = {name: np.empty(shape, dtype) for name, dtype in _PAIR_COLUMNS.items()}
    for rows in scorer.blocks():
        block = scorer.evaluate(rows, _within(refinements or {}, rows))
        for name, column in columns.items():
            column[rows] = getattr(block, name)[: rows.stop - rows.start]
    return Estimates(
        wait_s=fleet.wait_s,
        wait_p90_s=fleet.wait_p90_s,
        start_age_s=fleet.age_s + fleet.wait_s,
        **columns,
    )


class Block(NamedTuple):
    """The pair columns of ``Estimates`` for the R rows of a block, padding included; (R, B) each."""

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


_PAIR_COLUMNS: dict[str, type[np.generic]] = dict.fromkeys(Block._fields, np.float32) | {
    "cost": np.float64,
    "reasons": np.uint16,
}


class Scorer:
    """Jobs and a fleet, ready to be evaluated block by block; safe to use from several threads."""

    def __init__(self, jobs: JobColumns, fleet: Fleet) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._factors = coefficients(fleet, jobs.selections)
        self._rows = _block_rows(len(fleet))

    def blocks(self) -> Iterator[slice]:
        """The rows of each block, in order."""
        for start in range(0, len(self._jobs), self._rows):
            yield slice(start, min(start + self._rows, len(self._jobs)))

    def evaluate(self, rows: slice, refinements: Mapping[tuple[int, int], Refined]) -> Block:
        """One block.

        Args:
            rows: One of ``blocks()``.
            refinements: Stage 2 figures by (row within the block, column).

        Returns:
            The block's columns; rows beyond ``rows`` are padding.
        """
        short = self._rows - (rows.stop - rows.start)
        if short:
            padded = np.minimum(np.arange(rows.start, rows.start + self._rows), rows.stop - 1, dtype=np.int32)
            return _evaluate(self._jobs.take(padded), self._factors, self._fleet, refinements)
        return _evaluate(self._jobs.take(rows), self._factors, self._fleet, refinements)


def _block_rows(backends: int) -> int:
    """Rows of a block: a power of two that depends on the number of backends only."""
    fitting = _PAIRS_PER_BLOCK // max(1, backends)
    return int(min(max(1 << max(0, fitting.bit_length() - 1), 64), 4096))


def _within(refinements: Mapping[tuple[int, int], Refined], rows: slice) -> Refinements:
    """The refinements of a block, by the row within it."""
    return {
        (row - rows.start, column): refined
        for (row, column), refined in refinements.items()
        if rows.start <= row < rows.stop
    }


def _evaluate(
    jobs: JobColumns, factors: Coefficients, fleet: Fleet, refinements: Mapping[tuple[int, int], Refined]
) -> Block:
    log_success, path_s, longest_s, window_s = _circuits(jobs, factors, refinements)
    run_s = (jobs.shots * jobs.circuits)[:, None] * (path_s + factors.reset_s) + factors.overhead_s
    success = np.exp(log_success)
    _discount(success, run_s, factors.recalibrates_in_s, factors, RECALIBRATION_HAZARD)
    finish_s = run_s + factors.wait_s
    wait = np.exp(finish_s * (-1 / jobs.tau_s)[:, None])
    _discount(wait, run_s, factors.closes_in_s, factors, 1.0)
    coherence = np.maximum(1 - longest_s / window_s, 0, dtype=np.float32)
    cost, thrift = _prices(jobs, fleet, run_s)

    reasons = factors.masks[jobs.selection]
    _mark(reasons, jobs.qubits[:, None] > factors.qubits, Reason.QUBITS)
    _mark(reasons, longest_s > window_s, Reason.COHERENCE)
    if jobs.min_fidelity.any():
        _mark(reasons, success < jobs.min_fidelity[:, None], Reason.MIN_FIDELITY)
    if _limits(jobs.max_cost):
        # A price in another currency says nothing about the limit; that is a reason of its own.
        over = (cost > jobs.max_cost[:, None] * (1 + 1e-12)) & (reasons & Reason.CURRENCY == 0)
        _mark(reasons, over, Reason.MAX_COST)
    if _limits(jobs.remaining_s):
        _mark(reasons, finish_s > jobs.remaining_s[:, None], Reason.COMPLETE_BY)
    if _limits(jobs.max_queue_s):
        _mark(reasons, factors.wait_s > jobs.max_queue_s[:, None], Reason.MAX_QUEUE_TIME)
    if _limits(jobs.max_age_s):
        _mark(reasons, factors.start_age_s > jobs.max_age_s[:, None], Reason.CALIBRATION_AGE)

    weights = jobs.weights[:, :, None]
    score = weights[:, 0] * success
    score += weights[:, 1] * wait
    score += weights[:, 2] * coherence
    score += weights[:, 3] * thrift
    np.minimum(score, 1, out=score)
    score *= reasons == 0
    window_s = np.broadcast_to(window_s, score.shape)
    return Block(
        log_success, success, run_s, longest_s, window_s, cost, wait, coherence, thrift, reasons, score
    )


def _circuits(
    jobs: JobColumns, factors: Coefficients, refinements: Mapping[tuple[int, int], Refined]
) -> tuple[Singles, Singles, Singles, Singles]:
    """Log success, mean path, longest path and coherence window, refined where stage 2 has been."""
    detour = factors.detour.take(np.minimum(jobs.qubits, len(factors.detour) - 1), axis=0)
    log_success = jobs.gates @ factors.gates + detour * (jobs.routed @ factors.routed)
    path_s = _path_s(jobs.path, factors, detour)
    longest_s = _path_s(jobs.longest, factors, detour)
    window_s = factors.window_s
    if refinements:
        window_s = np.tile(window_s, (len(jobs), 1))
    for (row, column), refined in refinements.items():
        log_success[row, column] = refined.log_success * factors.drift[column]
        path_s[row, column] = refined.path_s
        longest_s[row, column] = refined.longest_s
        window_s[row, column] = COHERENCE_THETA * refined.t2_s
    return log_success, path_s, longest_s, window_s


def _path_s(path: Singles, factors: Coefficients, detour: Singles) -> Singles:
    seconds: Singles = path[:, :3] @ factors.path_s + detour * (path[:, 3:] * factors.routed_path_s)
    return seconds


def _discount(
    utility: Singles, run_s: Singles, ends_in_s: Singles, factors: Coefficients, loss: float
) -> None:
    """Multiply, in place, by 1 - loss x P(the job ends after ``ends_in_s``).

    The wait is log-logistic through its P50 and P90, cut off where being late is next to impossible.
    """
    pressed = ends_in_s - run_s.max(axis=0, initial=0) < factors.slack_s
    columns = np.flatnonzero(pressed & np.isfinite(ends_in_s))
    if not columns.size:
        return
    spare_s = np.maximum(ends_in_s[columns] - run_s[:, columns], 0)
    late = 1 / (1 + (spare_s / np.maximum(factors.wait_s[columns], 1e-3)) ** factors.steepness[columns])
    late *= spare_s < factors.slack_s[columns]
    utility[:, columns] *= 1 - np.float32(loss) * late


def _prices(jobs: JobColumns, fleet: Fleet, run_s: Singles) -> tuple[Floats, Singles]:
    """Cost and cost utility; a backend without a price is free.

    quantise(max(minimum, a + shots (b + c1 n1 + c2 n2 + cm nm) + d seconds)), summed over the circuits.
    """
    cost, thrift = np.zeros(run_s.shape), np.ones(run_s.shape, dtype=np.float32)
    priced = np.flatnonzero(fleet.currency >= 0)
    if not priced.size:
        return cost, thrift
    per_gate = np.array([fleet.per_gate1, fleet.per_gate2, fleet.per_measurement])[:, priced]
    shot_price = fleet.per_shot[priced] + jobs.gates[:, :3].astype(np.float64) @ per_gate
    circuits, shots = jobs.circuits.astype(np.float64)[:, None], jobs.shots.astype(np.float64)[:, None]
    price = (
        circuits * (fleet.per_task[priced] + shots * shot_price) + fleet.per_second[priced] * run_s[:, priced]
    )
    price = np.maximum(price, fleet.minimum[priced])
    quantum = fleet.quantum[priced]
    steps = np.ceil(price / np.where(quantum > 0, quantum, 1) * (1 - 1e-9))
    cost[:, priced] = price = np.where(quantum > 0, steps * quantum, price)
    thrift[:, priced] = np.exp((price * (-1 / jobs.cost_scale)[:, None]).astype(np.float32))
    return cost, thrift


def _limits(values: Singles | Floats) -> bool:
    """Whether any job has this limit."""
    return bool(np.isfinite(values).any())


def _mark(reasons: Masks, holds: NDArray[np.bool_], reason: Reason) -> None:
    reasons |= holds * np.uint16(reason)
