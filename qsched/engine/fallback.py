"""The fallback: the twin of the chosen backend, when that is unavailable or too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.api.job import Placement
from qsched.api.quantities import duration_s, utc
from qsched.drivers import Rejected
from qsched.errors import QschedError
from qsched.lifecycle.types import FellBack
from qsched.scoring import Reason

if TYPE_CHECKING:
    from qsched.api.job import Breakdown
    from qsched.engine.backend import Backend
    from qsched.engine.backends import Backends
    from qsched.engine.live import Live
    from qsched.engine.scored import Scored

UNAVAILABLE = Reason.OFFLINE | Reason.PAUSED | Reason.CLOSED
LATE = Reason.COMPLETE_BY | Reason.MAX_QUEUE_TIME

_MARGIN = 0.1
"""The share of a job's time, from its submission to ``completeBy``, that is left to the twin."""


def fall_back(live: Live, scored: Scored, row: int, backends: Backends) -> FellBack | None:
    """The event that puts a job on a twin, if its fallback policy and its situation allow it.

    The intended backend is the one that the job was placed on, or else the one of the highest estimated
    success that nothing but its absence, or with ``OnDeadline`` the time, keeps the job from.

    Args:
        live: A job that no backend takes now.
        scored: The job among others.
        row: Its row.
        backends: Where the twin is made.

    Returns:
        The event, or None: the job must wait, or cannot fall back at all. The job's placement is set to
        the intended backend's figures.

    Raises:
        QschedError: If the twin cannot be made; says why.
    """
    spec, fleet, estimates = live.job.spec, scored.fleet, scored.estimates
    if spec.fallback.policy == "Never" or spec.requirements.simulators == "Forbidden":
        return None
    pardoned = UNAVAILABLE if spec.fallback.policy == "OnUnavailable" else UNAVAILABLE | LATE
    near = np.flatnonzero((estimates.reasons[row] & ~np.uint32(pardoned)) == 0)
    near = np.array([column for column in near if fleet.names[column] not in live.unfit], dtype=np.intp)
    if not near.size:
        return None
    column = int(near[estimates.success[row, near].argmax()])
    if live.choice is not None and live.choice.backend in fleet.names:
        before = fleet.index(live.choice.backend)
        column = before if before in near else column
    intended = fleet.names[column]
    now = fleet.now.timestamp()
    reasons = int(estimates.reasons[row, column])
    late = bool(reasons & LATE) or is_late(live)
    if not late and now < _unavailable_since(live, reasons, backends.get(intended)) + _after_s(live):
        return None
    twin = backends.twin(intended)
    if twin.name in live.unfit:
        raise Rejected(f"{twin.name} {live.unfit[twin.name]}")
    why = scored.verdict(row, column)
    assert why.estimate is not None
    assert why.breakdown is not None
    placement = Placement(
        backend=twin.name,
        score=_worth(why.breakdown),
        breakdown=why.breakdown,
        estimate=why.estimate,
        calibration_id=why.calibration_id,
        placed_at=utc(now),
    )
    live.place(placement)
    cause = "; ".join(why.reasons) or "would start too late"
    message = f"{intended} {cause}; runs on its twin instead"
    return FellBack(at=now, backend=twin.name, intended_backend=intended, message=message)


def too_late(live: Live, now: float, backends: Backends) -> FellBack | None:
    """The event that takes a job out of a provider's queue in which it would miss ``completeBy``.

    It has waited longer than was estimated when it was placed, and leaves early enough for the twin: when
    no more than the time of a run, and a tenth of the job's time, are left.

    Args:
        live: A queued job.
        now: Unix time in seconds.
        backends: Where the twin is made.

    Returns:
        The event, or None: the job stays, for it is in time, or has no fallback.
    """
    attempt, choice, complete_by = live.state.attempt, live.choice, live.complete_by
    if live.job.spec.fallback.policy != "OnDeadline" or live.job.spec.requirements.simulators == "Forbidden":
        return None
    if attempt is None or choice is None or complete_by is None or live.state.ending is not None:
        return None
    if live.state.intended_backend is not None:
        return None
    margin_s = _MARGIN * (complete_by - live.state.created_at)
    estimate = choice.estimate
    if now < max(attempt.dispatched_at + estimate.wait_s, complete_by - estimate.run_s - margin_s):
        return None
    try:
        twin = backends.twin(attempt.backend)
    except QschedError:
        return None
    message = f"the queue of {attempt.backend} is too slow for completeBy; leaves it for the twin"
    return FellBack(at=now, backend=twin.name, intended_backend=attempt.backend, message=message)


def is_late(live: Live) -> bool:
    """Whether a job has left a queue that was too slow, and goes to the twin now."""
    return live.state.phase == "Pending" and live.state.reason == FellBack.__name__


def _after_s(live: Live) -> float:
    after = live.job.spec.fallback.after
    return 0.0 if after is None else duration_s(after)


def _unavailable_since(live: Live, reasons: int, backend: Backend) -> float:
    """Since when a job cannot have its backend; of a pause or a closed window only its own wait tells."""
    return backend.changed_at if reasons & Reason.OFFLINE else max(backend.changed_at, live.state.since)


def _worth(parts: Breakdown) -> float:
    """The score that the intended backend would have if it were there."""
    weights = parts.weights
    return (
        weights.fidelity * parts.fidelity
        + weights.wait * parts.wait
        + weights.coherence * parts.coherence
        + weights.cost * parts.cost
    )
