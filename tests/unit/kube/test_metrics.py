"""What Prometheus reads is what the engine, the queues and the API server's watchers really are at."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from prometheus_client import generate_latest

from qsched.api.calibration import Calibration
from qsched.drivers.fake import FakeDevice
from qsched.drivers.workers import WorkerPool
from qsched.engine.places import LocalPlaces
from qsched.engine.preparation import Preparation
from qsched.kube.changes import Metadata  # noqa: TC001 - msgspec reads it
from qsched.kube.clock import SystemClock
from qsched.kube.errors import Unreachable
from qsched.kube.events import Recorder
from qsched.kube.metrics import Metrics
from qsched.kube.queue import Retries, WorkQueue
from qsched.kube.reflector import Reflector
from qsched.kube.writer import Writer
from qsched.store.sqlite import SqliteStore
from tests.unit.engine.harness import FastClock, backend, bench, job, provider
from tests.unit.kube.server import PATH, serving
from tests.unit.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.store.protocol import Update

PAGE = Path(__file__).parents[3] / "docs/how-to/observe.md"


class Thing(msgspec.Struct, frozen=True):
    metadata: Metadata


class Late(SystemClock):
    """A clock that is some time ahead."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Dated(SystemClock):
    """A clock with the Unix time of another one."""

    def __init__(self, clock: FastClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()


class Metered(SqliteStore):
    """A store that tells the metrics of updates, as the journal of a cluster does."""

    metrics: Metrics

    def apply(
        self, updates: Sequence[Update], *, done: Sequence[int] = (), forget: Sequence[str] = ()
    ) -> None:
        super().apply(updates, done=done, forget=forget)
        for update in updates:
            self.metrics.take(update)


def reader(metrics: Metrics):
    """Reads a sample as Prometheus would now."""

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"qsched_{name}", labels)

    return value


async def test_jobs_and_backends_are_told_as_they_are(tmp_path: Path) -> None:
    clock = FastClock()
    slow = FakeDevice(name="slow", run_s=1e6, queue_depth=7)
    fake = provider(
        clock, slow, FakeDevice(name="dark", online=False, queue_depth=None, two_qubit_error=None)
    )
    metrics = Metered.metrics = Metrics(Dated(clock))
    value = reader(metrics)
    workers = WorkerPool(1, environment={"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    fleet = [backend("slow", max_in_flight=2), backend("dark")]
    try:
        preparation = Preparation(workers, LocalPlaces(tmp_path))
        async with bench(preparation, tmp_path, fake, fleet, clock, store=Metered) as it:
            metrics.sources.pump, metrics.sources.backends = it.engine.pump, it.parts.backends
            names = ["a", "b", "c", "d", "e"]
            it.submit(*(job(name) for name in names))
            await it.until(lambda: value("jobs", phase="Running") == 2, "two run")
            await it.until(lambda: value("jobs", phase="Placed") == 3, "three wait")
            assert value("jobs", phase="Pending") == 0
            assert value("backend_placed_jobs", backend="slow") == 3
            assert value("backend_placed_jobs", backend="dark") == 0
            assert value("backend_in_flight_tasks", backend="slow") == 2
            assert value("backend_slots", backend="slow") == 2
            assert value("backend_online", backend="slow") == 1
            assert value("backend_online", backend="dark") == 0
            assert value("backend_queue_depth", backend="slow") in {7, 9}  # with our two, once asked again
            assert value("backend_queue_depth", backend="dark") is None, "unknown is not zero"
            assert value("backend_calibration_age_seconds", backend="dark") is None
            (there,) = [each for each in it.parts.backends if each.name == "slow"]
            assert isinstance(there.calibration, Calibration)
            age_s = value("backend_calibration_age_seconds", backend="slow")
            assert age_s == pytest.approx(clock.now() - there.calibration.taken_at.timestamp(), abs=30)

            for name in names:
                it.command(name, "Cancel")
            for name in names:
                await it.phase(name, "Cancelled")
            await it.until(lambda: not it.engine.pump.jobs, "all settled")
            assert value("jobs", phase="Running") == value("jobs", phase="Placed") == 0
            assert value("jobs_ended_total", phase="Cancelled", reason="Cancelled") == 5
            assert value("attempts_ended_total", backend="slow", state="Cancelled") == 2
            assert value("job_seconds_count", phase="Cancelled") == 5
            assert value("job_wait_seconds_count") == 2, "three of them never ran"
    finally:
        await workers.aclose()


async def test_queues_are_told_as_they_are() -> None:
    clock = Late()
    metrics = Metrics(clock)
    value = reader(metrics)
    queue: WorkQueue[str] = WorkQueue(Retries(least_s=1e6, most_s=1e6), clock=clock)
    metrics.sources.queues["job-status"] = queue
    queue.add_after("later", 1e6)
    queue.add("bad")
    clock.ahead_s = 5.0
    assert value("work_queue_depth", queue="job-status") == 1
    assert value("work_queue_delayed", queue="job-status") == 1
    oldest_s = value("work_queue_oldest_seconds", queue="job-status")
    assert oldest_s == pytest.approx(5.0, abs=1.0)

    async def fail(key: str) -> None:
        raise Unreachable(key)

    running = asyncio.create_task(queue.run(1, fail))
    await until(lambda: value("work_queue_retries_total", queue="job-status") == 1)
    assert value("work_queue_depth", queue="job-status") == 0
    assert value("work_queue_delayed", queue="job-status") == 2
    assert value("work_queue_oldest_seconds", queue="job-status") == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_api_server_that_falls_silent_shows(tmp_path: Path) -> None:
    clock = Late()
    metrics = Metrics(clock)
    value = reader(metrics)
    async with serving(tmp_path) as (server, api):
        server.put("one")
        server.put("two")
        reflector = Reflector(api, PATH, Thing, lambda _: None, clock=clock)
        metrics.sources.reflectors["things"] = reflector
        assert value("reflector_objects", resource="things") == 0
        assert value("reflector_silence_seconds", resource="things") is None, "not heard yet"
        running = asyncio.create_task(reflector.run())
        await reflector.synced.wait()
        assert value("reflector_objects", resource="things") == 2
        assert value("reflector_lists_total", resource="things") == 1
        assert value("reflector_failures_total", resource="things") == 0
        clock.ahead_s = 600.0
        silence_s = value("reflector_silence_seconds", resource="things")
        assert silence_s is not None
        assert silence_s >= 600.0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_who_leads_is_told_at_every_scrape() -> None:
    metrics = Metrics()
    value = reader(metrics)
    assert value("leader") == 0
    leads = True
    metrics.sources.leads = lambda: leads
    assert value("leader") == 1
    leads = False
    assert value("leader") == 0


def test_cycles_and_calls_are_counted() -> None:
    metrics = Metrics()
    value = reader(metrics)
    metrics.cycle(0.02, 40, 12)
    metrics.cycle(0.2, 2, 0)
    assert value("cycle_seconds_count") == 2
    assert value("cycle_heads_total") == 42
    assert value("cycle_placements_total") == 12
    metrics.called("aer", "submit", 0.3, "")
    metrics.called("aer", "submit", 60.0, "Cancelled")
    assert value("driver_call_seconds_count", driver="aer", call="submit") == 2
    assert value("driver_errors_total", driver="aer", call="submit", error="Cancelled") == 1


async def test_the_documentation_lists_every_metric_and_no_other(tmp_path: Path) -> None:
    metrics = Metrics()
    async with serving(tmp_path) as (_, api):
        sources = metrics.sources
        sources.recorder = Recorder(api, may_write=lambda: True, clock=SystemClock().now)
        sources.writer = Writer(
            api, WorkQueue(), sources.recorder, may_write=lambda: True, clock=SystemClock().now
        )
        sources.pump = _NoJobs()  # type: ignore[assignment]
        told = {
            family.name + ("_total" if family.type == "counter" else "")
            for family in metrics.registry.collect()
            if family.name.startswith("qsched_")
        }
        assert generate_latest(metrics.registry)  # it can be written down
    page = PAGE.read_text()
    assert set(re.findall(r"^\| `(qsched_\w+)` \|", page, re.MULTILINE)) == told
    named = set(re.findall(r"\bqsched_(?!extender)\w+", page))
    assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in named} == told, "an alert on nothing"


class _NoJobs:
    def in_phases(self, *_: str) -> tuple[()]:
        return ()
