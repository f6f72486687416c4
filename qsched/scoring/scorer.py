"""The score of jobs on backends, block by block: features times coefficients, and what is not linear.

``Scorer._utilities`` is the only code that makes the numbers of a score. Figures that are linear in a job's
profile are products of matrices. How far routing has to go depends on the number of qubits, so jobs are
multiplied in tiles of one size, each with coefficients of its own.

All tiles have one shape (the last of a size is filled up), so that a job's numbers are the same bits whether
it is scored alone, to be explained, or among a million: the linear algebra library may sum in another order
for another shape, but not for another row. The arrays of a block are used again by the next.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.scoring.blocks import BLOCK_TYPES, Block, Part, buffers, refined_at
from qsched.scoring.coefficients import COHERENCE_THETA, SHORT, coefficients, overrun
from qsched.scoring.features import features, needs_of
from qsched.scoring.limits import LOG_WEIGHT, SCALE, limits_of
from qsched.scoring.prices import cost
from qsched.scoring.reasons import Reason
from qsched.scoring.tiles import LARGEST, TILE, multiply, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.blocks import Buffers, Refined
    from qsched.scoring.jobs import JobColumns
    from qsched.scoring.tiles import Tiles

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Masks = NDArray[np.uint32]
    Rows = NDArray[np.intp] | slice

_PAIRS = 393_216
"""Pairs of a block. Smaller ones would fit a core's second-level cache, but then two threads would hand the
interpreter's lock to each other so often that they take longer than one."""

_MOST = 32_768
"""Jobs of a block, on a fleet of a few backends."""

NOT_SUNK = -1e15
"""A pair whose score is above this is feasible, whatever is taken from it and given to it."""

_SHUT = np.float32(1e30)
"""By how much a window is shut. Not infinity: nothing may be zero times infinity."""

_SINK = np.float32(1e38)
"""What a negative margin is multiplied by: even a tiny weight of it makes the pair infeasible."""

_CLOSE = np.float32(2e-5)  # a price within this share of its limit is computed exactly
_HAZARD = 4  # where the hazard of recalibration is among the features of the log success
_WHOLE = 0  # where the whole window is among those of the margin


class Scorer:
    """Jobs and a fleet, ready to be scored block by block; safe to use from several threads.

    Attributes:
        run_s: (U, 6, B) coefficients of the seconds on the device, for each of the jobs' sizes.
    """

    def __init__(self, jobs: JobColumns, fleet: Fleet) -> None:
        """Compute what the fleet brings to every score.

        Args:
            jobs: J jobs whose times count from the fleet's ``now``.
            fleet: B backends.
        """
        self._jobs, self._fleet = jobs, fleet
        sizes = np.flatnonzero(np.bincount(np.minimum(jobs.layout, LARGEST), minlength=1))
        self._factors = factors = coefficients(fleet, jobs.selections, sizes)
        self._table_of = np.cumsum(np.bincount(sizes)) - 1
        detour, self._success = factors.detour, factors.success
        figures = (factors.run_s, factors.wait, factors.margin, factors.thrift)
        self.run_s, self._wait, self._margin, self._thrift = (figure.at(detour) for figure in figures)
        self._ends = factors.ends.at(detour)
        self._refusal = np.where(factors.masks != 0, -_SHUT, _SHUT)
        # Where no job of a size may run, the coherence window is shut: so nobody has to look at each pair.
        too_wide = sizes[:, None] // 2 > factors.qubits
        shut = too_wide | factors.masks[jobs.usual : jobs.usual + 1].any(axis=0)
        self._open, self._open_to_most = self._margin.copy(), self._margin.copy()
        self._open[:, _WHOLE] -= too_wide * _SHUT
        self._open_to_most[:, _WHOLE] -= shut * _SHUT
        longest = self.run_s[:, :, factors.closing] / (factors.closes.in_s * SHORT)
        self._longest = longest.max(axis=2, initial=0, keepdims=True)
        few = -(-len(jobs) // TILE) * TILE * TILE  # if each has a size of its own
        self._most = max(min(_PAIRS // max(1, len(fleet)) // TILE * TILE, _MOST, few), TILE)
        self._memory: deque[Buffers] = deque()

    def blocks(self) -> Iterator[slice]:
        """The rows of each block, in order."""
        for start in range(0, len(self._jobs), self._most):
            yield slice(start, min(start + self._most, len(self._jobs)))

    def offers(self, rows: slice) -> tuple[Singles, Singles]:
        """What placement needs of some jobs.

        Args:
            rows: Some of the jobs, best one of ``blocks()``.

        Returns:
            (R, B) scores, minus infinity where the job may not run, and (R, B) seconds on the device.
        """
        shape = (rows.stop - rows.start, len(self._fleet))
        scores, run_s = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        for several in tiles(self._jobs, rows):
            for part in self.scored(several):
                _sink(part.buffers.score, part.buffers.spare)
                scores[part.rows - rows.start] = part.buffers.score
                run_s[part.rows - rows.start] = part.buffers.run_s
        return scores, run_s

    def evaluate(self, refinements: Mapping[tuple[int, int], Refined]) -> Block:
        """Everything about all jobs.

        Args:
            refinements: Stage 2 figures by (row of the job, column).
        """
        shape = (len(self._jobs), len(self._fleet))
        columns: dict[str, NDArray[Any]] = {
            name: np.empty(shape, dtype) for name, dtype in BLOCK_TYPES.items()
        }
        for rows in self.blocks():
            for several in tiles(self._jobs, rows):
                for part in self._parts(several):
                    explained = self._explained(part, refined_at(part.rows, refinements))
                    for name, column in columns.items():
                        column[part.rows] = getattr(explained, name)
        return Block(**columns)

    def _explained(self, part: Part, refinements: Mapping[tuple[int, int], Refined]) -> Block:
        """Everything about one block, in the order of its places."""
        run_s, jobs = part.buffers.run_s, self._jobs.take(part.rows)
        part = part._replace(limits=limits_of(self._jobs, part.rows, part.given))
        fidelity, wait, thrift, margin = (
            each.copy() for each in self._utilities(part, self._margin, refinements)
        )
        reasons = self._reasons(part, refinements, thrift=thrift, margin=margin)
        score = fidelity + wait
        score += thrift
        score += np.maximum(margin, 0)
        score *= reasons == 0
        # The utilities themselves: the same code with weights of 1.
        plain = part._replace(given=features(self._jobs, part.rows, weighted=False))
        success, wait, thrift, margin = (
            each.copy() for each in self._utilities(plain, self._margin, refinements)
        )
        log_success, longest_s, window_s = self._circuits(jobs, plain, refinements)
        return Block(
            log_success=log_success,
            success=success,
            run_s=run_s,
            critical_path_s=longest_s,
            window_s=window_s,
            cost=cost(needs_of(self._jobs, part.rows), slice(None), self._fleet, run_s),
            wait=wait,
            coherence=np.maximum(margin, 0),
            thrift=thrift,
            reasons=reasons,
            score=score,
        )

    def _reasons(
        self,
        part: Part,
        refinements: Mapping[tuple[int, int], Refined],
        *,
        thrift: Singles,
        margin: Singles,
    ) -> Masks:
        """(R, B) every reason why a job of a block may not run, from its weighted utilities."""
        factors, jobs = self._factors, self._jobs
        reasons = factors.masks[jobs.selection[part.rows]]
        reasons |= (jobs.qubits[part.rows, None] > factors.qubits) * np.uint32(Reason.QUBITS)
        reasons |= (margin < 0) * np.uint32(Reason.COHERENCE)
        for reason, slack in self._slacks(part, refinements):
            reasons |= (slack < 0) * np.uint32(reason)
        if dear := self._too_dear(part, thrift):
            rows, holds = dear
            reasons[rows] |= holds * np.uint32(Reason.MAX_COST)
        return reasons

    def _parts(self, several: Tiles) -> Iterator[Part]:
        """One block after the other; all use the same buffers."""
        tables = self._table_of[several.sizes]
        memory = self._memory.pop() if self._memory else buffers(self._most * len(self._fleet))
        for start in range(0, len(several.rows), self._most):
            part = slice(start, min(start + self._most, len(several.rows)))
            yield Part(
                rows=several.rows[part],
                real=several.real[part],
                tables=tables[part.start // TILE : part.stop // TILE],
                given=several.given.at(part),
                limits=several.limits and several.limits.at(part),
                buffers=memory.shaped(part.stop - part.start, len(self._fleet)),
            )
        self._memory.append(memory)

    def scored(self, several: Tiles) -> Iterator[Part]:
        """The scores of one block after the other.

        Args:
            several: Some of the jobs.

        Yields:
            A block. Its buffers have the scores, far below 0 where a job may not run, and the seconds on the
            device; they may be changed, and not kept.
        """
        for part in self._parts(several):
            score, spare = part.buffers.score, part.buffers.spare
            utilities = self._utilities(part, self._open if part.limits else self._open_to_most, {})
            next(utilities)  # is the score already
            score += next(utilities)
            thrift = next(utilities)
            score += thrift
            dear = self._too_dear(part, thrift) if part.limits else None
            margin = next(utilities)
            if part.limits:
                for _, slack in self._slacks(part, {}):
                    np.minimum(margin, slack, out=margin)
                selection = self._jobs.selection.take(part.rows)
                np.minimum(margin, self._refusal.take(selection, axis=0, out=spare, mode="clip"), out=margin)
            if dear:
                rows, holds = dear
                margin[rows] -= np.multiply(holds.view(np.uint8), _SHUT, dtype=np.float32)
            score += _sink(margin, spare)
            yield part

    def _utilities(
        self, part: Part, window: Singles, refinements: Mapping[tuple[int, int], Refined]
    ) -> Iterator[Singles]:
        """The weighted utilities of a block: fidelity, wait, cost and margin, one after the other.

        The utility of coherence is the margin where that is not negative; elsewhere the pair is infeasible.

        Args:
            part: The block; ``run_s`` is in its buffers from the first utility on, and a utility until the
                next. The first one is in ``score``.
            window: Coefficients of the margin.
            refinements: Stage 2 figures by (place, column).
        """
        factors, given, tables = self._factors, part.given, part.tables
        buffers, spare, term = part.buffers, part.buffers.spare, part.buffers.term
        run_s = multiply(given.run_s, self.run_s, tables, buffers.run_s)
        longer_s: dict[tuple[int, int], np.float32] = {}
        for (row, column), refined in refinements.items():
            shot_s = np.float32(refined.path_s) + factors.reset_s[column]
            shots, growth = given.run_s[row, :2]
            refined_s = (shots * shot_s + growth * factors.overhead_s[column]) * factors.run_factor[column]
            longer_s[row, column] = refined_s - run_s[row, column]
            run_s[row, column] = refined_s

        score = multiply(given.success, self._success, tables, buffers.score)
        for (row, column), refined in refinements.items():
            log_success = refined.log_success * factors.drift[column] + factors.log_hazard[column]
            score[row, column] = log_success + given.log_weights[row, 0]
        yield np.exp(score, out=score)

        multiply(given.wait, self._wait, tables, term)
        for (row, column), extra_s in longer_s.items():
            term[row, column] += extra_s * given.wait_scale[row]
        np.exp(term, out=term)
        self._close(part, refinements)
        yield term

        multiply(given.thrift, self._thrift, tables, term)
        for (row, column), extra_s in longer_s.items():
            term[row, column] += self._fleet.per_second[column] * extra_s * given.cost_scale[row]
        if factors.has_least:
            np.minimum(term, multiply(given.least, factors.least, None, spare), out=term)
        yield np.exp(term, out=term)

        multiply(given.margin, window, tables, term)
        for (row, column), refined in refinements.items():
            share = refined.longest_s / (COHERENCE_THETA * refined.t2_s)
            term[row, column] = (1 - share) * given.weights[row, 2]
        yield term

    def _slacks(
        self, part: Part, refinements: Mapping[tuple[int, int], Refined]
    ) -> Iterator[tuple[Reason, Singles]]:
        """What is left of each limit that a job of a block has, negative where it does not hold.

        Args:
            part: The block; ``run_s`` is in its buffers.
            refinements: Stage 2 figures by (place, column).
        """
        factors, limits, spare, run_s = self._factors, part.limits, part.buffers.spare, part.buffers.run_s
        assert limits
        if limits.queue is not None:
            yield Reason.MAX_QUEUE_TIME, multiply(limits.queue, factors.queue, None, spare)
        if limits.age is not None:
            yield Reason.CALIBRATION_AGE, multiply(limits.age, factors.age, None, spare)
        if limits.ends is not None:
            multiply(limits.ends, self._ends, part.tables, spare)
            for row, column in refinements:
                ends_s = factors.wait_s[column] + run_s[row, column]
                spare[row, column] = limits.ends[row, 0] - ends_s * SCALE
            yield Reason.COMPLETE_BY, spare
        if limits.fidelity is not None:
            multiply(limits.fidelity, self._success, part.tables, spare)
            for (row, column), refined in refinements.items():
                log_success = refined.log_success * factors.drift[column] + factors.log_hazard[column]
                spare[row, column] = log_success * SCALE + limits.fidelity[row, LOG_WEIGHT]
            yield Reason.MIN_FIDELITY, spare

    def _too_dear(self, part: Part, thrift: Singles) -> tuple[Rows, Bools] | None:
        """Which pairs of which jobs cost more than a limit: in single precision where that is enough.

        Args:
            part: The block; ``run_s`` is in its buffers.
            thrift: (R, B) its weighted cost utilities.
        """
        jobs, factors, given = self._jobs, self._factors, part.given
        rows = np.flatnonzero(jobs.max_cost.take(part.rows) < np.inf)
        if not rows.size:
            return None
        needs = needs_of(jobs, part.rows[rows])
        # The cost scale of these jobs is their limit, so a price at the limit is worth 1 / e.
        worth = thrift.take(rows, axis=0) / given.weights[rows, 3:]
        over = worth < np.exp(-1 - _CLOSE)
        with np.errstate(over="ignore"):
            perhaps = worth < np.exp(_CLOSE - 1 - factors.quantum * given.cost_scale[rows, None])
        if (unsure := np.flatnonzero((perhaps > over).any(axis=1))).size:
            price = cost(needs, unsure, self._fleet, part.buffers.run_s[rows[unsure]])
            over[unsure] = price > needs.max_cost[unsure, None] * (1 + 1e-12)
        # A price in another currency says nothing about the limit; that is a reason of its own.
        over &= factors.comparable[needs.selection]
        return rows, over

    def _close(self, part: Part, refinements: Mapping[tuple[int, int], Refined]) -> None:
        """Take from the wait utility, in place, what jobs lose that may not end before the backend closes."""
        factors, wait, run_s = self._factors, part.buffers.term, part.buffers.run_s
        if not factors.closing.size:
            return
        # Nearly all jobs are so short that no backend closes too early; the others are looked at exactly.
        share = np.empty((len(wait), 1), dtype=np.float32)
        long = multiply(part.given.run_s, self._longest, part.tables, share)[:, 0] > 0.99
        long[[row for row, _ in refinements]] = True
        if not (rows := np.flatnonzero(long)).size:
            return
        cells = rows[:, None] * wait.shape[1] + factors.closing
        spent_s = run_s.reshape(-1).take(cells)
        some, columns = np.nonzero(spent_s >= factors.closes.in_s * SHORT)
        wait.reshape(-1)[cells[some, columns]] *= overrun(factors.closes, columns, spent_s[some, columns])

    def _circuits(
        self, jobs: JobColumns, plain: Part, refinements: Mapping[tuple[int, int], Refined]
    ) -> tuple[Singles, Singles, Singles]:
        """Log success before the hazard, longest path and coherence window, which people want to see."""
        factors = self._factors
        steady = plain.given.success.copy()
        steady[:, _HAZARD] = 0
        log_success = np.empty_like(plain.buffers.term)
        multiply(steady, self._success, plain.tables, log_success)
        detour = factors.detour[self._table_of[np.minimum(jobs.layout, LARGEST)]]
        longest_s = detour * (jobs.longest[:, 3:] * factors.path_s[3])
        for kind in range(3):
            longest_s += jobs.longest[:, kind, None] * factors.path_s[kind]
        window_s = np.tile(factors.window_s, (len(jobs), 1))
        for (row, column), refined in refinements.items():
            log_success[row, column] = refined.log_success * factors.drift[column]
            longest_s[row, column] = refined.longest_s
            window_s[row, column] = COHERENCE_THETA * refined.t2_s
        return log_success, longest_s, window_s


def _sink(values: Singles, spare: Singles) -> Singles:
    """Make what is negative very much so, in place; minus infinity if it was so already."""
    with np.errstate(over="ignore"):
        np.multiply(values, _SINK, out=spare)
    return np.minimum(values, spare, out=values)
