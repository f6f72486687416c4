"""Backends of one provider connect together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qsched.api.backend import Window
from qsched.drivers import DeviceStatus, Unavailable
from qsched.drivers.fake import FakeDevice, FakeDriver
from qsched.drivers.registry import Drivers
from qsched.engine.backend import Backend
from qsched.engine.backends import Backends
from tests.unit.engine.harness import PACE, FastClock, Providers, backend, provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAMES = ("alpha", "beta", "gamma", "delta")


@pytest.fixture
async def fake() -> AsyncIterator[FakeDriver]:
    driver = provider(FastClock(), *(FakeDevice(name=name) for name in NAMES))
    yield driver
    await driver.aclose()


@pytest.fixture
async def fleet(fake: FakeDriver, tmp_path: Path) -> AsyncIterator[Backends]:
    manifests = [backend(name) for name in NAMES]
    backends = Backends(
        manifests, drivers=Providers(fake=fake), clock=FastClock(), settings=PACE, folder=tmp_path
    )
    yield backends
    await backends.aclose()


async def test_a_provider_is_asked_once_what_it_has(fleet: Backends, fake: FakeDriver) -> None:
    await fleet.refresh()
    assert all(each.takes_tasks and each.qubits == 5 for each in fleet)
    assert fake.calls["devices"] == 1


async def test_a_provider_that_fails_once_is_asked_again_for_all(fleet: Backends, fake: FakeDriver) -> None:
    fake.fail("devices", Unavailable("down"))
    await fleet.refresh()
    assert all(each.takes_tasks for each in fleet)


async def test_closing_ends_a_question_that_is_not_answered(fleet: Backends, fake: FakeDriver) -> None:
    fake.hold("devices")
    fleet.ask()
    while not fake.calls["devices"]:  # noqa: ASYNC110 - a turn of the loop, no time
        await asyncio.sleep(0)
    await fleet.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_driver_that_no_backend_uses_any_more_is_closed(tmp_path: Path) -> None:
    drivers = Drivers()
    before, after = ({"devices": [{"name": name} for name in NAMES], "seed": seed} for seed in (1, 2))
    backends = Backends(
        [backend(name, parameters=before) for name in NAMES],
        drivers=drivers,
        clock=FastClock(),
        settings=PACE,
        folder=tmp_path,
    )
    await backends.refresh()
    (first,) = drivers
    for name in NAMES[:-1]:
        backends.declare(backend(name, parameters=after))
    await backends.refresh()
    backends.ask()
    assert len(list(drivers)) == 2, "one backend still uses it"
    backends.declare(backend(NAMES[-1], parameters=after))
    await backends.refresh()
    async with asyncio.timeout(5):
        while len(list(drivers)) > 1:
            backends.ask()
            await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="closed"):
        await first.status(NAMES[0])
    assert all(each.takes_tasks for each in backends)
    await backends.aclose()
    await drivers.aclose()


def test_a_devices_windows_are_told_as_a_manifest_may_have_them() -> None:
    window = Window(days=["Mon", "Tue", "Mon"], start="08:00", end="09:00")
    known = Backend(backend("alpha"), status=DeviceStatus(online=True, windows=(window,) * 40))
    told = known.report().windows
    assert told == [Window(days=["Mon", "Tue"], start="08:00", end="09:00")] * 32
    assert known.spec.windows == told
