"""What the scorer thought, for people: verdicts and placements with the scorer's own numbers."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.api.job import Breakdown, Estimate, Money, Placement, Verdict
from qsched.scoring.estimate import Estimates, estimate
from qsched.scoring.jobs import JobColumns, JobRecord, build_jobs
from qsched.scoring.reasons import UNESTIMATED, Case, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from qsched.api.backend import Pricing
    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.blocks import Refined

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]

_RUNNERS_UP = 3
_LEAST, _MOST = 1e-12, 1e15  # beyond these, powers of ten are not exact


def explain(job: JobRecord, fleet: Fleet, refinements: Mapping[str, Refined] | None = None) -> list[Verdict]:
    """One job's verdict on every backend.

    Args:
        job: The job.
        fleet: The backends.
        refinements: Stage 2 figures by the backend's name.

    Returns:
        The verdicts: feasible ones first, by score; then the others, those with fewest reasons first.
    """
    jobs = build_jobs([job], fleet.now)
    by_column = {(0, fleet.index(name)): refined for name, refined in (refinements or {}).items()}
    estimates = estimate(jobs, fleet, by_column)
    pairs = [Pair(job, 0, column, (0, column) in by_column) for column in range(len(fleet))]
    verdicts = verdicts_of(pairs, jobs, fleet, estimates)
    return sorted(verdicts, key=lambda each: (-each.score, len(each.reasons), each.backend))


class Pair(NamedTuple):
    """A job on a backend.

    Attributes:
        job: The job that is scored at ``row``.
        row: Its row.
        column: The backend's column.
        stage2: Whether the pair was refined.
    """

    job: JobRecord
    row: int
    column: int
    stage2: bool


class Choice(NamedTuple):
    """A job's place, and what would have come next.

    Attributes:
        job: The job that is scored at ``row``.
        row: Its row.
        column: The chosen backend's column.
        others: The columns that would come next, best first; the chosen one may be among them.
        refined: The columns that were refined for this job.
    """

    job: JobRecord
    row: int
    column: int
    others: Sequence[int]
    refined: frozenset[int] = frozenset()

    def pairs(self) -> list[Pair]:
        """The chosen backend, then the runners-up."""
        following = [other for other in self.others if other not in (-1, self.column)]
        columns = [self.column, *following[:_RUNNERS_UP]]
        return [Pair(self.job, self.row, column, column in self.refined) for column in columns]


def verdicts_of(pairs: Sequence[Pair], jobs: JobColumns, fleet: Fleet, estimates: Estimates) -> list[Verdict]:
    """Pairs of ``estimates`` in words.

    Args:
        pairs: Which.
        jobs: The jobs that were scored.
        fleet: The backends that they were scored on.
        estimates: The outcome.
    """
    rows = np.array([pair.row for pair in pairs], dtype=np.intp)
    columns = np.array([pair.column for pair in pairs], dtype=np.intp)
    figures = [
        decimals(figure[rows, columns]).tolist()
        for figure in (
            estimates.success,
            estimates.run_s,
            estimates.critical_path_s,
            estimates.window_s,
            estimates.wait,
            estimates.coherence,
            estimates.thrift,
            estimates.score,
        )
    ]
    reasons = estimates.reasons[rows, columns].tolist()
    costs = estimates.cost[rows, columns].tolist()
    return [
        _verdict(pair, _Figures(*each), jobs, fleet, estimates)
        for pair, *each in zip(pairs, reasons, costs, *figures, strict=True)
    ]


class _Figures(NamedTuple):
    """What ``Estimates`` has of a pair."""

    reasons: int
    cost: float
    success: float
    run_s: float
    critical_path_s: float
    window_s: float
    wait: float
    coherence: float
    thrift: float
    score: float


def _verdict(pair: Pair, figures: _Figures, jobs: JobColumns, fleet: Fleet, estimates: Estimates) -> Verdict:
    row, column = pair.row, pair.column
    backend, reasons = fleet.records[column], figures.reasons
    estimated = Estimate(
        success=figures.success,
        run_s=figures.run_s,
        run_factor=round(backend.run_factor, 6),
        wait_s=float(estimates.wait_s[column]),
        wait_p90_s=float(estimates.wait_p90_s[column]),
        cost=_money(figures.cost, backend.spec.pricing),
        critical_path_s=figures.critical_path_s,
        window_s=figures.window_s if math.isfinite(figures.window_s) else None,
        stage=2 if pair.stage2 else 1,
        provider_compiles=pair.job.spec.execution.transpile == "Provider",
    )
    said: list[str] = []
    if reasons:
        case = Case(
            spec=pair.job.spec,
            backend=backend,
            estimate=estimated,
            qubits_needed=int(jobs.qubits[row]),
            qubits_usable=int(fleet.qubits[column]),
            remaining_s=float(jobs.remaining_s[row]),
            start_age_s=float(estimates.start_age_s[column]),
        )
        said = words(reasons, case)
    if reasons & int(UNESTIMATED):
        return Verdict(
            backend=backend.name,
            feasible=False,
            score=figures.score,
            reasons=said,
            estimate=None,
            breakdown=None,
            calibration_id=backend.calibration_id,
        )
    breakdown = Breakdown(
        fidelity=figures.success,
        wait=figures.wait,
        coherence=figures.coherence,
        cost=figures.thrift,
        weights=pair.job.row.weights,
    )
    return Verdict(
        backend=backend.name,
        feasible=not reasons,
        score=figures.score,
        reasons=said,
        estimate=estimated,
        breakdown=breakdown,
        calibration_id=backend.calibration_id,
    )


def placements_of(
    choices: Sequence[Choice], jobs: JobColumns, fleet: Fleet, estimates: Estimates
) -> list[Placement]:
    """Choices that were made at the fleet's ``now``, why, and what would have come next.

    Args:
        choices: One for each job that got a place.
        jobs: The jobs that were scored.
        fleet: The backends that they were scored on.
        estimates: The outcome.

    Raises:
        ValueError: If a job may not run on the chosen backend.
    """
    pairs = [choice.pairs() for choice in choices]
    verdicts = iter(verdicts_of([pair for each in pairs for pair in each], jobs, fleet, estimates))
    return [_placement(list(itertools.islice(verdicts, len(each))), each[0].job, fleet) for each in pairs]


def _placement(verdicts: list[Verdict], job: JobRecord, fleet: Fleet) -> Placement:
    """The placement of a job, by the verdicts on the chosen backend and on those that come next."""
    chosen, *following = verdicts
    if chosen.estimate is None or chosen.breakdown is None or not chosen.feasible:
        raise ValueError(f"{job.name} may not run on {chosen.backend}: {'; '.join(chosen.reasons)}")
    return Placement(
        backend=chosen.backend,
        score=chosen.score,
        breakdown=chosen.breakdown,
        estimate=chosen.estimate,
        calibration_id=chosen.calibration_id,
        runners_up=following,
        placed_at=fleet.now,
    )


def decimals(values: Singles) -> Floats:
    """The shortest decimals that stand for figures in single precision, of any sign: 0.1 stays 0.1.

    Six to nine significant digits tell any two such figures apart; the fewest are taken that do.
    """
    exact = values.astype(np.float64)
    found = exact.copy()
    size = np.abs(exact)
    left = np.flatnonzero((size > _LEAST) & (size < _MOST))
    for index in np.flatnonzero((size > 0) & (size <= _LEAST) | (size >= _MOST) & np.isfinite(size)):
        found[index] = float(str(values[index]))
    for digits in range(6, 10):
        if not left.size:
            break
        # Whole numbers and these powers of ten are exact, so that the quotient is the decimal's own double.
        places = digits - 1 - np.floor(np.log10(size[left])).astype(np.int64)
        up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
        shorter = np.rint(exact[left] * up / down) * down / up
        same = shorter.astype(np.float32) == values[left]
        found[left[same]] = shorter[same]
        left = left[~same]
    return found


def _money(cost: float, pricing: Pricing | None) -> Money | None:
    """A cost in the backend's currency with at least two decimals, the quantum's if it has more."""
    if pricing is None:
        return None
    exponent = Decimal(pricing.quantum).normalize().as_tuple().exponent
    decimals = min(max(2, -int(exponent)), 9)
    text = f"{cost:.{decimals}f}"
    whole, _, fraction = text.partition(".")
    return Money(amount=f"{whole}.{fraction[:2]}{fraction[2:].rstrip('0')}", currency=pricing.currency)
