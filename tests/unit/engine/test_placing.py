"""Where waiting jobs go, and when they change their place."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from qsched.api.job import Requirements
from qsched.drivers.fake import FakeDevice
from qsched.engine.explanation import explain_job
from tests.unit.engine.harness import backend, job, provider

if TYPE_CHECKING:
    from qsched.drivers.fake import FakeDriver
    from tests.unit.engine.harness import Bench, FastClock, Start

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = 1e6


def busy(clock: FastClock, *, best: float = 0.01, second: float = 0.02) -> FakeDriver:
    """A provider whose two devices are never done with a task."""
    return provider(
        clock,
        FakeDevice(name="best", run_s=LONG, two_qubit_error=best),
        FakeDevice(name="second", run_s=LONG, two_qubit_error=second),
    )


async def occupy(bench: Bench, *names: str) -> None:
    """Take the one slot of each backend."""
    for name in names:
        bench.submit(job(f"holds-{name}", requirements=requires(name)))
        await bench.phase(f"holds-{name}", "Running")


def requires(*names: str) -> Requirements:
    return Requirements(backends=list(names))


def placed_on(bench: Bench, name: str) -> str | None:
    state = bench.state(name)
    return state.backend if state.phase == "Placed" else None


async def test_a_job_runs_on_the_better_of_two_backends(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="good"), FakeDevice(name="bad", two_qubit_error=0.1))
    async with start(fake, [backend("bad"), backend("good")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        record = bench.record("one")
    assert record.result is not None
    assert record.result.backend == "good"
    assert record.result.circuits[0].counts == {"00": 50, "11": 50}


async def test_only_as_many_tasks_as_slots_are_at_the_provider(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="only", run_s=5.0))
    most = 0
    async with start(fake, [backend("only", max_in_flight=2)]) as bench:
        bench.submit(*(job(f"job-{index}") for index in range(12)))

        def all_done() -> bool:
            nonlocal most
            most = max(
                most, sum(each.phase in {"Submitting", "Queued", "Running"} for each in bench.store.list())
            )
            return all(each.phase == "Complete" for each in bench.store.list())

        await bench.until(all_done)
    assert most == 2


async def test_the_job_of_higher_priority_goes_first(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="only", run_s=10.0))
    async with start(fake, [backend("only")]) as bench:
        bench.submit(job("first"))
        await bench.phase("first", "Running")
        bench.submit(job("low"), job("high", priority=200))
        await bench.phase("low", "Complete")
    order = [each.tags["qsched-job"] for each in fake.submissions()]
    assert order == ["default/first", "default/high", "default/low"]


async def test_a_job_that_waited_for_long_overtakes_one_of_higher_priority(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="only", run_s=10.0))
    async with start(fake, [backend("only")]) as bench:
        bench.submit(job("first"))
        await bench.phase("first", "Running")
        bench.submit(job("high", priority=100))
        bench.submit(job("old"), waited_s=4 * 3600.0)
        await bench.phase("high", "Complete")
    order = [each.tags["qsched-job"] for each in fake.submissions()]
    assert order == ["default/first", "default/old", "default/high"]


async def test_many_jobs_spread_over_backends_that_are_nearly_as_good(start: Start, clock: FastClock) -> None:
    fake = provider(
        clock,
        FakeDevice(name="best", run_s=20.0),
        FakeDevice(name="second", run_s=20.0, two_qubit_error=0.012),
    )
    async with start(fake, [backend("best"), backend("second")]) as bench:
        bench.submit(*(job(f"job-{index}", objective="speed", shots=200_000) for index in range(10)))
        await bench.until(lambda: all(each.phase == "Complete" for each in bench.store.list()))
    counts = Counter(each.device for each in fake.submissions())
    assert min(counts["best"], counts["second"]) >= 3


async def test_waiting_jobs_leave_a_backend_that_goes_offline(start: Start, clock: FastClock) -> None:
    fake = busy(clock, second=0.15)
    async with start(fake, [backend("best"), backend("second")]) as bench:
        await occupy(bench, "best", "second")
        bench.submit(job("waits"))
        await bench.until(lambda: placed_on(bench, "waits") == "best")
        fake.set_online("best", online=False)
        await bench.until(lambda: placed_on(bench, "waits") == "second")
        assert bench.state("holds-best").phase == "Running"  # what runs there is left to run
        fake.set_online("best", online=True)
        await bench.until(lambda: placed_on(bench, "waits") == "best")


async def test_waiting_jobs_leave_a_backend_that_was_calibrated_worse(start: Start, clock: FastClock) -> None:
    fake = busy(clock)
    async with start(fake, [backend("best"), backend("second")]) as bench:
        await occupy(bench, "best", "second")
        bench.submit(job("waits"))
        await bench.until(lambda: placed_on(bench, "waits") == "best")
        fake.recalibrate("best", two_qubit_error=0.2)
        await bench.until(lambda: placed_on(bench, "waits") == "second")


async def test_a_waiting_job_does_not_flap_when_backends_change_a_little(
    start: Start, clock: FastClock
) -> None:
    fake = busy(clock, best=0.010, second=0.011)
    async with start(fake, [backend("best"), backend("second")]) as bench:
        await occupy(bench, "best", "second")
        bench.submit(job("waits"))
        await bench.until(lambda: placed_on(bench, "waits") is not None)
        first = placed_on(bench, "waits")
        before = bench.events("waits").count("Placed")
        for turn in range(8):
            worse, better = ("best", "second") if turn % 2 else ("second", "best")
            fake.recalibrate(worse, two_qubit_error=0.012, queue_depth=1)
            fake.recalibrate(better, two_qubit_error=0.010, queue_depth=0)
            seen = fake.calls["calibration"]
            await bench.until(lambda seen=seen: fake.calls["calibration"] > seen + 4)
        assert placed_on(bench, "waits") == first
        moves = [line.message for line in bench.store.history("uid-waits") if line.type == "Placed"]
        assert len(moves) == before, moves


async def test_the_stored_placement_has_the_numbers_of_explain(start: Start, clock: FastClock) -> None:
    fake = provider(
        clock, FakeDevice(name="best", run_s=LONG), FakeDevice(name="second", two_qubit_error=0.02)
    )
    async with start(fake, [backend("best"), backend("second")]) as bench:
        declared = job("one")
        verdict = (await explain_job(bench.parts, declared))[0]
        bench.submit(declared)
        await bench.phase("one", "Running")
        placement = bench.record("one").placement
    assert placement is not None
    assert (placement.backend, verdict.backend) == ("best", "best")
    assert placement.estimate.stage == 2
    assert verdict.estimate is not None
    assert verdict.breakdown is not None
    assert placement.estimate.success == pytest.approx(verdict.estimate.success, rel=1e-4)
    assert placement.estimate.run_s == pytest.approx(verdict.estimate.run_s, rel=1e-6)
    assert placement.breakdown.coherence == pytest.approx(verdict.breakdown.coherence, rel=1e-6)
    assert placement.score == pytest.approx(verdict.score, rel=1e-3)


async def test_a_job_that_fits_nowhere_now_waits_with_one_line_of_history(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="only", online=False))
    async with start(fake, [backend("only")]) as bench:
        bench.submit(job("waits"))
        state = await bench.reason("waits", "Unplaceable")
        assert "only: is offline" in state.message
        asked = fake.calls["status"]
        await bench.until(lambda: fake.calls["status"] > asked + 10)
        assert bench.events("waits").count("Unplaceable") == 1
        fake.set_online("only", online=True)
        await bench.phase("waits", "Complete")


async def test_a_job_that_fits_nowhere_ever_fails_with_every_reason(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="small", qubits=1), FakeDevice(name="other"))
    async with start(fake, [backend("small"), backend("other", paused=True)]) as bench:
        bench.submit(job("waits"))
        bench.submit(job("fails", requirements=requires("small")))
        state = await bench.phase("fails", "Failed")
        await bench.reason("waits", "Unplaceable")
    assert state.reason == "Unplaceable"
    assert "small: needs 2 qubits, 1 usable" in state.message
    assert "other: is paused; is not among the requested backends: small" in state.message
