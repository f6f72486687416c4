"""The job state machine: ``step(state, event) -> (state, effects)``.

Pure: no I/O, no clock, no randomness. Which event means what in which phase is one table, ``TRANSITIONS``;
an event without an entry changes nothing, as a late or repeated one must not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec.structs import replace

from qsched.api.job import Phase  # noqa: TC001
from qsched.lifecycle import events as on
from qsched.lifecycle import pods, tasks
from qsched.lifecycle.backoff import LONGEST_S, SETTLE_S, STOP_GRACE_S, token_of
from qsched.lifecycle.effects import Effect, Record, RetryAt
from qsched.lifecycle.moves import (
    Step,
    collect,
    end,
    enter,
    find,
    finish,
    forget,
    opened_pods,
    pend,
    pursue,
    unwanted_pods,
)
from qsched.lifecycle.state import Attempt, Ending, State, deadline_at

Handler: TypeAlias = Callable[[State, Any], Step]


def step(state: State, event: on.Event) -> Step:
    """What an event makes of a state, and what is to be done about it.

    Args:
        state: The job's state.
        event: What happened.

    Returns:
        The new state (the same object if nothing changed) and the effects, in order. The state is to be
        stored before any effect but ``Record`` and ``StoreResult`` is carried out.
    """
    handler = TRANSITIONS[state.phase].get(type(event))
    return (state, ()) if handler is None else handler(state, event)


# --- before a task --------------------------------------------------------------------------------------


def _accept(state: State, event: on.Accepted) -> Step:
    if state.active_since is not None:
        return state, ()
    accepted = Record(at=event.at, type="Accepted", message="the job is valid")
    if event.suspend:
        state, effects = enter(state, event.at, "Suspended", "submitted with suspend: true")
        return state, (accepted, *effects)
    state = replace(
        state, active_since=event.at, since=event.at, reason="Accepted", message="waits for a cycle"
    )
    return state, (accepted, *_deadline_timer(state), *pods.wanted(state))


def _suspend_waiting(state: State, event: on.Suspended) -> Step:
    state = replace(state, backend=None, intended_backend=None, active_since=None)
    state, effects = enter(state, event.at, "Suspended", "suspended by the user")
    return state, effects + unwanted_pods(state)


def _resume(state: State, event: on.Resumed) -> Step:
    state, effects = pend(replace(state, active_since=event.at), event.at, "Resumed", "resumed by the user")
    state, made = pods.again(state)
    return state, effects + _deadline_timer(state) + made


def _place(state: State, event: on.Placed) -> Step:
    if event.backend in state.excluded or event.at < state.retry_at or event.backend == state.backend:
        return state, ()
    state = replace(state, backend=event.backend, intended_backend=None, placed_at=event.at)
    return enter(state, event.at, "Placed", event.message or f"placed on {event.backend}")


def _unplaceable(state: State, event: on.Unplaceable) -> Step:
    if event.permanent:
        return finish(state, event.at, "Failed", event.reason, event.message)
    if state.phase == "Pending" and (state.reason, state.message) == (event.reason, event.message):
        return state, ()
    retry_at = state.retry_at
    state, effects = pend(state, event.at, event.reason, event.message)
    return replace(state, retry_at=retry_at), effects


def _fall_back(state: State, event: on.FellBack) -> Step:
    twin = event.backend
    if state.policy.fallback == "Never" or twin in state.excluded or event.at < state.retry_at:
        return state, ()
    state = replace(state, backend=twin, intended_backend=event.intended_backend, placed_at=event.at)
    return enter(state, event.at, "Placed", event.message, reason="FellBack")


def _calibration_changed(state: State, event: on.CalibrationChanged) -> Step:
    if event.backend != state.backend:
        return state, ()
    message = f"{event.backend} was calibrated anew ({event.calibration_id})"
    return state, (Record(at=event.at, type="CalibrationChanged", message=message),)


def _unplace(state: State, event: on.BackendLost) -> Step:
    if event.backend != state.backend:
        return state, ()
    return pend(state, event.at, "BackendLost", event.message)


def _dispatch(state: State, event: on.Dispatch) -> Step:
    assert state.backend is not None
    number = len(state.attempts) + 1
    token = token_of(state.uid, number)
    attempt = Attempt(
        number=number, token=token, backend=state.backend, state="Submitting", dispatched_at=event.at
    )
    state, effects = enter(state, event.at, "Submitting", f"attempt {number} goes to {state.backend}")
    state = replace(state, attempts=(*state.attempts, attempt), tries=0, doubt_until=0.0, retry_at=event.at)
    state, more = tasks.submit(state)
    return state, (*effects, *opened_pods(state), *more)


# --- ends that somebody wants ---------------------------------------------------------------------------


def _suspend_task(state: State, event: on.Suspended) -> Step:
    suspending, effects = end(state, event.at, "Suspend", "Suspending", "suspended by the user")
    return suspending, effects if suspending is state else effects + unwanted_pods(state)


def _suspend_collected(state: State, event: on.Suspended) -> Step:
    """A result that is being fetched is not given up; pods that are waited for are."""
    return _suspend_task(state, event) if state.collected else (state, ())


def _resume_task(state: State, event: on.Resumed) -> Step:
    if state.ending is None or state.ending.kind != "Suspend":
        return state, ()
    ending = replace(state.ending, kind="Move", reason="Resumed", message="resumed by the user")
    state, made = pods.again(replace(state, ending=ending))
    return state, (Record(at=event.at, type="Resumed", message=ending.message), *made)


def _move(state: State, event: on.Moved | on.FellBack) -> Step:
    return end(state, event.at, "Move", type(event).__name__, event.message)


def _leave_backend(state: State, event: on.BackendLost) -> Step:
    if event.backend != state.backend:
        return state, ()
    return end(state, event.at, "Move", "BackendLost", event.message)


def _cancel(state: State, event: on.CancelRequested) -> Step:
    return _stop(state, event.at, "Cancelled", event.message)


def _delete(state: State, event: on.Deleted) -> Step:
    state = replace(state, deleted=True)
    if state.terminal:
        return state, forget(state)
    return _stop(state, event.at, "Deleted", "deleted by the user")


def _stop(state: State, at: float, reason: str, message: str) -> Step:
    if state.attempt is None:
        return finish(state, at, "Cancelled", reason, message)
    return end(state, at, "Cancel", reason, message)


def _deadline(state: State, event: on.Deadline) -> Step:
    return _abort(state, event.at, event.message)


def _abort(state: State, at: float, message: str) -> Step:
    if state.attempt is None:
        return finish(state, at, "Failed", "DeadlineExceeded", message)
    return end(state, at, "Abort", "DeadlineExceeded", message)


# --- timers and restarts --------------------------------------------------------------------------------


def _wake(state: State, event: on.Woken) -> Step:
    at = event.at
    deadline = deadline_at(state)
    if deadline is not None and at >= deadline and not state.terminal and _doom(state) is None:
        return _abort(state, at, f"activeDeadlineSeconds ({state.policy.active_deadline_s:g}) have passed")
    effects: tuple[Effect, ...] = ()
    doom = _doom(state)
    if doom is not None and not state.terminal and at >= doom.since + STOP_GRACE_S:
        state, effects = _give_up(state, at, doom)
    state, more = _resume_calls(state, at)
    return state, effects + more


def _resume_calls(state: State, at: float) -> Step:
    """Go on with what waited for its time."""
    if state.attempt is None or state.call is not None or at < state.retry_at:
        return state, ()
    if state.ending is not None:
        return pursue(state, at)
    if state.phase == "Submitting":
        return find(state)
    return collect(state) if state.phase == "Collecting" and not state.collected else (state, ())


def _doom(state: State) -> Ending | None:
    """The ending after which the job is not to go on, if there is one."""
    ending = state.ending
    return ending if ending is not None and ending.kind in {"Cancel", "Abort"} else None


def _give_up(state: State, at: float, doom: Ending) -> Step:
    """End the job although its task may live; the task is pursued from the terminal phase."""
    message = f"{doom.message}; its task at {state.backend} may still run and is being cancelled"
    phase: Phase = "Cancelled" if doom.kind == "Cancel" else "Failed"
    return finish(state, at, phase, doom.reason, message)


def _recover(state: State, event: on.Recovered) -> Step:
    at = event.at
    attempt = state.attempt
    effects = _deadline_timer(state)
    effects += pods.wanted(state)
    if attempt is None:
        # The clock of the machine that set the time may have been ahead of this one's.
        state = replace(state, retry_at=min(state.retry_at, at + LONGEST_S))
        timer: tuple[Effect, ...] = (RetryAt(at=state.retry_at),) if state.retry_at > at else ()
        return state, (*effects, *timer, *forget(state))
    doom = _doom(state)
    if doom is not None and not state.terminal:
        effects += (RetryAt(at=doom.since + STOP_GRACE_S),)
    if attempt.remote_id is None:
        state = replace(state, doubt_until=at + SETTLE_S)
    state, more = _resume_calls(replace(state, call=None, retry_at=at), at)
    return state, effects + more


def _deadline_timer(state: State) -> tuple[Effect, ...]:
    deadline = deadline_at(state)
    return () if deadline is None or state.terminal else (RetryAt(at=deadline),)


_ALWAYS: dict[type, Handler] = {
    on.Deleted: _delete,
    on.Woken: _wake,
    on.Recovered: _recover,
    on.Submitted: tasks.submitted,
    on.SubmitFailed: tasks.submit_failed,
    on.Found: tasks.found,
    on.FindFailed: tasks.find_failed,
    on.Reported: tasks.reported,
    on.Lost: tasks.lost,
    on.CancelFailed: tasks.cancel_failed,
}
_OPEN: dict[type, Handler] = {
    **_ALWAYS,
    on.CancelRequested: _cancel,
    on.Deadline: _deadline,
    on.PodsEnded: pods.ended,
}
_WAITING: dict[type, Handler] = {
    **_OPEN,
    on.Suspended: _suspend_waiting,
    on.Placed: _place,
    on.Unplaceable: _unplaceable,
    on.FellBack: _fall_back,
}
_WITH_TASK: dict[type, Handler] = {**_OPEN, on.Suspended: _suspend_task, on.Resumed: _resume_task}
_MOVABLE: dict[type, Handler] = {
    **_WITH_TASK,
    on.Moved: _move,
    on.FellBack: _move,
    on.BackendLost: _leave_backend,
}

TRANSITIONS: dict[Phase, dict[type, Handler]] = {
    "Pending": {**_WAITING, on.Accepted: _accept},
    "Placed": {
        **_WAITING,
        on.Dispatch: _dispatch,
        on.BackendLost: _unplace,
        on.CalibrationChanged: _calibration_changed,
    },
    "Submitting": _MOVABLE,
    "Queued": _MOVABLE,
    "Running": _WITH_TASK,
    "Collecting": {
        **_OPEN,
        on.Suspended: _suspend_collected,
        on.Collected: tasks.collected,
        on.CollectFailed: tasks.collect_failed,
    },
    "Suspended": {**_OPEN, on.Resumed: _resume},
    "Complete": _ALWAYS,
    "Failed": _ALWAYS,
    "Cancelled": _ALWAYS,
}
