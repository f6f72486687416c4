"""What users ask of jobs: cancel, suspend, resume, another priority, delete; and what time does to them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from qsched.api.job import Circuit, Requirements
from qsched.drivers import Unavailable
from qsched.drivers.fake import FakeDevice, FakeDriver
from qsched.errors import NotFound
from tests.unit.engine.harness import add, backend, job, provider

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.engine.harness import Bench, FastClock, Start

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEFT = [backend("left")]


def endless(clock: FastClock, *, wait_s: float = 0.0) -> FakeDriver:
    return provider(clock, FakeDevice(name="left", wait_s=wait_s, run_s=1e6))


def gone(bench: Bench, name: str) -> bool:
    try:
        bench.record(name)
    except NotFound:
        return True
    return False


async def test_a_pending_job_is_cancelled_at_once(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", online=False))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.reason("one", "Unplaceable")
        bench.command("one", "Cancel")
        state = await bench.phase("one", "Cancelled")
    assert state.message == "cancelled by the user"


async def test_a_placed_job_is_cancelled_and_never_submitted(start: Start, clock: FastClock) -> None:
    fake = endless(clock)
    async with start(fake, LEFT) as bench:
        bench.submit(job("first"))
        await bench.phase("first", "Running")
        bench.submit(job("one"))
        await bench.phase("one", "Placed")
        bench.command("one", "Cancel")
        await bench.phase("one", "Cancelled")
    assert len(fake.submissions()) == 1


@pytest.mark.parametrize(("phase", "wait_s"), [("Queued", 1e6), ("Running", 0.0)])
async def test_a_task_of_a_cancelled_job_is_stopped(
    start: Start, clock: FastClock, phase: str, wait_s: float
) -> None:
    fake = endless(clock, wait_s=wait_s)
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", phase)
        bench.command("one", "Cancel")
        state = await bench.phase("one", "Cancelled")
        (task,) = await fake.poll([str(state.attempts[0].remote_id)])
        bench.submit(job("next"))  # the slot is free
        await bench.phase("next", "Queued", "Running")
    assert task.state == "Cancelled"


async def test_a_job_that_is_being_submitted_is_cancelled(start: Start, clock: FastClock) -> None:
    fake = endless(clock)
    gate = fake.hold("submit")
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.until(lambda: fake.calls["submit"] == 1)
        bench.command("one", "Cancel")
        await bench.until(lambda: bench.state("one").ending is not None)
        gate.set()
        state = await bench.phase("one", "Cancelled")
        (task,) = await fake.poll([str(state.attempts[0].remote_id)])
    assert task.state == "Cancelled"


async def test_a_job_whose_result_is_being_fetched_is_cancelled(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    gate = fake.hold("result")
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Collecting")
        bench.command("one", "Cancel")
        await bench.phase("one", "Cancelled")
        gate.set()
        await bench.until(lambda: bench.engine.pump.idle)
        assert bench.record("one").phase == "Cancelled"
        assert bench.record("one").result is None


@pytest.mark.slow
async def test_a_job_is_cancelled_although_the_provider_cannot_confirm_it(
    start: Start, clock: FastClock
) -> None:
    fake = endless(clock)
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Running")
        fake.fail("cancel", Unavailable("not now"), times=8)
        bench.command("one", "Cancel")
        state = await bench.phase("one", "Cancelled")
        assert "may still run" in state.message
        # It is pursued all the same.
        await bench.until(lambda: bench.state("one").attempts[0].state == "Cancelled")


async def test_a_suspended_job_gives_its_task_back_and_runs_when_resumed(
    start: Start, clock: FastClock
) -> None:
    fake = endless(clock)
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Running")
        bench.command("one", "Suspend")
        await bench.phase("one", "Suspended")
        assert bench.record("one").job.spec.suspend
        fake.change("left", run_s=0.0)
        bench.command("one", "Resume")
        state = await bench.phase("one", "Complete")
        assert not bench.record("one").job.spec.suspend
    assert [each.state for each in state.attempts] == ["Cancelled", "Succeeded"]


async def test_a_job_that_was_submitted_suspended_waits_for_its_user(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", suspend=True), job("two"))
        await bench.phase("two", "Complete")
        await bench.phase("one", "Suspended")
        bench.command("one", "Resume")
        await bench.phase("one", "Complete")


async def test_an_unreadable_job_that_is_suspended_fails_when_it_is_resumed(
    start: Start, clock: FastClock, tmp_path: Path
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    missing = Circuit(name="missing", uri=(tmp_path / "missing.qasm").as_uri())
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", suspend=True, circuits=[missing]))
        await bench.phase("one", "Suspended")
        bench.submit(job("two"))
        await bench.phase("two", "Complete")
        bench.command("one", "Resume")
        state = await bench.phase("one", "Failed")
    assert "missing.qasm" in state.message


async def test_a_new_priority_takes_effect_and_is_stored(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=20.0))
    async with start(fake, LEFT) as bench:
        bench.submit(job("first"))
        await bench.phase("first", "Running")
        bench.submit(job("second"), job("third"))
        await bench.phase("third", "Placed")
        bench.command("third", "Priority", 500)
        await bench.until(lambda: bench.record("third").job.spec.priority == 500)
        await bench.phase("second", "Complete")
    order = [each.tags["qsched-job"] for each in fake.submissions()]
    assert order == ["default/first", "default/third", "default/second"]


async def test_a_live_job_is_deleted_with_its_task(start: Start, clock: FastClock) -> None:
    fake = endless(clock)
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Running")
        bench.command("one", "Delete")
        await bench.until(lambda: gone(bench, "one"))
        (task,) = await fake.poll([str(state.attempts[0].remote_id)])
    assert task.state == "Cancelled"


async def test_a_settled_job_is_deleted(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        bench.command("one", "Delete")
        await bench.until(lambda: gone(bench, "one"))
        assert bench.store.commands() == []


async def test_a_command_for_a_job_that_ended_leaves_the_inbox(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        bench.command("one", "Cancel")
        await bench.until(lambda: not bench.store.commands())
        assert bench.record("one").phase == "Complete"


async def test_commands_that_came_before_the_engine_are_obeyed(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))

    def before(store) -> None:
        add(store, job("one"), job("two"), at=clock.now())
        store.send("uid-one", "Cancel", clock.now())
        store.send("uid-two", "Delete", clock.now())

    async with start(fake, LEFT, before=before) as bench:
        await bench.phase("one", "Cancelled")
        await bench.until(lambda: gone(bench, "two"))


async def test_a_finished_job_is_removed_after_its_time_to_live(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT) as bench:
        bench.submit(job("kept"), job("short", ttl_seconds_after_finished=1))
        await bench.until(lambda: gone(bench, "short"))
        await bench.phase("kept", "Complete")
        assert not gone(bench, "kept")


async def test_a_job_ends_at_its_active_deadline(start: Start, clock: FastClock) -> None:
    fake = endless(clock)
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", active_deadline_seconds=30))
        state = await bench.phase("one", "Failed")
        (task,) = await fake.poll([str(state.attempts[0].remote_id)])
    assert state.reason == "DeadlineExceeded"
    assert task.state == "Cancelled"


def due(clock: FastClock, seconds: float) -> Requirements:
    return Requirements(complete_by=dt.datetime.fromtimestamp(clock.now() + seconds, dt.UTC))


async def test_a_job_that_waits_fails_when_complete_by_passes(start: Start, clock: FastClock) -> None:
    fake = endless(clock)
    async with start(fake, LEFT) as bench:
        bench.submit(job("first"))
        await bench.phase("first", "Running")
        bench.submit(job("one", requirements=due(clock, 120.0)))
        state = await bench.phase("one", "Failed")
    assert "completeBy" in state.message
    assert state.attempts == ()


async def test_a_job_in_a_providers_queue_fails_when_complete_by_passes(
    start: Start, clock: FastClock
) -> None:
    fake = endless(clock, wait_s=1e6)
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", requirements=due(clock, 120.0)))
        await bench.phase("one", "Queued")
        state = await bench.phase("one", "Failed")
        (task,) = await fake.poll([str(state.attempts[0].remote_id)])
    assert state.reason == "DeadlineExceeded"
    assert task.state == "Cancelled"


@pytest.mark.slow
async def test_a_task_that_runs_when_complete_by_passes_is_left_to_end(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=150.0))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", requirements=due(clock, 120.0)))
        await bench.phase("one", "Complete")
