"""The contract against real clouds, for each that a variable names devices of; it may cost money.

``QSCHED_LIVE_IBM``, ``QSCHED_LIVE_BRAKET`` and ``QSCHED_LIVE_AZURE`` hold a driver's names of one or two
devices, with a comma; ``QSCHED_LIVE_IBM_PARAMETERS`` and so on hold a backend's ``parameters`` as JSON.
Credentials are found in the way of each provider. Simulators are cheap and quick.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Task, TaskCircuit, contract_waits
from qsched.drivers.contract import DriverContract
from qsched.drivers.registry import Drivers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qsched.drivers import Driver, RemoteTask

pytestmark = [pytest.mark.live, pytest.mark.timeout(7200)]

PATIENCE_S = 3600.0
PACE_S = 2.0
SHOTS = 100


class FreshTokens:
    """A driver whose tokens are new in each test: a real provider remembers those of earlier runs."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._prefix = uuid.uuid4().hex[:12]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def submit(self, task: Task, token: str) -> RemoteTask:
        return await self._driver.submit(task, f"{self._prefix}-{token}")

    async def find(self, token: str) -> RemoteTask | None:
        return await self._driver.find(f"{self._prefix}-{token}")


def flips(name: str, *flipped: int) -> TaskCircuit:
    """For the provider, or the driver, to compile."""
    circuit = QuantumCircuit(3, 3)
    circuit.x(flipped)
    circuit.measure(range(3), range(3))
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue())


class Live(DriverContract):
    name: str

    @pytest.fixture(autouse=True)
    def devices(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        variable = f"QSCHED_LIVE_{self.name.upper()}"
        devices = [each.strip() for each in os.environ.get(variable, "").split(",") if each.strip()]
        if not devices:
            pytest.skip(f"{variable} names no device")
        monkeypatch.setattr(contract_waits, "PATIENCE_S", PATIENCE_S)
        monkeypatch.setattr(contract_waits, "PACE_S", PACE_S)
        return devices

    @pytest.fixture
    async def driver(self, devices: list[str]) -> AsyncIterator[FreshTokens]:
        parameters = json.loads(os.environ.get(f"QSCHED_LIVE_{self.name.upper()}_PARAMETERS", "{}"))
        made = Drivers().get(self.name, parameters)
        yield FreshTokens(made)
        await made.aclose()

    @pytest.fixture
    def task(self, devices: list[str]) -> Task:
        return Task(device=devices[0], circuits=(flips("one", 0), flips("two", 1, 2)), shots=SHOTS)

    @pytest.fixture
    def other_task(self, devices: list[str]) -> Task:
        if len(devices) < 2:
            pytest.skip("one device is named, and this needs two")
        return Task(device=devices[1], circuits=(flips("other", 1),), shots=SHOTS)

    @pytest.fixture
    def long_task(self) -> Task:
        pytest.skip("no real device runs a task until it is cancelled")

    @pytest.fixture
    def lose_answer(self) -> None:
        pytest.skip("a real provider loses no answer on demand")

    @pytest.fixture
    def impossible_task(self, devices: list[str]) -> Task:
        return Task(device=devices[0], circuits=(), shots=SHOTS)


class TestIbm(Live):
    name = "ibm"


class TestBraket(Live):
    name = "braket"


class TestAzure(Live):
    name = "azure"
