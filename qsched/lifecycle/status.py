"""A job's state as its users see it: conditions, status and story."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from qsched.api.base import Condition
from qsched.api.job import Attempt, JobStatus, Placement, Result
from qsched.api.quantities import duration_text, utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsched.lifecycle import state as lifecycle
    from qsched.lifecycle.effects import Record
    from qsched.lifecycle.state import State

_SCHEDULED = frozenset({"Placed", "Submitting", "Queued", "Running", "Collecting", "Complete"})
_MAX_REASON = 1024


def conditions(state: State) -> list[Condition]:
    """The conditions that a state amounts to; a condition that says nothing yet is left out.

    ``Accepted`` is always there, ``Scheduled`` once the job was accepted, ``Running`` once a task ran,
    ``Suspended`` once it was suspended, ``Complete`` or ``Failed`` at the end; a cancelled job is
    ``Failed`` with the reason ``Cancelled`` or ``Deleted``.
    """
    accepted = state.active_since is not None or state.phase not in {"Pending", "Failed"}
    found = [_condition("Accepted", accepted, "Accepted" if accepted else state.reason, "", state.created_at)]
    if accepted:
        found.append(_scheduled(state))
    if state.started_at is not None:
        running = state.phase == "Running"
        found.append(_condition("Running", running, state.reason, state.message, state.since))
    if state.phase == "Suspended":
        found.append(_condition("Suspended", True, "Suspended", state.message, state.since))
    if state.phase == "Complete":
        found.append(_condition("Complete", True, state.reason, state.message, state.since))
    if state.phase in {"Failed", "Cancelled"}:
        found.append(_condition("Failed", True, state.reason, state.message, state.since))
    return found


def status(state: State, placement: Placement | None = None, result: Result | None = None) -> JobStatus:
    """The status of a job.

    Args:
        state: Its lifecycle state.
        placement: The placement that is stored of it.
        result: The result that is stored of it.
    """
    return JobStatus(
        conditions=conditions(state),
        phase=state.phase,
        placement=placement,
        attempts=[declared_attempt(attempt) for attempt in state.attempts],
        result=result,
        submitted_at=utc(state.created_at),
        started_at=None if state.started_at is None else utc(state.started_at),
        finished_at=None if state.finished_at is None else utc(state.finished_at),
    )


def declared_attempt(attempt: lifecycle.Attempt) -> Attempt:
    """An attempt as a job's status shows it."""
    return Attempt(
        number=attempt.number,
        token=attempt.token,
        backend=attempt.backend,
        remote_id=attempt.remote_id,
        state=attempt.state,
        reason=None if attempt.reason is None else attempt.reason[:_MAX_REASON],
        started_at=None if attempt.started_at is None else utc(attempt.started_at),
        finished_at=None if attempt.finished_at is None else utc(attempt.finished_at),
    )


def story(records: Iterable[Record]) -> list[str]:
    """What happened to a job, a line each, with the time since the first: ``+1.5s Placed: on kyoto``."""
    lines: list[str] = []
    start = math.nan
    for record in records:
        start = record.at if math.isnan(start) else start
        text = f"{record.type}: {record.message}" if record.message else record.type
        lines.append(f"+{duration_text(max(0.0, record.at - start))} {text}")
    return lines


def _scheduled(state: State) -> Condition:
    if state.phase in _SCHEDULED:
        since = state.placed_at if state.placed_at is not None else state.since
        message = f"placed on {state.backend}"
        if state.intended_backend is not None:
            message += f", the twin of {state.intended_backend}"
        return _condition("Scheduled", True, "Placed", message, since)
    return _condition("Scheduled", False, state.reason, state.message, state.since)


def _condition(type_: str, holds: bool, reason: str, message: str, at: float) -> Condition:  # noqa: FBT001
    value: Literal["True", "False"] = "True" if holds else "False"
    return Condition(type=type_, status=value, reason=reason, message=message, last_transition_time=utc(at))
