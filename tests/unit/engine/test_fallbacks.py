"""Jobs that run on the twin of a backend which they cannot have."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from qsched.api.job import Fallback, Requirements
from qsched.drivers.fake import FakeDevice
from qsched.lifecycle import machine, tasks
from tests.unit.engine.harness import FastClock, add, backend, job, provider

if TYPE_CHECKING:
    from tests.unit.engine.harness import Start

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

LEFT = [backend("left")]
AT_ONCE = Fallback(policy="OnUnavailable")


@pytest.fixture
def clock() -> FastClock:
    return FastClock(10.0)  # Aer does not run any faster


async def test_a_job_runs_on_the_twin_of_a_backend_that_went_offline(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=1e6))
    async with start(fake, LEFT) as bench:
        bench.submit(job("holds"))
        await bench.phase("holds", "Running")
        bench.submit(job("one", fallback=AT_ONCE), job("waits"))
        await bench.phase("one", "Placed")
        fake.set_online("left", online=False)
        await bench.phase("one", "Complete")
        result = bench.record("one").result
        assert bench.state("waits").phase == "Pending"
    assert result is not None
    assert (result.backend, result.driver, result.simulated) == ("left-twin", "aer", True)
    assert result.intended_backend == "left"
    assert result.cost is None
    assert result.calibration_id is not None
    assert sum((result.circuits[0].counts or {}).values()) == 100


async def test_a_fallback_waits_as_long_as_the_job_says(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", online=False))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", fallback=Fallback(policy="OnUnavailable", after="30s")))
        await bench.reason("one", "Unplaceable")
        await bench.phase("one", "Complete")
        changed_at = bench.parts.backends.get("left").changed_at
        placed_at = next(e.at for e in bench.store.history("uid-one") if e.type == "FellBack")
    assert placed_at >= changed_at + 30.0


async def test_a_job_comes_off_the_queue_of_a_backend_that_goes_offline(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", wait_s=1e6))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", fallback=AT_ONCE))
        await bench.phase("one", "Queued")
        fake.set_online("left", online=False)
        state = await bench.phase("one", "Complete")
    assert [each.backend for each in state.attempts] == ["left", "left-twin"]


def due(clock: FastClock, seconds: float) -> Requirements:
    return Requirements(complete_by=dt.datetime.fromtimestamp(clock.now() + seconds, dt.UTC))


async def test_a_job_that_no_queue_serves_in_time_runs_on_a_twin(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", queue_depth=500))
    async with start(fake, LEFT) as bench:
        bench.submit(
            job("one", fallback=Fallback(policy="OnDeadline"), requirements=due(clock, 600.0)),
            job("waits", requirements=due(clock, 600.0)),
        )
        await bench.phase("one", "Complete")
        result = bench.record("one").result
        assert bench.state("waits").phase == "Pending"
    assert result is not None
    assert result.intended_backend == "left"


async def test_a_queued_job_that_would_be_late_leaves_for_the_twin(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", wait_s=1e6))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", fallback=Fallback(policy="OnDeadline"), requirements=due(clock, 200.0)))
        await bench.phase("one", "Queued")
        state = await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert [(each.backend, each.state) for each in state.attempts] == [
        ("left", "Cancelled"),
        ("left-twin", "Succeeded"),
    ]
    assert result is not None
    assert (result.simulated, result.intended_backend) == (True, "left")


async def test_a_job_waits_and_says_why_when_no_twin_can_be_made(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", online=False, two_qubit_error=None))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", fallback=AT_ONCE))
        state = await bench.reason("one", "Unplaceable")
    assert "left: is offline: left is offline; has no calibration" in state.message


async def test_the_next_engine_runs_the_task_of_a_twin_again(
    start: Start, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SETTLE_S", 1.0)
    monkeypatch.setattr(machine, "SETTLE_S", 1.0)
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT) as bench:
        bench.submit(job("first"))
        await bench.phase("first", "Complete")
        fake.set_online("left", online=False)
        await bench.until(lambda: not bench.parts.backends.get("left").takes_tasks)
        bench.submit(job("one", fallback=AT_ONCE, shots=3_000_000))
        await bench.phase("one", "Queued", "Running")

    # The provider does not answer at all now: the next engine knows the device from what was kept.
    away = provider(clock, FakeDevice(name="left"), unavailable=1.0)
    async with start(away, LEFT) as bench:
        state = await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert [each.backend for each in state.attempts] == ["left-twin", "left-twin"]
    assert result is not None
    assert result.intended_backend == "left"


async def test_a_twin_follows_the_newest_calibration(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT, before=lambda store: add(store, job("zero"), at=clock.now())) as bench:
        await bench.phase("zero", "Complete")
        for turn, error in enumerate((0.01, 0.05)):
            fake.set_online("left", online=True)
            fake.recalibrate("left", two_qubit_error=error)
            newest = (await fake.calibration("left")).id
            await bench.until(lambda newest=newest: bench.parts.backends.get("left").calibration_id == newest)
            fake.set_online("left", online=False)
            await bench.until(lambda: not bench.parts.backends.get("left").takes_tasks)
            bench.submit(job(f"job-{turn}", fallback=AT_ONCE))
            await bench.phase(f"job-{turn}", "Complete")
            result = bench.record(f"job-{turn}").result
            assert result is not None
            assert result.calibration_id == newest
