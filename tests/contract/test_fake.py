from __future__ import annotations

import pytest

from qsched.drivers import Driver, Task, TaskCircuit, Unavailable
from qsched.drivers.contract import DriverContract
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters

DEVICES = (
    FakeDevice(name="fast"),
    FakeDevice(name="other", qubits=27, two_qubit_error=None),
    FakeDevice(name="slow", run_s=1e6),
)


def a_task(device: str) -> Task:
    circuits = tuple(TaskCircuit(name=name, qpy=b"", transpiled_hash=f"hash-{name}") for name in "ab")
    return Task(device=device, circuits=circuits, shots=101)


class TestFake(DriverContract):
    @pytest.fixture
    async def driver(self, tmp_path):
        driver = FakeDriver(FakeParameters(devices=DEVICES))
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

    @pytest.fixture
    def lose_answer(self):
        async def lose(driver: Driver, task: Task, token: str) -> None:
            assert isinstance(driver, FakeDriver)
            driver.fail("submit", Unavailable("the line went dead"), after=True)
            with pytest.raises(Unavailable):
                await driver.submit(task, token)

        return lose


class TestFakeInAFile(TestFake):
    @pytest.fixture
    async def driver(self, tmp_path):
        driver = FakeDriver(FakeParameters(devices=DEVICES, path=str(tmp_path / "provider.db")))
        yield driver
        await driver.aclose()
