"""What each event does to a job, told as short lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from qsched.api.job import Circuit, Classical, Fallback, JobSpec
from qsched.lifecycle.backoff import (
    MAX_ATTEMPTS,
    MAX_SUBMITS,
    MAX_WRITES,
    SETTLE_S,
    STOP_GRACE_S,
    backoff_s,
    token_of,
)
from qsched.lifecycle.machine import step
from qsched.lifecycle.types import (
    Accepted,
    BackendLost,
    CalibrationChanged,
    Cancel,
    CancelFailed,
    CancelRequested,
    Collect,
    Collected,
    CollectFailed,
    CreatePods,
    Deadline,
    Deleted,
    DeletePods,
    Dispatch,
    Effect,
    Event,
    FellBack,
    Find,
    FindFailed,
    Forget,
    Found,
    Lost,
    Moved,
    Placed,
    PodsEnded,
    Policy,
    Record,
    Recovered,
    Reported,
    Resumed,
    RetryAt,
    State,
    StoreResult,
    Submit,
    SubmitFailed,
    Submitted,
    Suspended,
    UngatePods,
    Unplaceable,
    Woken,
    new_state,
    policy_of,
    settled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

T1 = token_of("uid", 1)
T2 = token_of("uid", 2)


class Life:
    """A job and everything that was asked for it, but records."""

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008 - immutable
        self.state: State = new_state("uid", policy, 0.0)
        self.records: list[Record] = []
        self.last: list[Effect] = []
        self.tell(Accepted(at=0.0))

    def tell(self, *events: Event) -> Life:
        for event in events:
            self.state, effects = step(self.state, event)
            self.records += [effect for effect in effects if isinstance(effect, Record)]
            self.last = [effect for effect in effects if not isinstance(effect, Record)]
        return self

    def calls(self) -> list[Effect]:
        return [effect for effect in self.last if not isinstance(effect, RetryAt)]


def submitting(policy: Policy = Policy()) -> Life:  # noqa: B008 - immutable
    return Life(policy).tell(Placed(at=1.0, backend="kyoto"), Dispatch(at=2.0))


def queued(policy: Policy = Policy()) -> Life:  # noqa: B008 - immutable
    return submitting(policy).tell(Submitted(at=3.0, token=T1, remote_id="r1"))


def running(policy: Policy = Policy()) -> Life:  # noqa: B008 - immutable
    return queued(policy).tell(Reported(at=4.0, token=T1, state="Running"))


def collecting(policy: Policy = Policy()) -> Life:  # noqa: B008 - immutable
    return running(policy).tell(Reported(at=5.0, token=T1, state="Succeeded"))


def lost_answer(at: float = 3.0, token: str = T1) -> SubmitFailed:
    return SubmitFailed(at=at, token=token, kind="Unavailable", message="connection reset")


def test_a_job_goes_through_every_phase_to_its_result() -> None:
    life = Life()
    phases = [life.state.phase]
    asked: list[Sequence[Effect]] = []
    for event in (
        Placed(at=1.0, backend="kyoto"),
        Dispatch(at=2.0),
        Submitted(at=3.0, token=T1, remote_id="r1"),
        Reported(at=4.0, token=T1, state="Running"),
        Reported(at=5.0, token=T1, state="Succeeded"),
        Collected(at=6.0, token=T1),
    ):
        life.tell(event)
        phases.append(life.state.phase)
        asked.append(life.last)
    assert phases == ["Pending", "Placed", "Submitting", "Queued", "Running", "Collecting", "Complete"]
    assert asked == [
        [],
        [Submit(token=T1, backend="kyoto")],
        [],
        [],
        [Collect(token=T1, backend="kyoto", remote_id="r1")],
        [StoreResult(token=T1)],
    ]
    assert [record.type for record in life.records] == [
        "Accepted", "Placed", "Submitting", "Queued", "Running", "Collecting", "Completed",
    ]  # fmt: skip
    assert (life.state.placed_at, life.state.started_at, life.state.finished_at) == (1.0, 4.0, 6.0)
    assert settled(life.state)


def test_an_event_that_changes_nothing_returns_the_same_state() -> None:
    state = queued().state
    for event in (Dispatch(at=9.0), Placed(at=9.0, backend="x"), Reported(at=9.0, token=T1, state="Queued")):
        assert step(state, event) == (state, ())


def test_a_placed_job_may_be_placed_anew_until_it_is_dispatched() -> None:
    life = Life().tell(Placed(at=1.0, backend="kyoto"), Placed(at=2.0, backend="toronto"))
    assert (life.state.phase, life.state.backend, life.state.placed_at) == ("Placed", "toronto", 2.0)


def test_a_placed_job_waits_again_when_its_backend_goes_offline() -> None:
    life = Life().tell(Placed(at=1.0, backend="kyoto"))
    assert life.tell(BackendLost(at=2.0, backend="lagos", message="offline")).state.phase == "Placed"
    life.tell(BackendLost(at=3.0, backend="kyoto", message="offline"))
    assert (life.state.phase, life.state.backend, life.state.reason) == ("Pending", None, "BackendLost")


def test_a_new_calibration_is_noted_while_the_job_is_placed_there() -> None:
    life = Life().tell(Placed(at=1.0, backend="kyoto"))
    life.tell(CalibrationChanged(at=2.0, backend="lagos", calibration_id="ab"))
    life.tell(CalibrationChanged(at=2.0, backend="kyoto", calibration_id="cd"))
    assert [record.message for record in life.records][2:] == ["kyoto was calibrated anew (cd)"]


def test_being_unplaceable_is_said_once_and_fails_the_job_only_for_good() -> None:
    life = Life()
    for at in (1.0, 2.0, 3.0):
        life.tell(Unplaceable(at=at, message="all backends are offline"))
    assert [record.type for record in life.records] == ["Accepted", "Unplaceable"]
    assert life.state.phase == "Pending"
    life.tell(Unplaceable(at=4.0, message="no backend has 400 qubits", permanent=True))
    assert (life.state.phase, life.state.message) == ("Failed", "no backend has 400 qubits")


def test_after_a_lost_answer_the_token_is_looked_up_before_anything_is_submitted() -> None:
    life = submitting().tell(lost_answer())
    assert life.calls() == []
    assert life.tell(Woken(at=life.state.retry_at)).calls() == [Find(token=T1, backend="kyoto")]
    assert life.tell(Woken(at=50.0)).calls() == [], "one find at a time"
    life.tell(Found(at=51.0, token=T1, remote_id="r1", state="Running"))
    assert life.state.phase == "Running"


def test_a_task_that_never_arrived_is_submitted_again_with_the_same_token() -> None:
    life = submitting().tell(lost_answer(), Woken(at=10.0), Found(at=11.0, token=T1))
    assert life.calls() == [Submit(token=T1, backend="kyoto")]
    assert len(life.state.attempts) == 1


def test_the_token_is_given_up_only_when_no_late_request_can_arrive_any_more() -> None:
    life = submitting()
    at = 3.0
    for _ in range(MAX_SUBMITS):
        life.tell(lost_answer(at))
        at = life.state.retry_at
        life.tell(Woken(at=at), Found(at=at, token=T1))
    assert life.state.phase == "Submitting", "the last request may still be on its way"
    sure = life.state.doubt_until
    while at < sure:
        at = life.state.retry_at
        life.tell(Woken(at=at), Found(at=at, token=T1))
    assert at == sure
    assert (life.state.phase, life.state.reason, life.state.failures) == ("Pending", "Unavailable", 0)
    assert life.state.retry_at > at
    life.tell(Placed(at=life.state.retry_at, backend="toronto"), Dispatch(at=at + 100))
    assert life.calls() == [Submit(token=T2, backend="toronto")]


def test_a_find_without_an_answer_is_repeated() -> None:
    life = submitting().tell(lost_answer(), Woken(at=10.0))
    life.tell(FindFailed(at=11.0, token=T1, kind="Unavailable", message="down"))
    assert life.tell(Woken(at=life.state.retry_at)).calls() == [Find(token=T1, backend="kyoto")]


def test_a_rate_limit_is_respected() -> None:
    life = submitting().tell(
        SubmitFailed(at=3.0, token=T1, kind="RateLimited", message="429", retry_after_s=120.0)
    )
    assert life.last == [RetryAt(at=123.0)]
    assert life.tell(Woken(at=60.0)).calls() == []


def test_patience_costs_no_try_in_the_first_minute() -> None:
    life = submitting()
    for number in range(20):
        at = 3.0 + 2.0 * number
        life.tell(SubmitFailed(at=at, token=T1, kind="RateLimited", message="429", retry_after_s=1.0))
        assert life.state.tries == 0
        life.tell(Woken(at=at + 1.5), Found(at=at + 1.5, token=T1))
        assert life.calls() == [Submit(token=T1, backend="kyoto")]
    life.tell(SubmitFailed(at=70.0, token=T1, kind="RateLimited", message="429", retry_after_s=1.0))
    assert life.state.tries == 1


def test_a_task_that_was_taken_in_part_is_completed_however_often_it_fails() -> None:
    life = submitting()
    at = 3.0
    for _ in range(3 * MAX_SUBMITS):
        life.tell(SubmitFailed(at=at, token=T1, kind="Unavailable", message="500"))
        at = life.state.retry_at
        life.tell(Woken(at=at), FindFailed(at=at, token=T1, kind="PartlyTaken", message="1 of 2"))
        assert life.calls() == [Submit(token=T1, backend="kyoto")]
    life.tell(Submitted(at=at, token=T1, remote_id="r1"))
    assert life.state.phase == "Queued"


def test_a_cancelled_job_does_not_complete_what_was_taken_in_part() -> None:
    life = submitting().tell(lost_answer(), CancelRequested(at=8.0), Woken(at=10.0))
    life.tell(FindFailed(at=11.0, token=T1, kind="PartlyTaken", message="1 of 2"))
    assert life.calls() == []


def test_a_rejected_job_goes_elsewhere_and_never_back() -> None:
    life = submitting(Policy(backoff_limit=0))
    life.tell(SubmitFailed(at=3.0, token=T1, kind="Rejected", message="too wide"))
    assert (life.state.phase, life.state.excluded, life.state.failures) == ("Pending", ("kyoto",), 0)
    assert life.tell(Placed(at=4.0, backend="kyoto")).state.phase == "Pending"
    assert life.tell(Placed(at=4.0, backend="lagos")).state.phase == "Placed"


def test_a_rejection_after_a_lost_answer_waits_for_the_first_request() -> None:
    life = submitting().tell(lost_answer(), Woken(at=10.0), Found(at=10.0, token=T1))
    life.tell(SubmitFailed(at=11.0, token=T1, kind="Rejected", message="too wide"))
    assert life.state.phase == "Submitting"
    life.tell(Woken(at=12.0), Found(at=12.0, token=T1, remote_id="r1"))
    assert life.state.phase == "Queued", "the first request arrived after all"
    assert life.state.ending is None


def test_missing_credentials_count_against_the_backoff_limit() -> None:
    life = submitting(Policy(backoff_limit=0))
    life.tell(SubmitFailed(at=3.0, token=T1, kind="Unauthenticated", message="token expired"))
    assert (life.state.phase, life.state.reason) == ("Failed", "BackoffLimitExceeded")
    assert "token expired" in life.state.message


def test_a_job_that_can_run_nowhere_fails_at_once() -> None:
    life = submitting().tell(
        SubmitFailed(at=3.0, token=T1, kind="Invalid", message="circuit a cannot be read")
    )
    assert (life.state.phase, life.state.reason) == ("Failed", "Invalid")


def test_a_failed_task_is_retried_with_a_growing_delay_until_the_limit() -> None:
    life = Life(Policy(backoff_limit=2))
    at, delays = 0.0, []
    for number in (1, 2, 3):
        token = token_of("uid", number)
        life.tell(
            Placed(at=at, backend="kyoto"),
            Dispatch(at=at),
            Submitted(at=at, token=token, remote_id=f"r{number}"),
            Reported(at=at, token=token, state="Failed", message="qubit 3 is dead"),
        )
        delays.append(life.state.retry_at - at)
        at = life.state.retry_at
    assert delays[1] > delays[0] >= 0.5
    assert (life.state.phase, life.state.reason) == ("Failed", "BackoffLimitExceeded")
    assert life.state.message == "qubit 3 is dead (attempt 3; backoffLimit is 2)"
    assert [attempt.state for attempt in life.state.attempts] == ["Failed"] * 3


def test_a_pending_job_is_not_placed_before_its_backoff_is_over() -> None:
    life = running().tell(Reported(at=5.0, token=T1, state="Failed"))
    again = life.state.retry_at
    assert life.last == [RetryAt(at=again)]
    assert life.tell(Placed(at=again - 0.1, backend="lagos")).state.phase == "Pending"
    assert life.tell(Placed(at=again, backend="lagos")).state.phase == "Placed"


def test_a_queued_job_moves_only_after_the_provider_confirms_the_cancellation() -> None:
    life = queued().tell(Moved(at=5.0, message="lagos is 40 s faster"))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    assert life.state.phase == "Queued"
    assert life.tell(Woken(at=life.state.retry_at)).calls() == [
        Cancel(token=T1, backend="kyoto", remote_id="r1")
    ]
    life.tell(Reported(at=20.0, token=T1, state="Cancelled"))
    assert (life.state.phase, life.state.reason, life.state.failures) == ("Pending", "Moved", 0)


def test_a_move_that_comes_too_late_keeps_the_result() -> None:
    life = queued().tell(
        BackendLost(at=5.0, backend="kyoto", message="offline"), Reported(at=6.0, token=T1, state="Succeeded")
    )
    assert life.state.phase == "Collecting"
    assert life.calls() == [Collect(token=T1, backend="kyoto", remote_id="r1")]


def test_a_task_that_cannot_be_cancelled_is_not_moved() -> None:
    life = queued().tell(Moved(at=5.0, message="lagos is faster"))
    life.tell(CancelFailed(at=6.0, token=T1, kind="Rejected", message="it is about to start"))
    assert life.state.ending is None
    assert life.tell(Reported(at=7.0, token=T1, state="Running")).state.phase == "Running"


def test_a_running_task_survives_an_offline_notice() -> None:
    life = running().tell(BackendLost(at=5.0, backend="kyoto", message="offline"))
    assert (life.state.phase, life.state.ending) == ("Running", None)


def test_a_task_unknown_to_a_poll_is_looked_up_before_it_is_given_up() -> None:
    life = queued().tell(Lost(at=5.0, token=T1))
    assert life.calls() == [Find(token=T1, backend="kyoto")]
    assert life.tell(Found(at=6.0, token=T1)).state.phase == "Queued", "lists lag behind submissions"
    late = 3.0 + SETTLE_S
    life.tell(Lost(at=late, token=T1), Found(at=late, token=T1))
    assert (life.state.phase, life.state.reason, life.state.failures) == ("Pending", "TaskLost", 1)


def test_a_lost_task_that_the_token_finds_goes_on_where_it_is() -> None:
    life = queued().tell(Lost(at=5.0, token=T1), Found(at=6.0, token=T1, remote_id="r1", state="Succeeded"))
    assert life.state.phase == "Collecting"


def test_cancelling_a_waiting_job_is_immediate() -> None:
    life = Life().tell(CancelRequested(at=1.0))
    assert (life.state.phase, life.state.reason, life.state.message) == (
        "Cancelled", "Cancelled", "cancelled by the user",
    )  # fmt: skip


def test_cancelling_during_a_submission_cancels_the_task_as_soon_as_it_is_known() -> None:
    life = submitting().tell(CancelRequested(at=2.5))
    assert life.calls() == [], "the submission is under way"
    life.tell(Submitted(at=3.0, token=T1, remote_id="r1"))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    life.tell(Reported(at=4.0, token=T1, state="Cancelled"))
    assert life.state.phase == "Cancelled"


def test_cancelling_after_a_lost_answer_finds_the_task_first() -> None:
    life = submitting().tell(lost_answer(), CancelRequested(at=4.0))
    assert life.calls() == [Find(token=T1, backend="kyoto")]
    life.tell(Found(at=5.0, token=T1, remote_id="r1"))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]


def test_a_result_that_comes_after_a_cancellation_is_not_wanted() -> None:
    life = running().tell(CancelRequested(at=5.0), Reported(at=6.0, token=T1, state="Succeeded"))
    assert life.state.phase == "Cancelled"
    assert collecting().tell(CancelRequested(at=6.0)).state.phase == "Cancelled"


def test_a_cancellation_that_nobody_confirms_ends_the_job_and_goes_on_behind_it() -> None:
    life = running().tell(CancelRequested(at=5.0), Woken(at=5.0 + STOP_GRACE_S))
    assert life.state.phase == "Cancelled"
    assert "may still run" in life.state.message
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    assert not settled(life.state)
    life.tell(Reported(at=90.0, token=T1, state="Cancelled"))
    assert settled(life.state)
    assert life.state.finished_at == 5.0 + STOP_GRACE_S


def test_a_task_that_starts_after_the_job_has_ended_does_not_bring_the_job_back() -> None:
    life = queued().tell(CancelRequested(at=5.0), Woken(at=5.0 + STOP_GRACE_S))
    life.tell(Reported(at=80.0, token=T1, state="Running"))
    assert life.state.phase == "Cancelled"
    life.tell(Reported(at=90.0, token=T1, state="Succeeded"))
    assert (life.state.phase, life.calls(), settled(life.state)) == ("Cancelled", [], True)


def test_a_deleted_job_is_forgotten_once_its_task_is_gone() -> None:
    life = running().tell(Deleted(at=5.0))
    assert Forget() not in life.last
    assert life.tell(Reported(at=6.0, token=T1, state="Cancelled")).last == [Forget()]
    assert Life().tell(Deleted(at=1.0)).last == [Forget()]
    assert collecting().tell(Collected(at=6.0, token=T1), Deleted(at=7.0)).last == [Forget()]


def test_the_active_deadline_fails_the_job_in_whatever_phase() -> None:
    policy = Policy(active_deadline_s=60.0)
    life = Life(policy)
    assert life.last == [RetryAt(at=60.0)]
    assert life.tell(Woken(at=59.0)).state.phase == "Pending"
    assert life.tell(Woken(at=60.0)).state.reason == "DeadlineExceeded"
    assert collecting(policy).tell(Woken(at=60.0)).state.phase == "Failed"
    life = running(policy).tell(Woken(at=60.0))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    life.tell(Reported(at=61.0, token=T1, state="Succeeded"))
    assert (life.state.phase, life.state.reason) == ("Failed", "DeadlineExceeded")
    assert Life().tell(Deadline(at=1.0, message="completeBy has passed")).state.phase == "Failed"


def test_a_suspended_job_has_no_deadline_until_it_is_resumed() -> None:
    life = Life(Policy(active_deadline_s=60.0)).tell(Placed(at=1.0, backend="kyoto"), Suspended(at=2.0))
    assert (life.state.phase, life.state.backend) == ("Suspended", None)
    assert life.tell(Woken(at=60.0)).state.phase == "Suspended"
    life.tell(Resumed(at=100.0))
    assert life.last == [RetryAt(at=160.0)]
    assert life.tell(Woken(at=160.0)).state.phase == "Failed"


def test_a_job_may_be_submitted_suspended() -> None:
    state, _ = step(new_state("uid", Policy(), 0.0), Accepted(at=0.0, suspend=True))
    assert state.phase == "Suspended"
    assert step(state, Resumed(at=1.0))[0].phase == "Pending"


def test_suspending_a_running_job_cancels_its_task_and_resuming_may_overtake_it() -> None:
    life = running().tell(Suspended(at=5.0))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    assert replace(life.state) == life.state
    gone = Reported(at=6.0, token=T1, state="Cancelled")
    assert step(life.state, gone)[0].phase == "Suspended"
    assert life.tell(Resumed(at=5.5), gone).state.phase == "Pending"
    assert life.state.failures == 0


def test_a_fallback_is_marked_and_a_later_placement_unmarks_it() -> None:
    fell = FellBack(at=1.0, backend="kyoto-twin", intended_backend="kyoto", message="kyoto is offline")
    assert Life(Policy(fallback="Never")).tell(fell).state.phase == "Pending"
    life = Life(Policy(fallback="OnUnavailable")).tell(fell)
    assert (life.state.phase, life.state.backend, life.state.intended_backend) == (
        "Placed",
        "kyoto-twin",
        "kyoto",
    )
    assert life.tell(Placed(at=2.0, backend="kyoto")).state.intended_backend is None


def test_a_queued_job_falls_back_only_after_its_task_is_cancelled() -> None:
    fell = FellBack(at=5.0, backend="kyoto-twin", intended_backend="kyoto", message="kyoto is offline")
    life = queued(Policy(fallback="OnUnavailable")).tell(fell)
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    life.tell(Reported(at=6.0, token=T1, state="Cancelled"), replace(fell, at=7.0))
    assert (life.state.phase, life.state.intended_backend) == ("Placed", "kyoto")


def test_after_a_crash_a_submission_is_looked_up() -> None:
    life = submitting().tell(Recovered(at=10.0))
    assert life.calls() == [Find(token=T1, backend="kyoto")]
    life.tell(CancelRequested(at=11.0), Found(at=12.0, token=T1))
    assert life.state.phase == "Submitting", "the dead engine's request may still arrive"
    life.tell(Woken(at=10.0 + SETTLE_S), Found(at=10.0 + SETTLE_S, token=T1))
    assert life.state.phase == "Cancelled"


def test_after_a_crash_a_result_is_collected_again_and_polls_go_on() -> None:
    assert collecting().tell(Recovered(at=9.0)).calls() == [
        Collect(token=T1, backend="kyoto", remote_id="r1")
    ]
    assert running().tell(Recovered(at=9.0)).calls() == []
    life = running().tell(CancelRequested(at=5.0), Recovered(at=9.0))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    assert RetryAt(at=5.0 + STOP_GRACE_S) in life.last
    assert Life().tell(Deleted(at=1.0), Recovered(at=2.0)).last == [Forget()]
    waiting = running().tell(Reported(at=5.0, token=T1, state="Failed"))
    assert waiting.tell(Recovered(at=5.1)).last == [RetryAt(at=waiting.state.retry_at)]


def test_collecting_is_repeated_while_the_provider_is_away() -> None:
    life = collecting()
    for _ in range(20):
        life.tell(CollectFailed(at=life.state.retry_at, token=T1, kind="Unavailable", message="down"))
        life.tell(Woken(at=life.state.retry_at))
        assert life.calls() == [Collect(token=T1, backend="kyoto", remote_id="r1")]
    assert life.state.failures == 0


def test_a_result_that_cannot_be_written_fails_the_job_after_some_tries() -> None:
    life = collecting()
    for _ in range(MAX_WRITES):
        assert life.state.phase == "Collecting"
        at = life.state.retry_at
        life.tell(CollectFailed(at=at, token=T1, kind="ResultError", message="s3://x is not writable"))
        life.tell(Woken(at=life.state.retry_at))
    assert (life.state.phase, life.state.reason) == ("Failed", "ResultNotWritten")


def test_a_result_that_the_provider_lost_is_computed_again() -> None:
    life = collecting().tell(CollectFailed(at=6.0, token=T1, kind="NotFound", message="expired"))
    assert (life.state.phase, life.state.reason, life.state.failures) == ("Pending", "ResultLost", 1)


def test_a_second_task_with_one_token_is_cancelled() -> None:
    life = running().tell(Submitted(at=5.0, token=T1, remote_id="r9"))
    assert life.calls() == [Cancel(token=T1, backend="kyoto", remote_id="r9")]
    assert life.state.attempt is not None
    assert life.state.attempt.remote_id == "r1"


def test_a_live_task_of_an_ended_attempt_is_cancelled_and_changes_nothing() -> None:
    life = running().tell(Reported(at=5.0, token=T1, state="Failed"))
    at = life.state.retry_at
    life.tell(Placed(at=at, backend="lagos"), Dispatch(at=at), Submitted(at=at, token=T2, remote_id="r2"))
    before = life.state
    for stray in (
        Submitted(at=at, token=T1, remote_id="r1"),
        Found(at=at, token=T1, remote_id="r1"),
        Reported(at=at, token=T1, state="Running"),
    ):
        assert life.tell(stray).calls() == [Cancel(token=T1, backend="kyoto", remote_id="r1")]
    for old in (
        lost_answer(at, T1),
        Lost(at=at, token=T1),
        Reported(at=at, token=T1, state="Succeeded"),
        Found(at=at, token=T1),
        Collected(at=at, token=T1),
    ):
        assert life.tell(old).last == []
    assert life.state == before


def test_a_late_answer_to_an_older_question_is_no_answer_to_the_next() -> None:
    life = submitting().tell(Found(at=3.0, token=T1))
    assert (life.state.phase, life.state.call, life.last) == ("Submitting", "Submit", [])


def test_the_pods_of_a_hybrid_job_are_made_gated_and_ungated_with_its_slot() -> None:
    life = Life(Policy(hybrid=True))
    assert life.last == [CreatePods(round=1)]
    life.tell(Placed(at=1.0, backend="kyoto"), Dispatch(at=2.0))
    ungate = UngatePods(round=1, backend="kyoto")
    assert life.last == [ungate, Submit(token=T1, backend="kyoto")]
    assert life.tell(Recovered(at=3.0)).calls()[:2] == [CreatePods(round=1), ungate]


def hybrid(backoff_limit: int = 3) -> Life:
    """A hybrid job whose circuits run."""
    return Life(Policy(hybrid=True, backoff_limit=backoff_limit)).tell(
        Placed(at=1.0, backend="kyoto"),
        Dispatch(at=2.0),
        Submitted(at=3.0, token=T1, remote_id="r1", state="Running"),
    )


def test_a_hybrid_job_completes_once_its_circuits_and_its_pods_have() -> None:
    life = hybrid().tell(Reported(at=4.0, token=T1, state="Succeeded"), Collected(at=5.0, token=T1))
    assert (life.state.phase, life.state.reason) == ("Collecting", "WaitingForPods")
    assert life.state.attempt is not None, "it keeps its slot"
    assert life.last == [StoreResult(token=T1)]
    life.tell(Recovered(at=6.0))
    assert not [call for call in life.last if isinstance(call, Collect)]
    life.tell(PodsEnded(at=9.0, round=1, succeeded=True, message="1 pod succeeded"))
    assert (life.state.phase, life.state.finished_at) == ("Complete", 9.0)
    assert life.state.attempt is None


def test_pods_that_end_first_wait_for_the_circuits() -> None:
    life = hybrid().tell(PodsEnded(at=4.0, round=1, succeeded=True, message=""))
    assert life.state.phase == "Running"
    life.tell(Reported(at=5.0, token=T1, state="Succeeded"), Collected(at=6.0, token=T1))
    assert life.state.phase == "Complete"


def test_a_failed_pod_cancels_the_task_and_begins_a_new_round() -> None:
    life = hybrid().tell(PodsEnded(at=4.0, round=1, succeeded=False, message="exit code 1"))
    assert Cancel(token=T1, backend="kyoto", remote_id="r1") in life.last
    assert CreatePods(round=2) in life.last
    life.tell(Reported(at=5.0, token=T1, state="Cancelled"))
    assert (life.state.phase, life.state.failures) == ("Pending", 1)
    before = life.state
    life.tell(PodsEnded(at=6.0, round=1, succeeded=False, message="late word of the first round"))
    assert life.state == before


def test_a_task_that_succeeds_before_a_failed_pod_cancels_it_is_run_again_with_the_next() -> None:
    life = hybrid(backoff_limit=1).tell(PodsEnded(at=4.0, round=1, succeeded=False, message="exit code 1"))
    life.tell(Reported(at=5.0, token=T1, state="Succeeded"))
    assert (life.state.phase, life.state.failures) == ("Pending", 1)
    life.tell(Placed(at=60.0, backend="kyoto"), Dispatch(at=61.0))
    assert UngatePods(round=2, backend="kyoto") in life.last
    life.tell(PodsEnded(at=62.0, round=2, succeeded=False, message="exit code 1"))
    token = life.state.attempts[-1].token
    life.tell(Submitted(at=63.0, token=token, remote_id="r2", state="Running"))
    life.tell(Reported(at=64.0, token=token, state="Succeeded"))
    assert (life.state.phase, life.state.reason) == ("Failed", "BackoffLimitExceeded")


def test_pods_of_a_resumed_job_open_when_its_task_succeeds_before_it_is_cancelled() -> None:
    life = hybrid().tell(Suspended(at=4.0), Resumed(at=5.0))
    assert CreatePods(round=2) in life.last
    life.tell(Reported(at=6.0, token=T1, state="Succeeded"))
    assert life.state.phase == "Collecting"
    assert UngatePods(round=2, backend="kyoto") in life.last


def test_pods_that_go_on_failing_fail_the_job() -> None:
    life = Life(Policy(hybrid=True, backoff_limit=1))
    life.tell(PodsEnded(at=1.0, round=1, succeeded=False, message="evicted"))
    assert (life.state.phase, life.state.reason) == ("Pending", "PodFailed")
    life.tell(PodsEnded(at=9.0, round=2, succeeded=False, message="evicted"))
    assert (life.state.phase, life.state.reason) == ("Failed", "BackoffLimitExceeded")
    assert DeletePods(round=2) in life.last


@pytest.mark.parametrize("end", [CancelRequested(at=4.0), Deadline(at=4.0, message="late")])
def test_the_pods_of_a_job_that_is_ended_are_deleted(end: Event) -> None:
    life = hybrid().tell(end, Reported(at=5.0, token=T1, state="Cancelled"))
    assert life.state.terminal
    assert DeletePods(round=1) in life.last


def test_a_suspended_hybrid_job_loses_its_pods_and_gets_new_ones() -> None:
    life = hybrid().tell(Suspended(at=4.0))
    assert DeletePods(round=1) in life.last
    life.tell(Reported(at=5.0, token=T1, state="Cancelled"))
    assert life.state.phase == "Suspended"
    assert CreatePods(round=2) in life.tell(Resumed(at=6.0)).last


def test_a_hybrid_job_that_waits_for_its_pods_can_be_suspended() -> None:
    life = hybrid().tell(Reported(at=4.0, token=T1, state="Succeeded"), Collected(at=5.0, token=T1))
    life.tell(Suspended(at=6.0))
    assert life.state.phase == "Suspended"
    assert not life.state.collected


def test_a_job_that_is_moved_for_ever_fails_in_the_end() -> None:
    life = Life()
    for number in range(1, MAX_ATTEMPTS + 1):
        token = token_of("uid", number)
        at = float(number)
        life.tell(
            Placed(at=at, backend="kyoto"),
            Dispatch(at=at),
            Submitted(at=at, token=token, remote_id=f"r{number}"),
            Moved(at=at, message="back and forth"),
            Reported(at=at, token=token, state="Cancelled"),
        )
    assert (life.state.phase, life.state.reason) == ("Failed", "TooManyAttempts")


def test_the_policy_is_read_from_the_spec() -> None:
    spec = JobSpec(
        circuits=[Circuit(name="a", qasm="OPENQASM 3.0;")],
        backoff_limit=7,
        active_deadline_seconds=90,
        fallback=Fallback(policy="OnDeadline"),
        classical=Classical(template={}),
    )
    assert policy_of(spec) == Policy(
        backoff_limit=7, active_deadline_s=90.0, fallback="OnDeadline", hybrid=True
    )
    assert policy_of(JobSpec(circuits=spec.circuits)) == Policy()


def test_backoff_doubles_up_to_five_minutes_and_depends_on_the_token() -> None:
    assert [backoff_s(T1, tries) for tries in (1, 5, 60)] == [backoff_s(T1, tries) for tries in (1, 5, 60)]
    assert 0.5 <= backoff_s(T1, 1) < 1.0
    assert 8.0 <= backoff_s(T1, 5) < 16.0
    assert 150.0 <= backoff_s(T1, 60) < 300.0
    assert backoff_s(T1, 3) != backoff_s(T2, 3)
