"""Random lives of a job against a provider that loses answers, is late, repeats itself and restarts."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from qsched.lifecycle.backoff import SETTLE_S
from qsched.lifecycle.codec import decode_state, encode_state
from qsched.lifecycle.machine import step
from qsched.lifecycle.moves import STOPS
from qsched.lifecycle.types import (
    LIVE_ATTEMPT,
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
    Recovered,
    RemoteState,
    Reported,
    Resumed,
    RetryAt,
    State,
    StoreResult,
    Submit,
    SubmitFailed,
    Submitted,
    Suspended,
    Unplaceable,
    Woken,
    new_state,
    settled,
)

BACKENDS = ("kyoto", "toronto", "lagos")
ALIVE = frozenset({"Queued", "Running"})
Fault = Literal[
    "none", "answer lost", "request lost", "request late", "refused", "not authenticated", "slow down"
]
FAULTS: tuple[Fault, ...] = (
    "none",
    "none",
    "none",
    "answer lost",
    "request lost",
    "request late",
    "refused",
    "not authenticated",
    "slow down",
)


@dataclasses.dataclass
class RemoteTask:
    token: str
    remote_id: str
    state: RemoteState = "Queued"


class Provider:
    """Takes each token once, sometimes long after it was asked to."""

    def __init__(self) -> None:
        self.tasks: dict[str, RemoteTask] = {}
        self.late: list[tuple[float, str]] = []
        self.submitted_tokens: list[str] = []

    def submit(self, token: str) -> RemoteTask:
        if token not in self.tasks:
            self.tasks[token] = RemoteTask(token, f"remote-{len(self.tasks)}")
            self.submitted_tokens.append(token)
        return self.tasks[token]

    def submit_late(self, token: str, now: float) -> None:
        self.late.append((now + SETTLE_S, token))

    def arrive(self, now: float, *, all_of_them: bool) -> None:
        due = [entry for entry in self.late if all_of_them or entry[0] <= now]
        self.late = [entry for entry in self.late if entry not in due]
        for _, token in due:
            self.submit(token)

    def cancel(self, remote_id: str) -> None:
        for task in self.tasks.values():
            if task.remote_id == remote_id and task.state in ALIVE:
                task.state = "Cancelled"

    def possibly_alive(self) -> set[str]:
        return {task.token for task in self.tasks.values() if task.state in ALIVE} | {t for _, t in self.late}


class JobLife(RuleBasedStateMachine):
    """An engine with one job: whatever it holds in memory is lost when it crashes."""

    @initialize(
        backoff_limit=st.integers(0, 3),
        deadline=st.sampled_from([None, 100.0, 2000.0]),
        fallback=st.sampled_from(["Never", "OnUnavailable"]),
        suspend=st.booleans(),
        hybrid=st.booleans(),
    )
    def start(self, backoff_limit, deadline, fallback, suspend, hybrid) -> None:
        policy = Policy(
            backoff_limit=backoff_limit, active_deadline_s=deadline, fallback=fallback, hybrid=hybrid
        )
        self.now = 1000.0
        self.provider = Provider()
        self.state: State = new_state("uid", policy, self.now)
        self.todo: list[Effect] = []
        self.timers: list[float] = []
        self.seen: list[Event] = []
        self.unknown: set[str] = set()
        self.result_stored = False
        self.forgotten = False
        self.pods: set[int] = set()
        self.tell(Accepted(at=self.now, suspend=suspend))

    # --- the engine ---------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        before = self.state
        self.state, effects = step(before, event)
        self.state = decode_state(encode_state(self.state))
        if before.terminal:
            assert self.state.phase == before.phase, f"{event} left {before.phase}"
            assert self.state.finished_at == before.finished_at
        for effect in effects:
            match effect:
                case RetryAt(at=at):
                    self.timers.append(at)
                case StoreResult():
                    assert self.state.phase == "Complete" or self.state.collected
                    assert not self.result_stored or self.state.policy.hybrid, "a job has one result"
                    self.result_stored = True
                case CreatePods(round=number):
                    assert number == self.state.pod_round
                    self.pods.add(number)
                case DeletePods(round=number):
                    self.pods.discard(number)
                case Forget():
                    assert settled(self.state)
                    self.forgotten = True
                case Submit() | Find() | Cancel() | Collect():
                    self.todo.append(effect)
                case _:
                    pass

    def carry_out(self, effect: Effect, fault: Fault) -> None:
        answers: tuple[Event, ...]
        match effect:
            case Submit():
                answers = self.answer_submit(effect, fault)
            case Find():
                answers = self.answer_find(effect, fault)
            case Cancel():
                answers = self.answer_cancel(effect, fault)
            case Collect():
                answers = self.answer_collect(effect, fault)
        for answer in answers:
            if isinstance(answer, Submitted):
                self.seen.append(answer)
            self.tell(answer)

    def answer_submit(self, call: Submit, fault: Fault) -> tuple[Event, ...]:
        def failed(kind, retry_after_s=0.0):
            return (
                SubmitFailed(
                    at=self.now, token=call.token, kind=kind, message=fault, retry_after_s=retry_after_s
                ),
            )

        known = call.token in self.provider.tasks
        match fault:
            case "none":
                task = self.provider.submit(call.token)
                return (Submitted(at=self.now, token=call.token, remote_id=task.remote_id, state=task.state),)
            case "answer lost":
                self.provider.submit(call.token)
                return failed("Unavailable")
            case "request late":
                self.provider.submit_late(call.token, self.now)
                return failed("Unavailable")
            case "request lost":
                return failed("Unavailable")
            case "slow down":
                return failed("RateLimited", 7.0)
            case "refused":
                return failed("Rejected") if not known else failed("Unavailable")
            case "not authenticated":
                return failed("Unauthenticated")

    def answer_find(self, call: Find, fault: Fault) -> tuple[Event, ...]:
        if fault not in {"none", "refused"}:
            return (FindFailed(at=self.now, token=call.token, kind="Unavailable", message=fault),)
        task = self.provider.tasks.get(call.token)
        if task is None or task.remote_id in self.unknown:
            return (Found(at=self.now, token=call.token),)
        return (Found(at=self.now, token=call.token, remote_id=task.remote_id, state=task.state),)

    def answer_cancel(self, call: Cancel, fault: Fault) -> tuple[Event, ...]:
        if fault in {"none", "answer lost"}:
            self.provider.cancel(call.remote_id)
        if fault == "none":
            return ()
        kind = "Rejected" if fault == "refused" else "Unavailable"
        return (CancelFailed(at=self.now, token=call.token, kind=kind, message=fault, retry_after_s=3.0),)

    def answer_collect(self, call: Collect, fault: Fault) -> tuple[Event, ...]:
        task = self.provider.tasks[call.token]
        assert task.remote_id == call.remote_id
        assert task.state == "Succeeded"
        if fault == "none":
            return (Collected(at=self.now, token=call.token),)
        kind = {"refused": "NotFound", "request lost": "ResultError"}.get(fault, "Unavailable")
        return (CollectFailed(at=self.now, token=call.token, kind=kind, message=fault),)

    def poll_answers(self) -> list[Event]:
        attempt = self.state.attempt
        if attempt is None or attempt.remote_id is None:
            return []
        task = self.provider.tasks[attempt.token]
        if task.remote_id in self.unknown:
            return [Lost(at=self.now, token=attempt.token)]
        return [Reported(at=self.now, token=attempt.token, state=task.state)]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.provider.arrive(self.now, all_of_them=False)
        due = [at for at in self.timers if at <= self.now]
        self.timers = [at for at in self.timers if at > self.now]
        for _ in due:
            self.tell(Woken(at=self.now))

    # --- what may happen ----------------------------------------------------------------------------

    @precondition(lambda self: self.todo)
    @rule(fault=st.sampled_from(FAULTS), index=st.integers(0, 5))
    def an_effect_is_carried_out(self, fault, index) -> None:
        self.carry_out(self.todo.pop(index % len(self.todo)), fault)

    @rule(index=st.integers(0, 5), fault=st.sampled_from(["none", "answer lost", "request late"]))
    def the_engine_dies(self, index, fault) -> None:
        if self.todo:
            effect = self.todo.pop(index % len(self.todo))
            if isinstance(effect, Submit):
                self.answer_submit(effect, fault)
            elif isinstance(effect, Cancel):
                self.answer_cancel(effect, fault)
        self.todo.clear()
        self.timers.clear()
        self.tell(Recovered(at=self.now))

    @rule(seconds=st.sampled_from([0.5, 3.0, 20.0, 70.0, 400.0]))
    def time_passes(self, seconds) -> None:
        self.pass_time(seconds)

    @rule(backend=st.sampled_from(BACKENDS))
    def a_cycle_places_it(self, backend) -> None:
        self.tell(Placed(at=self.now, backend=backend))

    @rule(backend=st.sampled_from(BACKENDS), fault=st.sampled_from(FAULTS))
    def a_whole_cycle_runs(self, backend, fault) -> None:
        self.tell(Placed(at=self.now, backend=backend))
        self.tell(Dispatch(at=self.now))
        if self.todo:
            self.carry_out(self.todo.pop(), fault)

    @precondition(lambda self: self.pods)
    @rule(succeeded=st.booleans(), old=st.booleans())
    def the_pods_end(self, succeeded, old) -> None:
        number = min(self.pods) if old else max(self.pods)
        self.pods.discard(number)
        self.tell(PodsEnded(at=self.now, round=number, succeeded=succeeded, message="they ended"))

    @rule(fault=st.sampled_from(["request lost", "request late", "slow down", "answer lost"]))
    def the_network_is_bad_for_minutes(self, fault) -> None:
        for _ in range(6):
            calls, self.todo = self.todo, []
            for call in calls:
                self.carry_out(call, "none" if isinstance(call, Find) else fault)
            self.pass_time(10.0)

    @rule()
    def a_slot_is_free(self) -> None:
        self.tell(Dispatch(at=self.now))

    @rule(backend=st.sampled_from(BACKENDS), message=st.sampled_from(["offline", "too dear"]))
    def the_fleet_changes(self, backend, message) -> None:
        self.tell(BackendLost(at=self.now, backend=backend, message=message))
        self.tell(CalibrationChanged(at=self.now, backend=backend, calibration_id="0123"))
        self.tell(Unplaceable(at=self.now, message=message))

    @rule(backend=st.sampled_from(BACKENDS))
    def it_falls_back(self, backend) -> None:
        twin = f"{backend}-twin"
        self.tell(
            FellBack(at=self.now, backend=twin, intended_backend=backend, message=f"{backend} is offline")
        )

    @rule(
        kind=st.sampled_from(
            [CancelRequested, Deleted, Deadline, Suspended, Resumed, Resumed, Moved, Unplaceable]
        ),
        rarely=st.integers(0, 4),
    )
    def somebody_interferes(self, kind, rarely) -> None:
        fields: dict[str, object] = {"at": self.now}
        if kind in {Deadline, Moved}:
            fields["message"] = "because"
        if kind is Unplaceable:
            fields |= {"message": "no backend fits", "permanent": True}
        if kind in {Suspended, Resumed, Moved} or rarely == 0:
            self.tell(kind(**fields))

    @rule(state=st.sampled_from(["Running", "Running", "Succeeded", "Succeeded", "Failed", "Cancelled"]))
    def the_provider_goes_on(self, state) -> None:
        for task in self.provider.tasks.values():
            if task.state in ALIVE:
                task.state = state

    @rule()
    def late_requests_arrive(self) -> None:
        self.provider.arrive(self.now, all_of_them=True)

    @rule()
    def the_provider_forgets_ended_tasks(self) -> None:
        for task in self.provider.tasks.values():
            if task.state in {"Failed", "Cancelled"}:
                self.unknown.add(task.remote_id)

    @rule()
    def a_poll_answers(self) -> None:
        for event in self.poll_answers():
            self.seen.append(event)
            self.tell(event)

    @precondition(lambda self: self.seen)
    @rule(index=st.integers(0, 1000))
    def an_old_answer_comes_again(self, index) -> None:
        self.tell(replace(self.seen[index % len(self.seen)], at=self.now))

    # --- what must hold -----------------------------------------------------------------------------

    @invariant()
    def at_most_one_task_may_live(self) -> None:
        alive = self.provider.possibly_alive()
        assert len(alive) <= 1, f"tasks of several tokens may live: {alive}"
        in_hand = {effect.token for effect in self.todo if isinstance(effect, Submit)}
        assert len(alive | in_hand) <= 1, f"{in_hand} is submitted while {alive} may live"

    @invariant()
    def only_the_newest_attempt_is_live(self) -> None:
        attempts = self.state.attempts
        assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
        assert len({attempt.token for attempt in attempts}) == len(attempts)
        assert all(attempt.state not in LIVE_ATTEMPT for attempt in attempts[:-1])
        if self.state.phase in {"Submitting", "Queued", "Running", "Collecting"}:
            assert self.state.attempt is not None
        if self.state.phase in {"Pending", "Placed", "Suspended", "Complete"}:
            assert self.state.attempt is None

    @invariant()
    def a_live_task_belongs_to_the_live_attempt(self) -> None:
        for token in self.provider.possibly_alive():
            assert self.state.attempt is not None, "a task lives that the job has written off"
            assert self.state.attempt.token == token

    @invariant()
    def an_ended_job_says_why(self) -> None:
        if self.state.terminal:
            assert self.state.reason
            assert self.state.message
            assert self.state.finished_at is not None
        if self.state.phase == "Complete" or not self.state.policy.hybrid:
            assert self.result_stored == (self.state.phase == "Complete")

    @invariant()
    def a_hybrid_job_has_the_pods_that_it_waits_for(self) -> None:
        state = self.state
        if not state.policy.hybrid:
            assert not self.pods
        elif state.phase == "Complete":
            assert state.pods_done
        elif state.terminal or state.phase == "Suspended":
            assert state.pod_round not in self.pods
        elif not state.pods_done and (state.ending is None or state.ending.kind not in STOPS):
            assert state.pod_round in self.pods

    @invariant()
    def somebody_will_go_on(self) -> None:
        """A job that waits for neither an answer nor a timer is one that a cycle or a poll looks at."""
        attempt = self.state.attempt
        if attempt is None or (attempt.remote_id is not None and self.state.phase != "Collecting"):
            return
        if self.state.collected:  # its pods go on, or were deleted and are reported
            return
        assert self.todo or any(at >= self.state.retry_at for at in self.timers), "the job is lost"

    def teardown(self) -> None:
        """In a fair world, every job ends, and leaves no task behind."""
        if not hasattr(self, "state"):
            return
        for _ in range(400):
            if settled(self.state):
                break
            self.fair_round()
        assert settled(self.state), f"the job does not end: {self.state}"
        assert not self.provider.possibly_alive()
        assert self.forgotten == self.state.deleted

    def fair_round(self) -> None:
        calls = deque(self.todo)
        self.todo.clear()
        while calls:
            self.carry_out(calls.popleft(), "none")
        for event in (
            Resumed(at=self.now),
            Placed(at=self.now, backend=f"fair-{len(self.state.attempts)}"),
            Dispatch(at=self.now),
            *self.poll_answers(),
        ):
            self.tell(event)
        if self.pods:
            self.the_pods_end_well()
        for task in self.provider.tasks.values():
            if task.state in ALIVE:
                task.state = "Running" if task.state == "Queued" else "Succeeded"
        self.pass_time(10.0)

    def the_pods_end_well(self) -> None:
        number = max(self.pods)
        self.pods.clear()
        self.tell(PodsEnded(at=self.now, round=number, succeeded=True, message="they succeeded"))


JobLife.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.slow
class TestJobLife(JobLife.TestCase):
    """Collected by pytest."""
