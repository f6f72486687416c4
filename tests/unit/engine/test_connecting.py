"""Backends of one provider connect together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qsched.drivers import Unavailable
from qsched.drivers.fake import FakeDevice, FakeDriver
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
