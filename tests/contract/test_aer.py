from __future__ import annotations

import io

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Task, TaskCircuit
from qsched.drivers.contract import DriverContract
from qsched_aer import AerDriver


def circuit(wide: QuantumCircuit, name: str = "bell") -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(wide, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue(), transpiled_hash=f"hash-{name}")


def bell() -> QuantumCircuit:
    """Native to every snapshot with ``cx`` on (0, 1)."""
    bell = QuantumCircuit(2, 2)
    bell.rz(1.5707963267948966, 0)
    bell.sx(0)
    bell.rz(1.5707963267948966, 0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    return bell


def endless() -> QuantumCircuit:
    """Takes a worker hours."""
    hard = QuantumCircuit(22, 22)
    for _ in range(200):
        for qubit in range(21):
            hard.rx(0.3, qubit)
            hard.cx(qubit, qubit + 1)
            hard.reset(qubit)
    hard.measure(range(22), range(22))
    return hard


class TestAer(DriverContract):
    @pytest.fixture
    async def driver(self):
        driver = AerDriver({"workers": 1, "threads": 1})
        yield driver
        await driver.aclose()

    @pytest.fixture
    def task(self) -> Task:
        return Task(device="vigo", circuits=(circuit(bell()), circuit(bell(), "again")), shots=200, seed=1)

    @pytest.fixture
    def other_task(self) -> Task:
        return Task(device="ideal", circuits=(circuit(bell()),), shots=200)

    @pytest.fixture
    def long_task(self) -> Task:
        return Task(device="ideal", circuits=(circuit(endless()),), shots=1_000_000)

    @pytest.fixture
    def impossible_task(self) -> Task:
        return Task(device="vigo", circuits=(circuit(endless()),), shots=1)
