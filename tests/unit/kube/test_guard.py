"""Guarded drivers: nobody but the leader calls them, every call is counted, and nothing else changes."""

from __future__ import annotations

import asyncio
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from qsched.drivers import (
    Describing,
    DeviceInfo,
    Driver,
    RateLimited,
    Rejected,
    Task,
    TaskCircuit,
    Unavailable,
    Warmable,
)
from qsched.drivers.contract import DriverContract
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters
from qsched.drivers.registry import Drivers
from qsched.kube.guard import Guarded, GuardedDrivers, guard
from tests.unit.kube.waiting import settle

if TYPE_CHECKING:
    from qsched.kube.guard import Call

DEVICES = (FakeDevice(name="fast"), FakeDevice(name="other"), FakeDevice(name="slow", run_s=1e6))


def a_task(device: str) -> Task:
    return Task(device=device, circuits=(TaskCircuit(name="a", qpy=b"", transpiled_hash="h"),) * 2, shots=10)


class Notes:
    """What was metered: the call, and how it ended."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Call, str]] = []
        self.seconds: list[float] = []

    def called(self, driver: str, call: Call, seconds: float, error: str) -> None:
        self.calls.append((driver, call, error))
        self.seconds.append(seconds)


class Leadership:
    def __init__(self) -> None:
        self.leads = True

    def __call__(self) -> bool:
        return self.leads


class WarmFake(FakeDriver):
    warmed = False

    async def warm(self) -> None:
        self.warmed = True


class DescribingFake(FakeDriver):
    async def info(self, device: str) -> DeviceInfo:
        return DeviceInfo(device=device, qubits=3, simulator=True)


class BothFake(DescribingFake, WarmFake):
    pass


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def leadership() -> Leadership:
    return Leadership()


@pytest.fixture
async def fake():
    fake = FakeDriver(FakeParameters(devices=DEVICES))
    yield fake
    await fake.aclose()


@pytest.fixture
def guarded(fake: FakeDriver, notes: Notes, leadership: Leadership) -> Guarded:
    return guard(fake, "acme", may_act=leadership, meter=notes)


class TestGuardedFake(DriverContract):
    """A guarded driver is a driver like any other."""

    @pytest.fixture
    async def driver(self, notes: Notes):
        driver = guard(FakeDriver(FakeParameters(devices=DEVICES)), "fake", may_act=lambda: True, meter=notes)
        yield driver
        await driver.aclose()

    @pytest.fixture
    def task(self) -> Task:
        return a_task("fast")

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task("other")

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task("slow")

    @pytest.fixture
    def impossible_task(self) -> Task:
        return Task(device="fast", circuits=(), shots=1)


async def test_who_leads_no_longer_calls_nobody_and_may_close(
    guarded: Guarded, fake: FakeDriver, notes: Notes, leadership: Leadership
) -> None:
    remote = await guarded.submit(a_task("slow"), "token")
    before = dict(fake.calls)
    leadership.leads = False
    for call in (
        guarded.devices(),
        guarded.status("fast"),
        guarded.calibration("fast"),
        guarded.submit(a_task("fast"), "another"),
        guarded.find("token"),
        guarded.poll([remote.remote_id]),
        guarded.result(remote.remote_id),
        guarded.cancel(remote.remote_id),
    ):
        with pytest.raises(Unavailable, match="no longer leads"):
            await call
    assert dict(fake.calls) == before
    assert notes.calls == [("acme", "submit", "")]  # what was not called is not counted
    await guarded.aclose()
    with pytest.raises(Unavailable, match="is closed"):
        await fake.status("fast")


async def test_calls_and_their_errors_are_counted_by_kind(
    guarded: Guarded, fake: FakeDriver, notes: Notes
) -> None:
    fake.fail("poll", Unavailable("gone"))
    fake.fail("status", RateLimited("slow down", 7.0))
    with pytest.raises(Unavailable):
        await guarded.poll(["x"])
    with pytest.raises(RateLimited) as limited:
        await guarded.status("fast")
    assert limited.value.retry_after_s == 7.0
    with pytest.raises(Rejected):
        await guarded.submit(Task(device="fast", circuits=(), shots=1), "token")
    await guarded.devices()
    assert notes.calls == [
        ("acme", "poll", "Unavailable"),
        ("acme", "status", "RateLimited"),
        ("acme", "submit", "Rejected"),
        ("acme", "devices", ""),
    ]
    assert all(0 <= each < 10 for each in notes.seconds)


async def test_a_call_that_nobody_waits_for_any_longer_is_counted_as_cancelled(
    guarded: Guarded, fake: FakeDriver, notes: Notes
) -> None:
    fake.hold("status")
    waiting = asyncio.create_task(guarded.status("fast"))
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert notes.calls == [("acme", "status", "Cancelled")]


async def test_what_no_driver_may_raise_passes_and_stands_out(
    guarded: Guarded, fake: FakeDriver, notes: Notes
) -> None:
    fake.fail("find", ZeroDivisionError("a bug"))  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await guarded.find("token")
    assert notes.calls == [("acme", "find", "Unexpected")]


async def test_a_driver_that_can_get_ready_stays_so(notes: Notes, leadership: Leadership) -> None:
    warm = WarmFake(FakeParameters(devices=DEVICES))
    ready = guard(warm, "acme", may_act=leadership, meter=notes)
    assert isinstance(ready, Warmable)
    assert isinstance(ready, Driver)
    await ready.warm()
    assert warm.warmed
    assert notes.calls == [("acme", "warm", "")]
    await ready.aclose()


@pytest.mark.parametrize("kind", [DescribingFake, BothFake])
async def test_a_driver_that_knows_devices_it_does_not_list_still_tells_of_them(
    notes: Notes, leadership: Leadership, kind: type[DescribingFake]
) -> None:
    described = guard(kind(FakeParameters(devices=DEVICES)), "acme", may_act=leadership, meter=notes)
    assert isinstance(described, Describing)
    assert isinstance(described, Warmable) == (kind is BothFake)
    assert (await described.info("a-file.qcal")).simulator
    assert notes.calls == [("acme", "info", "")]
    leadership.leads = False
    with pytest.raises(Unavailable, match="no longer leads"):
        await described.info("a-file.qcal")
    await described.aclose()


def test_a_driver_that_cannot_does_not_seem_to(guarded: Guarded) -> None:
    assert not isinstance(guarded, Warmable | Describing)


async def test_backends_that_share_a_driver_share_its_guard(notes: Notes, leadership: Leadership) -> None:
    entries = [EntryPoint("fake", "qsched.drivers.fake:FakeDriver", "qsched.drivers")]
    drivers = GuardedDrivers(Drivers(lambda: entries), may_act=leadership, meter=notes)
    one = drivers.get("fake", {})
    assert one is drivers.get("fake", {})
    other = drivers.get("fake", {"seed": 1})
    assert other is not one
    assert [each.name for each in drivers.describe()] == ["fake"]

    await drivers.drop(one)
    with pytest.raises(Unavailable, match="is closed"):
        await one.status("fake")
    assert (await other.status("fake")).online
    anew = drivers.get("fake", {})
    assert anew is not one
    assert (await anew.status("fake")).online

    leadership.leads = False
    await drivers.aclose()
    leadership.leads = True
    for each in (other, anew):
        with pytest.raises(Unavailable, match="is closed"):
            await each.status("fake")
