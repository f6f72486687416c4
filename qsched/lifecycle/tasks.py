"""Transitions on what drivers say of a job's task.

Each of them concerns one token. Word of a token that is not the live attempt's is old or stray: it changes
nothing, but a task that it shows to be alive is cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from qsched.lifecycle.backoff import MAX_SUBMITS, MAX_WRITES, PATIENCE_S, SETTLE_S
from qsched.lifecycle.effects import Cancel, Record, RetryAt, StoreResult, Submit
from qsched.lifecycle.moves import (
    POD_FAILED,
    STOPS,
    Step,
    back_off,
    collect,
    decide,
    enter,
    fail,
    find,
    finish,
    gone,
    live,
    opened_pods,
    pursue,
    wait,
    with_attempt,
)

if TYPE_CHECKING:
    from qsched.lifecycle.effects import Effect
    from qsched.lifecycle.events import (
        CancelFailed,
        Collected,
        CollectFailed,
        FindFailed,
        Found,
        Lost,
        RemoteState,
        Reported,
        SubmitFailed,
        Submitted,
    )
    from qsched.lifecycle.state import State


def submitted(state: State, event: Submitted) -> Step:
    """The provider has the task."""
    return _seen(state, event.at, event.token, event.remote_id, event.state)


def found(state: State, event: Found) -> Step:
    """The provider was asked for the token's task."""
    if event.remote_id is not None:
        return _seen(state, event.at, event.token, event.remote_id, event.state)
    if not _current(state, event.token) or state.call != "Find":
        return state, ()
    state = replace(state, call=None)
    unknown_for_good = event.at >= state.doubt_until
    if live(state).remote_id is not None:
        return _gone_or_wait(state, event.at, "TaskLost", "the provider lost the task", unknown_for_good)
    if state.ending is None and state.tries < MAX_SUBMITS:
        return submit(state)
    if state.ending is None:
        message = f"{live(state).backend} did not take the task in {MAX_SUBMITS} tries"
        state = decide(state, event.at, "Defer", "Unavailable", message)
    return _gone_or_wait(state, event.at, "Unavailable", "the task never arrived", unknown_for_good)


def submit(state: State) -> Step:
    """Hand the live attempt's task over, perhaps again, always with its one token."""
    attempt = live(state)
    return replace(state, call="Submit"), (Submit(token=attempt.token, backend=attempt.backend),)


def submit_failed(state: State, event: SubmitFailed) -> Step:
    """The task was refused, or nobody knows."""
    if not _current(state, event.token) or state.call != "Submit":
        return state, ()
    state = replace(state, call=None)
    warning = Record(at=event.at, type="SubmitFailed", message=f"{event.kind}: {event.message}")
    match event.kind:
        case "Rejected" | "NotFound":
            state = decide(state, event.at, "Reject", "Rejected", event.message)
        case "Unauthenticated":
            state = decide(state, event.at, "Retry", "Unauthenticated", event.message)
        case "Invalid":
            state = decide(state, event.at, "Abort", "Invalid", event.message)
        case "RateLimited" if _has_patience(state, event.at):
            state, effects = wait(state, event.at, event.retry_after_s)
            return state, (warning, *effects)
        case _:
            state, effects = back_off(state, event.at, event.retry_after_s)
            return replace(state, doubt_until=event.at + SETTLE_S), (warning, *effects)
    state, effects = _gone_or_wait(state, event.at, event.kind, event.message, event.at >= state.doubt_until)
    return state, (warning, *effects)


def find_failed(state: State, event: FindFailed) -> Step:
    """The provider could not be asked."""
    if not _current(state, event.token) or state.call != "Find":
        return state, ()
    state = replace(state, call=None)
    if event.kind == "PartlyTaken" and (state.ending is None or _rests_on_doubt(state)):
        # However many tries it takes: the circuits that were taken would run, and run again elsewhere.
        opened = opened_pods(state) if state.ending is not None else ()
        state, effects = submit(replace(state, ending=None))
        return state, (*opened, *effects)
    if event.kind == "RateLimited" and _has_patience(state, event.at):
        return wait(state, event.at, event.retry_after_s)
    return back_off(state, event.at, event.retry_after_s)


def _has_patience(state: State, at: float) -> bool:
    """Whether a provider that asks for patience gets it without its costing a try."""
    return at < live(state).dispatched_at + PATIENCE_S


def reported(state: State, event: Reported) -> Step:
    """A poll told where the task is."""
    if _current(state, event.token):
        if live(state).remote_id is None or state.phase == "Collecting":
            return state, ()
        return _report(state, event.at, event.state, event.message)
    for old in state.attempts:
        if old.token == event.token and old.remote_id is not None and old.state != "Succeeded":
            return _stray(state, event.at, event.token, old.remote_id, event.state)
    return state, ()


def lost(state: State, event: Lost) -> Step:
    """A poll did not know the task; the token decides."""
    if not _current(state, event.token) or state.call is not None or live(state).remote_id is None:
        return state, ()
    return find(state)


def cancel_failed(state: State, event: CancelFailed) -> Step:
    """The task was not cancelled; it is tried again by timer, unless the move is not worth it."""
    if not _current(state, event.token) or state.ending is None:
        return state, ()
    warning = Record(at=event.at, type="CancelFailed", message=f"{event.kind}: {event.message}")
    if event.kind == "Rejected" and state.ending.kind == "Move":
        return replace(state, ending=None), (warning,)
    later = event.at + event.retry_after_s
    if later <= state.retry_at:
        return state, (warning,)
    return replace(state, retry_at=later), (warning, RetryAt(at=later))


def collected(state: State, event: Collected) -> Step:
    """The result is here."""
    if not _current(state, event.token) or state.phase != "Collecting":
        return state, ()
    if state.collected:
        return state, ()
    stored = StoreResult(token=event.token)
    if state.policy.hybrid and not state.pods_done:
        message = "the result is stored; waits for its pods, which keep its slot"
        state, effects = enter(state, event.at, "Collecting", message, reason="WaitingForPods")
        return replace(state, call=None, collected=True), (stored, *effects)
    state, effects = complete(state, event.at, event.message or "the result is stored")
    return state, (stored, *effects)


def complete(state: State, at: float, message: str) -> Step:
    """The result is stored and nothing else is waited for."""
    attempt = replace(live(state), state="Succeeded", finished_at=at)
    return finish(with_attempt(state, attempt), at, "Complete", "Completed", message)


def collect_failed(state: State, event: CollectFailed) -> Step:
    """The result could not be fetched, or not be written."""
    if not _current(state, event.token) or state.call != "Collect":
        return state, ()
    state = replace(state, call=None)
    warning = Record(at=event.at, type="CollectFailed", message=f"{event.kind}: {event.message}")
    if event.kind in {"NotFound", "Rejected", "Invalid"}:
        state, effects = fail(state, event.at, "ResultLost", event.message)
    elif event.kind == "ResultError" and state.tries + 1 >= MAX_WRITES:
        state = decide(state, event.at, "Abort", "ResultNotWritten", event.message)
        state, effects = gone(state, event.at, "Failed", event.message)
    else:
        state, effects = back_off(state, event.at, event.retry_after_s)
    return state, (warning, *effects)


def _current(state: State, token: str) -> bool:
    attempt = state.attempt
    return attempt is not None and attempt.token == token


def _gone_or_wait(state: State, at: float, reason: str, message: str, certain: bool) -> Step:  # noqa: FBT001
    if certain:
        return fail(state, at, reason, message)
    state, _ = back_off(state, at)
    state = replace(state, retry_at=min(state.retry_at, state.doubt_until))
    return state, (RetryAt(at=state.retry_at),)


def _seen(state: State, at: float, token: str, remote_id: str, remote: RemoteState) -> Step:
    """The provider has a task with this token."""
    if not _current(state, token):
        return _stray(state, at, token, remote_id, remote)
    attempt = live(state)
    if attempt.remote_id is not None and state.phase == "Collecting":
        return state, ()
    if attempt.remote_id == remote_id:
        return _report(replace(state, call=None), at, remote, "")
    if attempt.remote_id is not None and state.call != "Find":
        return _stray(state, at, token, remote_id, remote)
    attempt = replace(attempt, remote_id=remote_id, state="Queued")
    state = replace(with_attempt(state, attempt), call=None, tries=0, doubt_until=at + SETTLE_S)
    effects: tuple[Effect, ...] = ()
    if _rests_on_doubt(state):
        state, effects = replace(state, ending=None), opened_pods(state)
    if state.phase == "Submitting":
        state, entered = enter(state, at, "Queued", f"queued at {attempt.backend} as {remote_id}")
        effects += entered
    state, more = _report(state, at, remote, "")
    if state.ending is not None and state.attempt is not None:
        state, chase = pursue(state, at)
        more += chase
    return state, (*effects, *more)


def _rests_on_doubt(state: State) -> bool:
    """Whether the attempt is to end only because its task was thought not to be there."""
    ending = state.ending
    return ending is not None and ending.kind in {"Retry", "Reject", "Defer"} and ending.reason != POD_FAILED


def _stray(state: State, at: float, token: str, remote_id: str, remote: RemoteState) -> Step:
    """A task lives that nobody waits for."""
    owner = next((attempt for attempt in state.attempts if attempt.token == token), None)
    if owner is None or remote not in {"Queued", "Running"}:
        return state, ()
    message = f"task {remote_id} at {owner.backend} is not wanted any more"
    return state, (
        Record(at=at, type="StrayTask", message=message),
        Cancel(token=token, backend=owner.backend, remote_id=remote_id),
    )


def _report(state: State, at: float, remote: RemoteState, message: str) -> Step:
    match remote:
        case "Queued":
            return state, ()
        case "Running":
            return _running(state, at)
        case "Succeeded":
            return _succeeded(state, at)
        case "Failed":
            return fail(state, at, "TaskFailed", message or "the task failed; the provider does not say why")
        case "Cancelled":
            return fail(state, at, "TaskCancelled", message or "the task was cancelled at the provider")


def _running(state: State, at: float) -> Step:
    attempt = live(state)
    if attempt.state == "Running":
        return state, ()
    state = with_attempt(state, replace(attempt, state="Running", started_at=at))
    if state.started_at is None:
        state = replace(state, started_at=at)
    return enter(state, at, "Running", f"running on {attempt.backend}")


def _succeeded(state: State, at: float) -> Step:
    attempt = live(state)
    # A suspended job that has a result keeps it; but a hybrid one has lost its pods by now, and one whose pod
    # failed runs its circuits again with the next.
    stops = STOPS if state.policy.hybrid else STOPS - {"Suspend"}
    if state.ending is not None and (state.ending.kind in stops or state.ending.reason == POD_FAILED):
        return gone(state, at, "Cancelled", "it ended before it could be cancelled; its result is not wanted")
    started = attempt.started_at or at
    resumed = opened_pods(state) if state.ending is not None else ()  # pods that were made anew meanwhile
    state = with_attempt(state, replace(attempt, state="Collecting", started_at=started))
    state = replace(state, ending=None, tries=0, retry_at=at, started_at=state.started_at or at)
    state, effects = enter(state, at, "Collecting", f"{attempt.backend} is done")
    state, more = collect(state)
    return state, (*effects, *resumed, *more)
