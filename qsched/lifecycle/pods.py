"""Transitions of hybrid jobs: their pods are made gated, ungated with the slot, and deleted when unwanted.

Pods come in rounds. A failed pod ends its round and counts against ``backoffLimit`` as a failed task does;
the next round begins gated. What is said of an earlier round changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from qsched.lifecycle.backoff import token_of
from qsched.lifecycle.effects import CreatePods, Effect, Record
from qsched.lifecycle.moves import POD_FAILED, STOPS, Step, end, opened_pods, retry, unwanted_pods
from qsched.lifecycle.tasks import complete

if TYPE_CHECKING:
    from qsched.lifecycle.events import PodsEnded
    from qsched.lifecycle.state import State


def wanted(state: State) -> tuple[Effect, ...]:
    """What a new engine asks for: the pods that should be there, gated or not, or that there are none."""
    if not state.policy.hybrid or state.pods_done:
        return ()
    if state.terminal or state.phase == "Suspended" or (state.ending and state.ending.kind in STOPS):
        return unwanted_pods(state)
    return CreatePods(round=state.pod_round), *opened_pods(state)


def again(state: State) -> Step:
    """A new round, unless the last one has done its work."""
    if not state.policy.hybrid or state.pods_done:
        return state, ()
    state = replace(state, pod_round=state.pod_round + 1)
    return state, (CreatePods(round=state.pod_round),)


def ended(state: State, event: PodsEnded) -> Step:
    """The round's pods have ended, well or not."""
    if not state.policy.hybrid or state.pods_done or event.round != state.pod_round or state.terminal:
        return state, ()
    if state.phase == "Suspended" or (state.ending is not None and state.ending.kind in STOPS):
        return state, ()  # they were deleted
    if event.succeeded:
        state = replace(state, pods_done=True)
        done = Record(at=event.at, type="PodsSucceeded", message=event.message)
        if not state.collected:
            return state, (done,)
        state, effects = complete(state, event.at, "the result is stored and the pods have succeeded")
        return state, (done, *effects)
    if state.attempt is not None:
        state, effects = end(state, event.at, "Retry", POD_FAILED, event.message)
    else:
        key = token_of(state.uid, len(state.attempts) + 1)
        state, effects = retry(state, event.at, POD_FAILED, event.message, key=key)
    if state.terminal:
        return state, effects
    state, more = again(state)
    return state, (*effects, *more)
