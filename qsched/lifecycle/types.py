"""What the job state machine knows, hears and asks for: State, events, effects.

The contract with the engine:

1. ``state, effects = step(state, event)`` for every event, in the order in which things happened.
2. Store the new state. ``Record`` and ``StoreResult`` belong to the same transaction as the state.
3. Only then carry out the other effects, in order.
4. Each ``Submit``, ``Find`` and ``Collect`` is answered by exactly one of its outcome events (see the
   effect), or, after a crash, by one ``Recovered`` for the job. ``Cancel`` is confirmed by what the
   provider reports of the task and repeated by timer until then.
5. Each ``RetryAt`` is a timer of its own; a ``Woken`` too many does no harm.
6. A job is kept in memory until ``settled(state)``.
"""

from __future__ import annotations

from qsched.lifecycle.effects import (
    Cancel,
    Collect,
    CreatePod,
    Effect,
    Find,
    Forget,
    Record,
    RetryAt,
    StoreResult,
    Submit,
    UngatePod,
)
from qsched.lifecycle.events import (
    Accepted,
    BackendLost,
    CalibrationChanged,
    CancelFailed,
    CancelRequested,
    Collected,
    CollectFailed,
    Deadline,
    Deleted,
    Dispatch,
    ErrorKind,
    Event,
    FellBack,
    FindFailed,
    Found,
    Lost,
    Moved,
    Placed,
    Recovered,
    RemoteState,
    Reported,
    Resumed,
    SubmitFailed,
    Submitted,
    Suspended,
    Unplaceable,
    Woken,
)
from qsched.lifecycle.state import (
    LIVE_ATTEMPT,
    TERMINAL,
    Attempt,
    AttemptState,
    Call,
    Ending,
    EndingKind,
    FallbackPolicy,
    Policy,
    State,
    deadline_at,
    new_state,
    policy_of,
    settled,
)

__all__ = [
    "LIVE_ATTEMPT",
    "TERMINAL",
    "Accepted",
    "Attempt",
    "AttemptState",
    "BackendLost",
    "CalibrationChanged",
    "Call",
    "Cancel",
    "CancelFailed",
    "CancelRequested",
    "Collect",
    "CollectFailed",
    "Collected",
    "CreatePod",
    "Deadline",
    "Deleted",
    "Dispatch",
    "Effect",
    "Ending",
    "EndingKind",
    "ErrorKind",
    "Event",
    "FallbackPolicy",
    "FellBack",
    "Find",
    "FindFailed",
    "Forget",
    "Found",
    "Lost",
    "Moved",
    "Placed",
    "Policy",
    "Record",
    "Recovered",
    "RemoteState",
    "Reported",
    "Resumed",
    "RetryAt",
    "State",
    "StoreResult",
    "Submit",
    "SubmitFailed",
    "Submitted",
    "Suspended",
    "UngatePod",
    "Unplaceable",
    "Woken",
    "deadline_at",
    "new_state",
    "policy_of",
    "settled",
]
