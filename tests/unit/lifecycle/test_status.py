"""What users read of a state."""

from __future__ import annotations

import pytest

from qsched.api.quantities import utc
from qsched.errors import StoreError
from qsched.lifecycle.backoff import token_of
from qsched.lifecycle.codec import decode_state, encode_state
from qsched.lifecycle.machine import step
from qsched.lifecycle.status import conditions, status, story
from qsched.lifecycle.types import (
    Accepted,
    CancelRequested,
    Collected,
    Dispatch,
    Event,
    FellBack,
    Placed,
    Policy,
    Record,
    Reported,
    State,
    Submitted,
    Suspended,
    Unplaceable,
    new_state,
)

TOKEN = token_of("uid", 1)
RUN = (
    Accepted(at=10.0),
    Placed(at=11.0, backend="kyoto"),
    Dispatch(at=12.0),
    Submitted(at=13.5, token=TOKEN, remote_id="r1"),
    Reported(at=20.0, token=TOKEN, state="Running"),
)
DONE = (*RUN, Reported(at=80.0, token=TOKEN, state="Succeeded"), Collected(at=81.0, token=TOKEN))


def live(events: tuple[Event, ...], policy: Policy = Policy()) -> tuple[State, list[Record]]:  # noqa: B008
    state, records = new_state("uid", policy, 10.0), []
    for event in events:
        state, effects = step(state, event)
        records += [effect for effect in effects if isinstance(effect, Record)]
    return state, records


def seen(events: tuple[Event, ...], policy: Policy = Policy()) -> dict[str, tuple[str, str, float]]:  # noqa: B008
    found = conditions(live(events, policy)[0])
    return {c.type: (c.status, c.reason, c.last_transition_time.timestamp()) for c in found}


def test_a_new_job_is_accepted_and_not_yet_scheduled() -> None:
    assert seen(RUN[:1]) == {"Accepted": ("True", "Accepted", 10.0), "Scheduled": ("False", "Accepted", 10.0)}


def test_a_running_job_is_scheduled_since_its_placement_and_runs_since_it_was_seen_to() -> None:
    assert seen(RUN) == {
        "Accepted": ("True", "Accepted", 10.0),
        "Scheduled": ("True", "Placed", 11.0),
        "Running": ("True", "Running", 20.0),
    }


def test_a_complete_job_runs_no_more() -> None:
    found = seen(DONE)
    assert found["Running"] == ("False", "Completed", 81.0)
    assert found["Complete"] == ("True", "Completed", 81.0)
    assert "Failed" not in found


def test_conditions_say_why_a_job_waits_is_suspended_or_was_cancelled() -> None:
    waits = seen((RUN[0], Unplaceable(at=15.0, message="all are offline")))
    assert waits["Scheduled"] == ("False", "Unplaceable", 10.0)
    assert seen((RUN[0], Suspended(at=16.0)))["Suspended"] == ("True", "Suspended", 16.0)
    assert seen((RUN[0], CancelRequested(at=17.0)))["Failed"] == ("True", "Cancelled", 17.0)


def test_the_twin_of_a_fallback_is_named() -> None:
    fell = FellBack(at=12.0, backend="kyoto-twin", intended_backend="kyoto", message="kyoto is offline")
    state, _ = live((RUN[0], fell), Policy(fallback="OnUnavailable"))
    scheduled = next(c for c in conditions(state) if c.type == "Scheduled")
    assert scheduled.message == "placed on kyoto-twin, the twin of kyoto"


def test_the_status_shows_attempts_and_times() -> None:
    shown = status(live(DONE)[0])
    assert (shown.phase, shown.submitted_at, shown.started_at, shown.finished_at) == (
        "Complete", utc(10.0), utc(20.0), utc(81.0),
    )  # fmt: skip
    (attempt,) = shown.attempts
    assert (attempt.token, attempt.backend, attempt.remote_id, attempt.state) == (
        TOKEN,
        "kyoto",
        "r1",
        "Succeeded",
    )
    assert (attempt.started_at, attempt.finished_at) == (utc(20.0), utc(81.0))


def test_the_story_tells_what_happened_and_when() -> None:
    assert story(live(DONE)[1]) == [
        "+0s Accepted: the job is valid",
        "+1s Placed: placed on kyoto",
        "+2s Submitting: attempt 1 goes to kyoto",
        "+3.5s Queued: queued at kyoto as r1",
        "+10s Running: running on kyoto",
        "+1m10s Collecting: kyoto is done",
        "+1m11s Completed: the result is stored",
    ]
    assert story([]) == []


def test_a_state_survives_the_store_and_stays_small() -> None:
    state, _ = live(DONE)
    data = encode_state(state)
    assert decode_state(data) == state
    assert len(data) < 600


def test_bytes_that_are_no_state_are_refused() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        decode_state(b"\x81\xa3uid\x01")
