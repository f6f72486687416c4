"""What becomes of jobs whose provider fails them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from qsched.api.job import Requirements
from qsched.drivers import RateLimited, Rejected, TaskResult, TaskStatus, Unauthenticated, Unavailable
from qsched.drivers.fake import FakeDevice, FakeDriver
from tests.unit.engine.harness import backend, job, provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.engine.harness import FastClock, Start

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH = [backend("left"), backend("right")]


def two(clock: FastClock) -> FakeDriver:
    return provider(clock, FakeDevice(name="left"), FakeDevice(name="right", two_qubit_error=0.1))


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_submission_that_fails_for_a_while_is_made_once(
    start: Start, clock: FastClock, *, accepted: bool
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    fake.fail("submit", Unavailable("not now"), times=3, after=accepted)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Complete")
    assert len(fake.submissions()) == 1
    assert len(state.attempts) == 1
    assert state.failures == 0


async def test_a_provider_that_asks_for_patience_gets_it(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    fake.fail("submit", RateLimited("slow down", 40.0))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.until(lambda: "SubmitFailed" in bench.events("one"))
        refused_at = next(e.at for e in bench.store.history("uid-one") if e.type == "SubmitFailed")
        await bench.phase("one", "Complete")
    assert fake.submissions()[0].at_s >= refused_at + 40.0


@pytest.mark.parametrize("call", ["status", "poll"])
async def test_a_provider_that_asks_readers_for_patience_is_not_gone(
    start: Start, clock: FastClock, call: str
) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=20.0))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"), job("two"))
        await bench.phase("one", "Running")
        fake.fail(call, RateLimited("slow down", 10.0))
        asked = fake.calls[call]
        await bench.until(lambda: fake.calls[call] > asked)
        again = fake.calls[call]
        before = clock.now()
        await bench.until(lambda: fake.calls[call] > again)
        assert clock.now() - before > 8.0
        await bench.phase("two", "Complete")
        assert "BackendLost" not in bench.events("two")


async def test_a_job_that_one_backend_rejects_runs_on_another(start: Start, clock: FastClock) -> None:
    fake = two(clock)
    fake.fail("submit", Rejected("no such gate"))
    async with start(fake, BOTH) as bench:
        bench.submit(job("one", backoff_limit=0))
        state = await bench.phase("one", "Complete")
    assert [each.backend for each in state.attempts] == ["left", "right"]


async def test_a_job_that_every_backend_rejects_fails_with_their_words(
    start: Start, clock: FastClock
) -> None:
    fake = two(clock)
    fake.fail("submit", Rejected("no such gate"))
    fake.fail("submit", Rejected("too many shots"))
    async with start(fake, BOTH) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Failed")
    assert "left: rejected the job: no such gate" in state.message
    assert "right: rejected the job: too many shots" in state.message


async def test_wrong_credentials_fail_a_job_after_its_retries(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    fake.fail("submit", Unauthenticated("the token has expired"), times=100)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one", backoff_limit=1))
        state = await bench.phase("one", "Failed")
    assert "the token has expired" in state.message
    assert len(state.attempts) == 2
    assert fake.submissions() == []


async def test_a_failing_task_is_retried_up_to_the_limit(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"), task_failure=1.0)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one", backoff_limit=2))
        state = await bench.phase("one", "Failed")
    assert state.reason == "BackoffLimitExceeded"
    assert "the fake provider failed it" in state.message
    assert [each.state for each in state.attempts] == ["Failed"] * 3
    assert len(Counter(each.token for each in fake.submissions())) == 3


class Forgetful(FakeDriver):
    """Loses every task of the first token it sees."""

    lost: str | None = None

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        if self.lost is None and ids:
            self.lost = ids[0]
        return [each for each in await super().poll(ids) if each.remote_id != self.lost]

    async def find(self, token: str):
        found = await super().find(token)
        return None if found is None or found.remote_id == self.lost else found


async def test_a_task_that_the_provider_lost_is_run_again(start: Start, clock: FastClock) -> None:
    fake = Forgetful({"devices": [{"name": "left", "runSeconds": 30}]}, clock=clock.now)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Complete")
    assert [each.state for each in state.attempts] == ["Failed", "Succeeded"]
    assert state.attempts[0].reason == "the provider lost the task"


async def test_an_expected_result_that_fails_to_come_is_asked_for_again(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    fake.fail("result", Unavailable("not now"), times=3)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Complete")
    assert len(state.attempts) == 1


class Careless(FakeDriver):
    """Tells of tasks that nobody asked for, and gives two results for one circuit."""

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        stranger = TaskStatus(remote_id="stranger", state="Running")
        return [stranger, *await super().poll(ids), stranger]

    async def result(self, remote_id: str) -> TaskResult:
        got = await super().result(remote_id)
        return msgspec.structs.replace(got, counts=got.counts * 2, shots=got.shots * 2)


async def test_a_driver_with_bugs_fails_its_jobs_and_not_the_engine(start: Start, clock: FastClock) -> None:
    fake = Careless({"devices": [{"name": "left"}]}, clock=clock.now)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one", backoff_limit=0))
        state = await bench.phase("one", "Failed")
    assert "left gave 2 results for 1 circuits" in state.message


class Broken(FakeDriver):
    """Raises what no driver may raise."""

    async def submit(self, task, token):
        if self.calls["submit"] == 0:
            self.calls["submit"] += 1
            raise ZeroDivisionError("oops")
        return await super().submit(task, token)


async def test_an_unexpected_exception_of_a_driver_is_an_outage(start: Start, clock: FastClock) -> None:
    fake = Broken({"devices": [{"name": "left"}]}, clock=clock.now)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        lines = [line.message for line in bench.store.history("uid-one") if line.type == "SubmitFailed"]
    assert lines == ["Unavailable: ZeroDivisionError: oops"]


async def test_a_provider_that_hangs_holds_no_other_up(start: Start, clock: FastClock) -> None:
    slow = FakeDriver({"devices": [{"name": "slow", "runSeconds": 1e6}]}, clock=clock.now)
    fake = provider(clock, FakeDevice(name="left", online=False))
    fleet = [backend("slow", driver="slow"), backend("left")]
    async with start(fake, fleet, drivers={"slow": slow}) as bench:
        bench.submit(job("stuck"))
        await bench.phase("stuck", "Running")
        gates = [slow.hold("poll"), slow.hold("status")]
        asked = slow.calls["status"], slow.calls["poll"]
        await bench.until(lambda: slow.calls["status"] > asked[0] and slow.calls["poll"] > asked[1])
        bench.submit(job("one", requirements=Requirements(backends=["left"])))
        await bench.reason("one", "Unplaceable")
        fake.set_online("left", online=True)
        await bench.phase("one", "Complete")
        assert slow.calls["status"] == asked[0] + 1  # it did not even time out
        for gate in gates:
            gate.set()


async def test_an_offline_backend_gives_its_queued_tasks_back(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", wait_s=1e6), FakeDevice(name="right", two_qubit_error=0.1))
    async with start(fake, BOTH) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Queued")
        fake.set_online("left", online=False)
        state = await bench.phase("one", "Complete")
    assert [(each.backend, each.state) for each in state.attempts] == [
        ("left", "Cancelled"),
        ("right", "Succeeded"),
    ]


async def test_a_provider_that_does_not_answer_keeps_its_queued_tasks(start: Start, clock: FastClock) -> None:
    fake = provider(
        clock, FakeDevice(name="left", wait_s=60.0), FakeDevice(name="right", two_qubit_error=0.1)
    )
    async with start(fake, BOTH) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Queued")
        fake.fail("status", Unavailable("no route"), times=6)
        state = await bench.phase("one", "Complete")
    assert [each.backend for each in state.attempts] == ["left"]


async def test_a_calibration_that_cannot_be_read_again_stays_as_it_was(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=5.0))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        fake.fail("calibration", Unavailable("not now"), times=10**6)
        asked = fake.calls["calibration"]
        await bench.until(lambda: fake.calls["calibration"] > asked + 3)
        bench.submit(job("two"))
        await bench.phase("two", "Complete")
