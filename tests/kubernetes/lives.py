"""Lives of jobs, as events: at their ends there is a job in every phase, some on unusual ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched.lifecycle.backoff import token_of
from qsched.lifecycle.machine import step
from qsched.lifecycle.types import (
    Accepted,
    CancelRequested,
    Collected,
    Dispatch,
    Event,
    FellBack,
    Placed,
    PodsEnded,
    Policy,
    Reported,
    State,
    SubmitFailed,
    Submitted,
    Suspended,
    Unplaceable,
    new_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

UID = "8870e6c7-9cdb-4444-83df-c6488d5ad53d"
TOKEN = token_of(UID, 1)
START = 1.8e9

PLACED = (Accepted(at=START), Placed(at=START + 1, backend="boston", message="score .82"))
SUBMITTING = (*PLACED, Dispatch(at=START + 2))
QUEUED = (*SUBMITTING, Submitted(at=START + 3, token=TOKEN, remote_id="r-1"))
RUNNING = (*QUEUED, Reported(at=START + 4, token=TOKEN, state="Running"))
COLLECTING = (*RUNNING, Reported(at=START + 9, token=TOKEN, state="Succeeded"))

PLAIN = Policy()
HYBRID = Policy(hybrid=True, backoff_limit=1, active_deadline_s=3600.0)
LIVES: dict[str, tuple[Policy, tuple[Event, ...]]] = {
    "waits": (PLAIN, (Accepted(at=START), Unplaceable(at=START + 1, message="no backend has 200 qubits"))),
    "is-placed": (PLAIN, PLACED),
    "is-submitted": (PLAIN, SUBMITTING),
    "is-queued": (PLAIN, QUEUED),
    "runs": (PLAIN, RUNNING),
    "is-collected": (PLAIN, COLLECTING),
    "completes": (PLAIN, (*COLLECTING, Collected(at=START + 10, token=TOKEN))),
    "fails": (PLAIN, (Accepted(at=START), Unplaceable(at=START + 1, message="no circuit", permanent=True))),
    "is-cancelled": (PLAIN, (*PLACED, CancelRequested(at=START + 2))),
    "is-held": (PLAIN, (*PLACED, Suspended(at=START + 2))),
    "stops": (PLAIN, (*RUNNING, Suspended(at=START + 5))),
    "is-retried": (
        PLAIN,
        (
            *RUNNING,
            Reported(at=START + 9, token=TOKEN, state="Failed", message="the device is down"),
            Placed(at=START + 60, backend="torino"),
            Dispatch(at=START + 61),
        ),
    ),
    "is-rejected": (
        PLAIN,
        (*SUBMITTING, SubmitFailed(at=START + 3, token=TOKEN, kind="Rejected", message='no "µ" gate here')),
    ),
    "is-in-doubt": (
        PLAIN,
        (*SUBMITTING, SubmitFailed(at=START + 3, token=TOKEN, kind="Unavailable", message="no answer")),
    ),
    "falls-back": (
        Policy(fallback="OnUnavailable"),
        (
            *PLACED,
            FellBack(
                at=START + 2, backend="boston-twin", intended_backend="boston", message="boston is offline"
            ),
        ),
    ),
    "waits-for-pods": (HYBRID, (*COLLECTING, Collected(at=START + 10, token=TOKEN))),
    "lost-its-pods": (
        HYBRID,
        (*RUNNING, PodsEnded(at=START + 5, round=1, succeeded=False, message="evicted")),
    ),
}


def states(life: str) -> Iterator[State]:
    """The states of a life, one after the other."""
    policy, events = LIVES[life]
    state = new_state(UID, policy, START)
    for event in events:
        state, _ = step(state, event)
        yield state
