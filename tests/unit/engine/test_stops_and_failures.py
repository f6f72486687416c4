"""Engines that stop, and stores, disks and worker processes that fail."""

from __future__ import annotations

import errno
import functools
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from qsched.api.job import Circuit, Requirements, ResultTarget
from qsched.drivers.fake import FakeDevice
from qsched.drivers.workers import WorkerDiedError
from qsched.engine import patience, places
from qsched.engine.preparation import Preparation
from qsched.engine.results import write_result
from qsched.errors import ResultError, StoreError
from qsched.store.sqlite import SqliteStore
from tests.unit.engine.harness import BELL, PACE, add, backend, job, provider

if TYPE_CHECKING:
    from pathlib import Path

    from qsched.api.job import Result
    from tests.unit.engine.harness import FastClock, Start

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEFT = [backend("left")]
PLACED_BUT_ONE = ["Placed"] * 5 + ["Running"]


async def test_what_is_being_submitted_when_the_engine_stops_is_run_once(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", wait_s=60.0))
    gate = fake.hold("submit")
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"), job("two"))
        await bench.until(lambda: fake.calls["submit"] == 1)
        bench.engine.stop()
        gate.set()
        await bench.ended()
        states = {bench.state(name).phase for name in ("one", "two")}
    assert states == {"Queued", "Placed"}
    async with start(fake, LEFT) as bench:
        await bench.phase("one", "Complete")
        await bench.phase("two", "Complete")
    assert len(fake.submissions()) == 2


async def test_a_stopping_engine_does_not_wait_for_a_provider_for_ever(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    gate = fake.hold("submit")
    async with start(fake, LEFT, settings=msgspec.structs.replace(PACE, grace_s=0.05)) as bench:
        bench.submit(job("one"))
        await bench.until(lambda: fake.calls["submit"] == 1)
        bench.engine.stop()
        await bench.ended()
        assert bench.state("one").phase == "Submitting"
    gate.set()
    async with start(fake, LEFT) as bench:
        await bench.phase("one", "Complete")
    assert len(fake.submissions()) == 1


async def test_the_result_of_a_task_says_its_calibration_also_after_a_restart(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", wait_s=20.0))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Queued")
    async with start(fake, LEFT) as bench:
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert result.calibration_id == (await fake.calibration("left")).id


async def test_placed_jobs_of_an_earlier_engine_are_dispatched(start: Start, clock: FastClock) -> None:
    """Their circuits are read one after the other, and none is looked at before it was read."""
    fake = provider(clock, FakeDevice(name="left", run_s=1e6))
    jobs = [
        job(f"job-{index}", circuits=[Circuit(name="bell", qasm=BELL + f" // {index}")]) for index in range(6)
    ]
    async with start(fake, [backend("left", max_in_flight=1)]) as bench:
        bench.submit(*jobs)
        await bench.until(lambda: sorted(each.phase for each in bench.store.list()) == PLACED_BUT_ONE)
    fake.change("left", run_s=0.0)
    async with start(fake, [backend("left", max_in_flight=6)]) as bench:
        await bench.until(lambda: sum(each.phase == "Complete" for each in bench.store.list()) == 5)


class FailingStore(SqliteStore):
    """Fails every call for a while when told to."""

    failures = 0
    answers = 0

    def _fail(self) -> None:
        if self.failures:
            type(self).failures -= 1
            raise StoreError("the disk is full")
        type(self).answers += 1

    def apply(self, *args, **more) -> None:
        self._fail()
        super().apply(*args, **more)

    def unsettled(self, *args, **more):
        self._fail()
        return super().unsettled(*args, **more)

    def commands(self, *args, **more):
        self._fail()
        return super().commands(*args, **more)

    def purge(self, now: float) -> int:
        self._fail()
        return super().purge(now)

    def put(self, *args, **more) -> None:
        self._fail()
        super().put(*args, **more)


async def test_a_store_that_fails_for_a_while_loses_nothing(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, [backend("left", max_in_flight=4)], store=FailingStore) as bench:
        bench.submit(*(job(f"job-{index}") for index in range(8)))
        for _ in range(6):
            answers, FailingStore.failures = FailingStore.answers, 3
            await bench.until(lambda answers=answers: FailingStore.answers > answers + 5)
        await bench.until(lambda: all(each.phase == "Complete" for each in bench.store.list()))
    assert len(fake.submissions()) == 8


async def test_a_store_that_stays_broken_ends_the_engine_with_its_words(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    tries = 20 * len(patience.PATIENCE_S)
    async with start(fake, LEFT, store=FailingStore) as bench:
        bench.submit(job("one"))
        FailingStore.failures = tries
        await bench.ended()
    assert isinstance(bench.running.exception(), StoreError)
    assert str(bench.running.exception()) == "the disk is full"
    FailingStore.failures = 0
    async with start(fake, LEFT, store=FailingStore) as bench:
        await bench.phase("one", "Complete")


def full_disk(result: Result, uri: str, *, times: list[int]) -> Result:
    """``write_result`` on a disk that is full ``times`` times."""
    if times[0]:
        times[0] -= 1
        raise ResultError(f"cannot write {uri}: {os.strerror(errno.ENOSPC)}")
    return write_result(result, uri)


async def test_a_result_is_written_once_the_disk_has_room_again(
    start: Start, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "write_result", functools.partial(full_disk, times=[3]))
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Complete")
    assert len(state.attempts) == 1


async def test_a_job_whose_result_cannot_be_written_fails_and_says_where(
    start: Start, clock: FastClock, tmp_path: Path
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    gate = fake.hold("result")
    folder = tmp_path / "mine"
    async with start(fake, LEFT) as bench:
        bench.submit(job("one", result=ResultTarget(uri=folder.as_uri())))
        await bench.phase("one", "Collecting")
        folder.write_text("a file where the folder was to be")
        gate.set()
        state = await bench.phase("one", "Failed")
    assert state.reason == "ResultNotWritten"
    assert folder.as_uri() in state.message
    assert len(fake.submissions()) == 1


class CrashingPreparation(Preparation):
    """Loses its worker process the first few times."""

    def __init__(self, inner: Preparation, crashes: int, *, bug: bool = False) -> None:
        self._inner = inner
        self._crashes = crashes
        self._bug = bug
        self.prepare = self._crash(inner.prepare)  # type: ignore[method-assign]
        self.transpile = self._crash(inner.transpile)  # type: ignore[method-assign]

    def _crash(self, method):
        async def call(*args):
            if self._crashes:
                self._crashes -= 1
                raise RecursionError("too deep") if self._bug else WorkerDiedError("killed by signal 9")
            return await method(*args)

        return call


async def test_a_worker_that_dies_over_a_circuit_is_given_another_chance(
    start: Start, clock: FastClock, preparation: Preparation
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, LEFT, preparation=CrashingPreparation(preparation, 2)) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")


@pytest.mark.parametrize("bug", [False, True])
async def test_a_circuit_that_keeps_killing_workers_fails_its_job_only(
    start: Start, clock: FastClock, preparation: Preparation, *, bug: bool
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    crashing = CrashingPreparation(preparation, 3, bug=bug)
    async with start(fake, LEFT, preparation=crashing) as bench:
        bench.submit(job("one"))
        state = await bench.phase("one", "Failed")
        crashing._crashes = 0
        bench.submit(job("two"))
        await bench.phase("two", "Complete")
    assert "too deep" in state.message if bug else "killed by signal 9" in state.message


@pytest.mark.slow
async def test_a_hundred_jobs_that_wait_for_ever_keep_no_other_out(
    start: Start, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qsched.engine.cycle.HEADS", 8)
    fake = provider(clock, FakeDevice(name="left"), FakeDevice(name="away", online=False))
    away = Requirements(backends=["away"])

    def before(store: SqliteStore) -> None:
        add(store, *(job(f"waits-{i}", requirements=away) for i in range(100)), at=clock.now() - 9e4)

    async with start(fake, [*LEFT, backend("away")], before=before) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        fake.set_online("away", online=True)
        await bench.until(lambda: all(each.phase == "Complete" for each in bench.store.list()))
