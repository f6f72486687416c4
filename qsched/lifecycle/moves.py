"""The moves that the transitions are made of: phases, and the end of an attempt.

An attempt ends in two ways. Either its task is known to have ended (``gone``), or it is decided that it
shall end (``end``): then the job keeps its phase, the task is cancelled (``pursue``) until the provider
confirms that it does not live, and only then the job goes where ``Ending.kind`` says. So a new token is
never used while the task of an old one may live.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from qsched.api.job import Phase  # noqa: TC001
from qsched.lifecycle.backoff import MAX_ATTEMPTS, STOP_GRACE_S, backoff_s
from qsched.lifecycle.effects import (
    Cancel,
    Collect,
    DeletePods,
    Effect,
    Find,
    Forget,
    Record,
    RetryAt,
    UngatePods,
)
from qsched.lifecycle.state import Attempt, AttemptState, Ending, EndingKind, State, settled

Step: TypeAlias = tuple[State, tuple[Effect, ...]]

_RANK: dict[EndingKind, int] = {
    "Retry": 0,
    "Reject": 0,
    "Defer": 0,
    "Move": 0,
    "Suspend": 1,
    "Abort": 2,
    "Cancel": 3,
}


STOPS: frozenset[EndingKind] = frozenset({"Suspend", "Abort", "Cancel"})
"""Endings that somebody wants; what the task and the pods still do is not wanted any more."""

POD_FAILED = "PodFailed"
"""Why an attempt ends whose pods failed; the next one goes with new pods."""


def enter(state: State, at: float, phase: Phase, message: str, *, reason: str = "") -> Step:
    """Change the phase and say so in the history. A terminal phase is never left."""
    if state.terminal:
        return state, ()
    since = state.since if phase == state.phase else at
    changed = replace(state, phase=phase, since=since, reason=reason or phase, message=message)
    return changed, (Record(at=at, type=changed.reason, message=message),)


def live(state: State) -> Attempt:
    """The attempt of a state that is known to have a live one."""
    attempt = state.attempt
    assert attempt is not None, f"job {state.uid} has no live attempt in phase {state.phase}"
    return attempt


def with_attempt(state: State, attempt: Attempt) -> State:
    """The state with its newest attempt replaced."""
    return replace(state, attempts=(*state.attempts[:-1], attempt))


def finish(state: State, at: float, phase: Phase, reason: str, message: str) -> Step:
    """Reach a terminal phase. A task that may still live stays on record and is pursued."""
    state, effects = enter(state, at, phase, message, reason=reason)
    state = replace(state, finished_at=at)
    if state.attempt is None:
        state = replace(state, call=None, ending=None)
    return state, effects + unwanted_pods(state) + forget(state)


def unwanted_pods(state: State) -> tuple[Effect, ...]:
    """``DeletePods`` for a hybrid job whose pods have not all succeeded."""
    return (DeletePods(round=state.pod_round),) if state.policy.hybrid and not state.pods_done else ()


def opened_pods(state: State) -> tuple[Effect, ...]:
    """``UngatePods`` for a hybrid job that has a slot."""
    attempt = state.attempt
    if not state.policy.hybrid or attempt is None or state.pods_done:
        return ()
    return (UngatePods(round=state.pod_round, backend=attempt.backend),)


def forget(state: State) -> tuple[Effect, ...]:
    """``Forget`` for a deleted job of which nothing can live any more."""
    return (Forget(),) if state.deleted and settled(state) else ()


def pend(state: State, at: float, reason: str, message: str, *, delay_s: float = 0.0) -> Step:
    """Wait for a (new) placement, not before ``delay_s`` have passed."""
    if len(state.attempts) >= MAX_ATTEMPTS:
        return finish(state, at, "Failed", "TooManyAttempts", f"{MAX_ATTEMPTS} attempts; the last: {message}")
    state, effects = enter(state, at, "Pending", message, reason=reason)
    state = replace(state, backend=None, intended_backend=None, retry_at=at + delay_s)
    return state, effects + ((RetryAt(at=state.retry_at),) if delay_s else ())


def gone(state: State, at: float, end_state: AttemptState, why: str) -> Step:  # noqa: PLR0911 - one a kind
    """The live attempt's task has ended, or never was: go where ``state.ending`` says.

    Args:
        state: A state with a live attempt and an ending.
        at: Now.
        end_state: How the attempt ended.
        why: The same in words, for the attempt's record.
    """
    ending = state.ending
    assert ending is not None, f"job {state.uid}: its attempt ends without a cause"
    attempt = replace(live(state), state=end_state, finished_at=at, reason=why)
    state = replace(with_attempt(state, attempt), call=None, ending=None, tries=0, collected=False)
    if state.terminal:
        return state, (Record(at=at, type="TaskEnded", message=why), *forget(state))
    match ending.kind:
        case "Cancel":
            return finish(state, at, "Cancelled", ending.reason, ending.message)
        case "Abort":
            return finish(state, at, "Failed", ending.reason, ending.message)
        case "Suspend":
            state = replace(state, backend=None, intended_backend=None, active_since=None)
            return enter(state, at, "Suspended", ending.message)
        case "Move":
            return pend(state, at, ending.reason, ending.message)
        case "Defer":
            delay_s = backoff_s(attempt.token, attempt.number)
            return pend(state, at, ending.reason, ending.message, delay_s=delay_s)
        case "Reject":
            state = replace(state, excluded=(*state.excluded, attempt.backend))
            return pend(state, at, ending.reason, ending.message)
        case "Retry":
            return retry(state, at, ending.reason, ending.message, key=attempt.token)


def retry(state: State, at: float, reason: str, message: str, *, key: str) -> Step:
    """Wait for a new placement after a failure that counts, or fail for good; ``key`` sets the jitter."""
    state = replace(state, failures=state.failures + 1)
    limit = state.policy.backoff_limit
    if state.failures > limit:
        number = max(len(state.attempts), state.failures)
        message = f"{message} (attempt {number}; backoffLimit is {limit})"
        return finish(state, at, "Failed", "BackoffLimitExceeded", message)
    return pend(state, at, reason, message, delay_s=backoff_s(key, state.failures))


def fail(state: State, at: float, reason: str, message: str) -> Step:
    """The task has ended without a result; what was decided before counts more than a retry."""
    state = decide(state, at, "Retry", reason, message)
    wanted = state.ending is not None and state.ending.kind in {"Cancel", "Suspend", "Move"}
    return gone(state, at, "Cancelled" if wanted else "Failed", message)


def decide(state: State, at: float, kind: EndingKind, reason: str, message: str) -> State:
    """Note that the live attempt is to end, unless something weightier was decided before."""
    if state.ending is not None and _RANK[state.ending.kind] >= _RANK[kind]:
        return state
    return replace(state, ending=Ending(kind=kind, reason=reason, message=message, since=at))


def end(state: State, at: float, kind: EndingKind, reason: str, message: str) -> Step:
    """Decide that the live attempt is to end, and take the first step to that."""
    decided = decide(state, at, kind, reason, message)
    if decided is state:
        return state, ()
    effects: tuple[Effect, ...] = (Record(at=at, type=reason, message=message),)
    if kind in {"Cancel", "Abort"}:
        effects += (RetryAt(at=at + STOP_GRACE_S),)
    if state.phase == "Collecting":
        decided, more = gone(decided, at, "Cancelled", "its result is not wanted any more")
        return decided, (*effects, *more)
    if state.ending is None:
        decided = replace(decided, tries=0, retry_at=at)
        decided, more = pursue(decided, at)
        effects += more
    return decided, effects


def pursue(state: State, at: float) -> Step:
    """The next step towards the end of an attempt that is to end: find its task, or cancel it again."""
    attempt = live(state)
    if attempt.remote_id is None:
        return find(state) if state.call is None else (state, ())
    state, effects = back_off(state, at)
    cancel = Cancel(token=attempt.token, backend=attempt.backend, remote_id=attempt.remote_id)
    return state, (cancel, *effects)


def find(state: State) -> Step:
    """Ask the provider for the live attempt's task."""
    attempt = live(state)
    return replace(state, call="Find"), (Find(token=attempt.token, backend=attempt.backend),)


def collect(state: State) -> Step:
    """Fetch the result of the live attempt's task."""
    attempt = live(state)
    assert attempt.remote_id is not None
    effect = Collect(token=attempt.token, backend=attempt.backend, remote_id=attempt.remote_id)
    return replace(state, call="Collect"), (effect,)


def wait(state: State, at: float, least_s: float) -> Step:
    """A call that the provider put off, which costs no try."""
    retry_at = at + max(backoff_s(live(state).token, 1), least_s)
    return replace(state, retry_at=retry_at), (RetryAt(at=retry_at),)


def back_off(state: State, at: float, least_s: float = 0.0) -> Step:
    """One more call in vain: the next one not before an exponentially growing time."""
    tries = state.tries + 1
    retry_at = at + max(backoff_s(live(state).token, tries), least_s)
    return replace(state, tries=tries, retry_at=retry_at), (RetryAt(at=retry_at),)
