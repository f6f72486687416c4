"""The score of jobs on backends, block by block: features times coefficients, and what is not linear.

``Scorer._utilities`` is the only code that makes the numbers of a score. Figures that are linear in a job's
profile are products of matrices. How far routing has to go depends on the number of qubits, so jobs are
multiplied in tiles of one size, each with coefficients of its own.

All tiles have one shape (the last of a size is filled up), so that a job's numbers are the same bits whether
it is scored alone, to be explained, or among a million: the linear algebra library may sum in another order
for another shape, but not for another row. The arrays of a block stay in a core's second-level cache, and
the next block uses them again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.scoring.blocks import BLOCK_TYPES, Block, Buffers, Part
from qsched.scoring.coefficients import COHERENCE_THETA, SHORT, Coefficients, coefficients, overrun
from qsched.scoring.features import features
from qsched.scoring.prices import cost
from qsched.scoring.reasons import Reason
from qsched.scoring.tiles import TILE, Tiles, tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.blocks import Refined, Refinements
    from qsched.scoring.features import Features, Needs
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Masks = NDArray[np.uint16]
    Rows = NDArray[np.intp] | slice
    Mark = Callable[[Reason, Rows, Bools], None]

_PAIRS = 262_144
"""Pairs of a block: its arrays nearly fit a core's second-level cache, and two threads hand the interpreter's
lock to each other so seldom that they gain more by it than they lose (half of the time of 65,536 pairs)."""

_BLOCKS = 100

_REFUSED = np.float32(-1e30)
"""What the score of an infeasible pair is lowered by."""

_CLOSE = np.float32(2e-5)  # a price within this share of its limit is computed exactly
_HAZARD = 6  # where the hazard of recalibration is among the features of the log success


class Scorer:
    """Jobs and a fleet, ready to be scored block by block; safe to use from several threads."""

    def __init__(self, jobs: JobColumns, fleet: Fleet) -> None:
        """Compute what the fleet brings to every score.

        Args:
            jobs: J jobs whose times count from the fleet's ``now``.
            fleet: B backends.
        """
        self._jobs, self._fleet = jobs, fleet
        self._factors = factors = coefficients(fleet, jobs.selections)
        self._largest = len(factors.detour) - 1
        present = np.bincount(np.minimum(jobs.qubits, self._largest), minlength=self._largest + 1) > 0
        self._table_of = np.cumsum(present) - 1
        detour = factors.detour[present]
        figures = (factors.run_s, factors.success, factors.wait, factors.margin, factors.thrift)
        self._run_s, self._success, self._wait, self._margin, self._thrift = (
            figure.at(detour) for figure in figures
        )
        self._rows = _block_rows(len(fleet), len(jobs))
        self._buffers: deque[Buffers] = deque()

    def blocks(self, together: int = 1) -> Iterator[slice]:
        """The rows of each block, in order.

        Args:
            together: How many blocks make one slice.
        """
        step = self._rows * together
        for start in range(0, len(self._jobs), step):
            yield slice(start, min(start + step, len(self._jobs)))

    def offers(self, rows: slice) -> tuple[Singles, Singles]:
        """What placement needs of some jobs.

        Args:
            rows: One of ``blocks()``.

        Returns:
            (R, B) scores, minus infinity where the job may not run, and (R, B) seconds on the device.
        """
        shape = (rows.stop - rows.start, len(self._fleet))
        scores, run_s = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        for part in self._scored(tiles(self._jobs, rows)):
            with np.errstate(over="ignore"):
                part.buffers.spare *= -_REFUSED  # 0, or minus infinity
            part.buffers.score += part.buffers.spare
            scores[part.rows - rows.start] = part.buffers.score
            run_s[part.rows - rows.start] = part.buffers.run_s
        return scores, run_s

    def scores(self, prepared: Tiles) -> Iterator[tuple[NDArray[np.intp], Singles]]:
        """(S, B) scores of one block after the other, far below 0 where the job may not run.

        Args:
            prepared: Some of the jobs.

        Yields:
            (S,) rows, of which some come twice, and their scores, which the caller may change and not keep.
        """
        for part in self._scored(prepared):
            yield part.rows, part.buffers.score

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
            for part in self._parts(tiles(self._jobs, rows)):
                explained = self._explained(part, _places(part, refinements))
                for name, column in columns.items():
                    column[part.rows] = getattr(explained, name)
        return Block(**columns)

    def _explained(self, part: Part, refinements: Mapping[tuple[int, int], Refined]) -> Block:
        """Everything about one block, in the order of its places."""
        factors, needs, buffers = self._factors, part.given.needs, part.buffers
        reasons = factors.masks[needs.selection]

        def mark(reason: Reason, rows: Rows, holds: Bools) -> None:
            reasons[rows] |= holds * np.uint16(reason)

        for unfit in self._unfit(needs):
            mark(*unfit)
        utilities = self._utilities(part, mark, refinements)
        score = next(utilities).copy()
        for utility in utilities:
            score += utility
        score *= reasons == 0
        jobs = self._jobs.take(part.rows)
        # The utilities themselves: the same code with weights of 1.
        plain = part._replace(given=features(jobs, weighted=False))
        success, wait, coherence, thrift = (
            each.copy() for each in self._utilities(plain, _ignore, refinements)
        )
        log_success, longest_s, window_s = self._circuits(jobs, plain, refinements)
        return Block(
            log_success=log_success,
            success=success,
            run_s=buffers.run_s,
            critical_path_s=longest_s,
            window_s=window_s,
            cost=cost(needs, slice(None), self._fleet, buffers.run_s),
            wait=wait,
            coherence=coherence,
            thrift=thrift,
            reasons=reasons,
            score=score,
        )

    def _parts(self, prepared: Tiles) -> Iterator[Part]:
        """One block of a task after the other; all use the same buffers."""
        places = len(prepared.rows)
        tables = self._table_of[np.minimum(prepared.sizes, self._largest)]
        try:
            buffers = self._buffers.pop()
        except IndexError:
            buffers = Buffers((min(self._rows, -(-len(self._jobs) // TILE) * TILE * TILE), len(self._fleet)))
        for start in range(0, places, len(buffers.spare)):
            part = slice(start, min(start + len(buffers.spare), places))
            given = prepared.given.rows(part)
            yield Part(
                rows=prepared.rows[part],
                tables=tables[part.start // TILE : part.stop // TILE],
                given=given,
                refused=self._excluded(given.needs),
                buffers=buffers.first(part.stop - part.start),
            )
        self._buffers.append(buffers)

    def _scored(self, prepared: Tiles) -> Iterator[Part]:
        """Leave the scores and running times of one block after the other in its buffers."""
        for part in self._parts(prepared):
            refused, spare = part.refused, part.buffers.spare

            def mark(_: Reason, rows: Rows, holds: Bools, refused: Bools = refused) -> None:
                refused[rows] |= holds

            utilities = self._utilities(part, mark, {})
            score = next(utilities)
            for utility in utilities:
                score += utility
            np.copyto(spare, refused.view(np.uint8), casting="unsafe")
            spare *= _REFUSED  # choosing by a mask would be ten times slower
            score += spare
            yield part

    def _utilities(
        self, part: Part, mark: Mark, refinements: Mapping[tuple[int, int], Refined]
    ) -> Iterator[Singles]:
        """The weighted utilities of a block: fidelity, wait, coherence and cost, one after the other.

        Args:
            part: The block; ``run_s`` is in its buffers from the first utility on, and a utility until the
                next.
            mark: Is told which pairs of which jobs are infeasible, and why.
            refinements: Stage 2 figures by (place, column).
        """
        factors, given, tables, needs = self._factors, part.given, part.tables, part.given.needs
        buffers, spare, term = part.buffers, part.buffers.spare, part.buffers.term
        run_s = _multiply(given.run_s, self._run_s, tables, buffers.run_s)
        longer_s: dict[tuple[int, int], np.float32] = {}
        for (row, column), refined in refinements.items():
            shot_s = np.float32(refined.path_s) + factors.reset_s[column]
            shots, growth = given.run_s[row, 3:5]
            refined_s = shots * shot_s + growth * factors.overhead_s[column]
            longer_s[row, column] = refined_s - run_s[row, column]
            run_s[row, column] = refined_s
        if (rows := (needs.remaining_s < np.inf).nonzero()[0]).size:
            late = run_s.take(rows, axis=0) + factors.wait_s > needs.remaining_s[rows, None]
            mark(Reason.COMPLETE_BY, rows, late)

        _multiply(given.success, self._success, tables, term)
        for (row, column), refined in refinements.items():
            log_success = refined.log_success * factors.drift[column] + factors.log_hazard[column]
            term[row, column] = log_success + given.log_weights[row, 0]
        if (rows := needs.min_fidelity.nonzero()[0]).size:
            least = np.log(needs.min_fidelity[rows]) + given.log_weights[rows, 0]
            mark(Reason.MIN_FIDELITY, rows, term.take(rows, axis=0) < least[:, None])
        yield np.exp(term, out=buffers.score)

        _multiply(given.wait, self._wait, tables, term)
        for (row, column), extra_s in longer_s.items():
            term[row, column] += extra_s * given.wait_scale[row]
        np.exp(term, out=term)
        _close(term, run_s, factors)
        yield term

        _multiply(given.margin, self._margin, tables, term)
        for (row, column), refined in refinements.items():
            share = refined.longest_s / (COHERENCE_THETA * refined.t2_s)
            term[row, column] = (1 - share) * given.weights[row, 2]
        mark(Reason.COHERENCE, slice(None), np.less(term, buffers.zeros, out=buffers.flags))
        yield np.maximum(term, buffers.zeros, out=term)

        _multiply(given.thrift, self._thrift, tables, term)
        for (row, column), extra_s in longer_s.items():
            term[row, column] += self._fleet.per_second[column] * extra_s * given.cost_scale[row]
        if factors.has_least:
            np.minimum(term, _multiply(given.least, factors.least, None, spare), out=term)
        if (rows := (needs.max_cost < np.inf).nonzero()[0]).size:
            self._mark_costs(given, rows, term, run_s, mark)
        yield np.exp(term, out=term)

    def _mark_costs(
        self, given: Features, rows: NDArray[np.intp], thrift: Singles, run_s: Singles, mark: Mark
    ) -> None:
        """Tell which of ``rows`` cost more than their limit: in single precision where that is enough."""
        needs, factors = given.needs, self._factors
        # The cost scale of these jobs is their limit, so this is minus the price's share of it.
        share = thrift.take(rows, axis=0) - given.log_weights[rows, 3:]
        over = share < -1 - _CLOSE
        perhaps = share < _CLOSE - 1 - factors.quantum * given.cost_scale[rows, None]
        if (unsure := np.flatnonzero((perhaps > over).any(axis=1))).size:
            exact = rows[unsure]
            price = cost(needs, exact, self._fleet, run_s[exact])
            over[unsure] = price > needs.max_cost[exact, None] * (1 + 1e-12)
        # A price in another currency says nothing about the limit; that is a reason of its own.
        over &= factors.comparable[needs.selection[rows]]
        mark(Reason.MAX_COST, rows, over)

    def _excluded(self, needs: Needs) -> Bools:
        """(R, B) whether a job's requirements exclude a backend, without any estimate."""
        factors = self._factors
        excluded = factors.excluded.take(needs.selection, axis=0, mode="clip")
        for _, rows, holds in self._unfit(needs):
            excluded[rows] |= holds
        return excluded

    def _unfit(self, needs: Needs) -> Iterator[tuple[Reason, Rows, Bools]]:
        """Which pairs of which jobs are infeasible whatever the estimate is; most jobs have few limits."""
        factors, sizes = self._factors, len(self._factors.too_wide)
        yield Reason.QUBITS, slice(None), factors.too_wide.take(needs.qubits, axis=0, mode="clip")
        if (rows := np.flatnonzero(needs.qubits >= sizes)).size:
            yield Reason.QUBITS, rows, needs.qubits[rows, None] > factors.qubits
        if (rows := np.flatnonzero(needs.max_queue_s < np.inf)).size:
            yield Reason.MAX_QUEUE_TIME, rows, factors.wait_s > needs.max_queue_s[rows, None]
        if (rows := np.flatnonzero(needs.max_age_s < np.inf)).size:
            yield Reason.CALIBRATION_AGE, rows, factors.start_age_s > needs.max_age_s[rows, None]

    def _circuits(
        self, jobs: JobColumns, plain: Part, refinements: Mapping[tuple[int, int], Refined]
    ) -> tuple[Singles, Singles, Singles]:
        """Log success before the hazard, longest path and coherence window, which people want to see."""
        factors = self._factors
        steady = plain.given.success.copy()
        steady[:, _HAZARD] = 0
        log_success = np.empty_like(plain.buffers.term)
        _multiply(steady, self._success, plain.tables, log_success)
        detour = factors.detour[np.minimum(jobs.qubits, self._largest)]
        longest_s = detour * (jobs.longest[:, 3:] * factors.path_s[3])
        for kind in range(3):
            longest_s += jobs.longest[:, kind, None] * factors.path_s[kind]
        window_s = np.tile(factors.window_s, (len(jobs), 1))
        for (row, column), refined in refinements.items():
            log_success[row, column] = refined.log_success * factors.drift[column]
            longest_s[row, column] = refined.longest_s
            window_s[row, column] = COHERENCE_THETA * refined.t2_s
        return log_success, longest_s, window_s


def _block_rows(backends: int, jobs: int) -> int:
    """Rows of a block: whole tiles, not more than a fleet of a few backends has use for.

    A queue is cut into at least ``_BLOCKS`` blocks, between which placement corrects its prices.
    """
    most = min(4096, max(1024, jobs // _BLOCKS))
    return max(min(_PAIRS // max(1, backends), most) // TILE, 1) * TILE


def _places(part: Part, refinements: Mapping[tuple[int, int], Refined]) -> Refinements:
    """The refinements of a block, by the place in it."""
    if not refinements:
        return {}
    places: dict[int, list[int]] = {}
    for place, row in enumerate(part.rows.tolist()):
        places.setdefault(row, []).append(place)
    return {
        (place, column): refined
        for (row, column), refined in refinements.items()
        for place in places.get(row, [])
    }


def _multiply(
    given: Singles, coefficients: Singles, tables: NDArray[np.intp] | None, out: Singles
) -> Singles:
    """The features of each tile times the coefficients of its size, or times those that all share."""
    places, backends = out.shape
    chosen = coefficients if tables is None else coefficients[tables]
    np.matmul(
        given.reshape(places // TILE, TILE, given.shape[1]),
        chosen,
        out=out.reshape(places // TILE, TILE, backends),
    )
    return out


def _close(wait: Singles, run_s: Singles, factors: Coefficients) -> None:
    """Take from the wait utility, in place, what jobs lose that may not end before the backend closes."""
    closes = factors.closes
    if not factors.closing.size:
        return
    run_s = run_s.take(factors.closing, axis=1)
    long = (run_s >= closes.in_s * SHORT).reshape(-1).nonzero()[0]
    if long.size:
        rows, columns = np.divmod(long, len(factors.closing))
        cells = rows * wait.shape[1] + factors.closing[columns]
        wait.reshape(-1)[cells] *= overrun(closes, columns, run_s.reshape(-1)[long])


def _ignore(_reason: Reason, _rows: Rows, _holds: Bools) -> None:
    """Decisions are made once, from the weighted utilities."""
