from __future__ import annotations

from typing import Any

import pytest

from qsched.drivers import Task, TaskCircuit, Unauthenticated, Unavailable
from qsched.drivers.contract import DriverContract
from qsched.drivers.contract_faults import FaultContract
from qsched.drivers.contract_provider import CALLS
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters

DEVICES = (
    FakeDevice(name="fast"),
    FakeDevice(name="other", qubits=27, two_qubit_error=None),
    FakeDevice(name="slow", run_s=1e6),
)


KEY = "a key that nobody shall see"


def a_task(device: str, circuits: str = "ab") -> Task:
    them = tuple(TaskCircuit(name=name, qpy=b"", transpiled_hash=f"hash-{name}") for name in circuits)
    return Task(device=device, circuits=them, shots=101)


class FakeProvider:
    """What the contract does to a provider, done to the fake."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver
        self.credentials = {"key": KEY}

    def fault(self, kind, call="", *, times=1, probability=1.0, seconds=None, seed=0):
        if probability < 1:
            return  # each call is one request, and this is about the second
        if kind == "429":
            self._driver.rest(5.0 if seconds is None else seconds)
        elif kind != "slow-body":
            refused = kind in {"expired", "revoked"}
            error = Unauthenticated("who are you?") if refused else Unavailable("the line went dead")
            after = kind.endswith("-after") or kind == "truncated"
            for each in (call,) if call else CALLS:
                self._driver.fail(each, error, times=10**6 if times is None else times, after=after)

    def clear(self):
        self._driver.heal()

    def change(self, device, *, queue=None, recalibrate=False, **changes):
        if queue is not None:
            changes["queue_depth"] = queue
        if recalibrate:
            self._driver.recalibrate(device, two_qubit_error=0.02)
        self._driver.change(device, **changes)

    def disturb(self, *, result_late_s=None, shots_factor=None, strange_state=None):
        """The fake's states are qsched's own, so that none is strange."""
        if shots_factor is not None:
            self._driver.miscount(shots_factor)
        if result_late_s:
            self._driver.fail("result", Unavailable("not yet"), times=10**6)
        elif result_late_s is not None:
            self._driver.heal()

    def tasks(self):
        return sorted({each.token for each in self._driver.submissions()})

    def calls(self) -> dict[str, Any]:
        return {"requests": dict(self._driver.calls), "faults": {}}


class TestFake(FaultContract, DriverContract):
    @pytest.fixture
    async def driver(self, tmp_path):
        driver = FakeDriver(FakeParameters(devices=DEVICES, key=KEY), {"key": KEY})
        yield driver
        await driver.aclose()

    @pytest.fixture
    def provider(self, driver) -> FakeProvider:
        return FakeProvider(driver)

    @pytest.fixture
    def task(self) -> Task:
        return a_task("fast")

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task("other", "a")

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task("slow")

    @pytest.fixture
    def impossible_task(self) -> Task:
        return Task(device="fast", circuits=(), shots=1)


class TestFakeInAFile(TestFake):
    @pytest.fixture
    def another(self, tmp_path):
        def connect() -> FakeDriver:
            parameters = FakeParameters(devices=DEVICES, path=str(tmp_path / "provider.db"), key=KEY)
            return FakeDriver(parameters, {"key": KEY})

        return connect

    @pytest.fixture
    async def driver(self, another):
        driver = another()
        yield driver
        await driver.aclose()
