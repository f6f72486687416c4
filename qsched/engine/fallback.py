"""The fallback: the twin of the chosen backend, when that is unavailable or too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.api.job import Placement
from qsched.api.quantities import duration_s, utc
from qsched.drivers import NoCalibration
from qsched.lifecycle.types import FellBack
from qsched.scoring import Reason

if TYPE_CHECKING:
    from qsched.engine.backends import Backends
    from qsched.engine.live import Live
    from qsched.engine.scored import Scored

UNAVAILABLE = Reason.OFFLINE | Reason.PAUSED | Reason.CLOSED
LATE = Reason.COMPLETE_BY | Reason.MAX_QUEUE_TIME


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
    """
    spec, fleet, estimates = live.job.spec, scored.fleet, scored.estimates
    if spec.fallback.policy == "Never" or spec.requirements.simulators == "Forbidden":
        return None
    pardoned = UNAVAILABLE if spec.fallback.policy == "OnUnavailable" else UNAVAILABLE | LATE
    near = np.flatnonzero((estimates.reasons[row] & ~np.uint16(pardoned)) == 0)
    near = np.array([column for column in near if fleet.names[column] not in live.unfit], dtype=np.intp)
    if not near.size:
        return None
    column = int(near[estimates.success[row, near].argmax()])
    if live.choice is not None and live.choice.backend in fleet.names:
        before = fleet.index(live.choice.backend)
        column = before if before in near else column
    intended = fleet.names[column]
    now = fleet.now.timestamp()
    after_s = duration_s(spec.fallback.after) if spec.fallback.after is not None else 0.0
    late = bool(estimates.reasons[row, column] & LATE)
    if not late and now < backends.get(intended).changed_at + after_s:
        return None
    try:
        twin = backends.twin(intended)
    except NoCalibration:
        return None
    why = scored.verdict(row, column)
    assert why.estimate is not None
    assert why.breakdown is not None
    placement = Placement(
        backend=twin.name,
        score=why.score,
        breakdown=why.breakdown,
        estimate=why.estimate,
        calibration_id=why.calibration_id,
        placed_at=utc(now),
    )
    live.place(placement)
    message = f"{intended} {'; '.join(why.reasons)}; runs on its twin instead"
    return FellBack(at=now, backend=twin.name, intended_backend=intended, message=message)
