"""What the scorer thought, for people: verdicts and placements with the scorer's own numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.api.job import Breakdown, Estimate, Money, Placement, Verdict
from qsched.scoring.estimate import Estimates, estimate
from qsched.scoring.jobs import JobColumns, JobRecord, build_jobs
from qsched.scoring.reasons import UNESTIMATED, Case, words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from qsched.api.backend import Pricing
    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.estimate import Refined

_RUNNERS_UP = 3


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
    verdicts = [
        verdict(job, jobs, fleet, estimates, row=0, column=column, stage2=(0, column) in by_column)
        for column in range(len(fleet))
    ]
    return sorted(verdicts, key=lambda each: (-each.score, len(each.reasons), each.backend))


def verdict(
    job: JobRecord,
    jobs: JobColumns,
    fleet: Fleet,
    estimates: Estimates,
    *,
    row: int,
    column: int,
    stage2: bool,
) -> Verdict:
    """One pair of ``estimates`` in words.

    Args:
        job: The job that ``jobs`` holds at ``row``.
        jobs: The jobs that were scored.
        fleet: The backends that they were scored on.
        estimates: The outcome.
        row: The job's row.
        column: The backend's column.
        stage2: Whether the pair was refined.
    """
    backend = fleet.records[column]
    reasons = int(estimates.reasons[row, column])
    figures = _figures(backend.spec.pricing, estimates, row, column, stage2=stage2)
    said: list[str] = []
    if reasons:
        case = Case(
            spec=job.spec,
            backend=backend,
            estimate=figures,
            qubits_needed=int(jobs.qubits[row]),
            qubits_usable=int(fleet.qubits[column]),
            remaining_s=float(jobs.remaining_s[row]),
            start_age_s=float(estimates.start_age_s[column]),
        )
        said = words(reasons, case)
    estimated = not reasons & int(UNESTIMATED)
    return Verdict(
        backend=backend.name,
        feasible=not reasons,
        score=_number(estimates.score[row, column]),
        reasons=said,
        estimate=figures if estimated else None,
        breakdown=_breakdown(job, estimates, row, column) if estimated else None,
        calibration_id=backend.calibration_id,
    )


def placement_status(
    job: JobRecord,
    jobs: JobColumns,
    fleet: Fleet,
    estimates: Estimates,
    *,
    row: int,
    column: int,
    others: Sequence[int],
    placed_at: dt.datetime,
    refined: frozenset[int] = frozenset(),
) -> Placement:
    """A choice that was made, why, and what would have come next.

    Args:
        job: The job that ``jobs`` holds at ``row``.
        jobs: The jobs that were scored.
        fleet: The backends that they were scored on.
        estimates: The outcome.
        row: The job's row.
        column: The chosen backend's column.
        others: The columns that would come next, best first; the chosen one may be among them.
        placed_at: When the choice was made.
        refined: The columns that were refined for this job.

    Raises:
        ValueError: If the job may not run on the chosen backend.
    """

    def pair(column: int) -> Verdict:
        stage2 = column in refined
        return verdict(job, jobs, fleet, estimates, row=row, column=column, stage2=stage2)

    chosen = pair(column)
    if chosen.estimate is None or chosen.breakdown is None or not chosen.feasible:
        raise ValueError(f"{job.name} may not run on {chosen.backend}: {'; '.join(chosen.reasons)}")
    following = [other for other in others if other not in (-1, column)]
    return Placement(
        backend=chosen.backend,
        score=chosen.score,
        breakdown=chosen.breakdown,
        estimate=chosen.estimate,
        calibration_id=chosen.calibration_id,
        runners_up=[pair(other) for other in following[:_RUNNERS_UP]],
        placed_at=placed_at,
    )


def _figures(
    pricing: Pricing | None, estimates: Estimates, row: int, column: int, *, stage2: bool
) -> Estimate:
    window_s = _number(estimates.window_s[row, column])
    return Estimate(
        success=_number(estimates.success[row, column]),
        run_s=_number(estimates.run_s[row, column]),
        wait_s=_number(estimates.wait_s[column]),
        wait_p90_s=_number(estimates.wait_p90_s[column]),
        cost=_money(float(estimates.cost[row, column]), pricing),
        critical_path_s=_number(estimates.critical_path_s[row, column]),
        window_s=window_s if np.isfinite(window_s) else None,
        stage=2 if stage2 else 1,
    )


def _money(cost: float, pricing: Pricing | None) -> Money | None:
    """A cost in the backend's currency with at least two decimals, the quantum's if it has more."""
    if pricing is None:
        return None
    exponent = Decimal(pricing.quantum).normalize().as_tuple().exponent
    decimals = min(max(2, -int(exponent)), 9)
    text = f"{cost:.{decimals}f}"
    whole, _, fraction = text.partition(".")
    return Money(amount=f"{whole}.{fraction[:2]}{fraction[2:].rstrip('0')}", currency=pricing.currency)


def _breakdown(job: JobRecord, estimates: Estimates, row: int, column: int) -> Breakdown:
    return Breakdown(
        fidelity=_number(estimates.success[row, column]),
        wait=_number(estimates.wait[row, column]),
        coherence=_number(estimates.coherence[row, column]),
        cost=_number(estimates.thrift[row, column]),
        weights=job.row.weights,
    )


def _number(value: np.floating[Any]) -> float:
    """The shortest decimal that stands for a figure: 0.1 of single precision is 0.1."""
    return float(str(value))
