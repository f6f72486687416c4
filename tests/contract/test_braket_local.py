from __future__ import annotations

import io

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Task, TaskCircuit
from qsched.drivers.contract import DriverContract
from qsched_braket import LocalBraketDriver


def circuit(circuit: QuantumCircuit, name: str) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue())


def bell() -> QuantumCircuit:
    bell = QuantumCircuit(2, 2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    return bell


def wide(qubits: int, layers: int) -> QuantumCircuit:
    wide = QuantumCircuit(qubits, qubits)
    for _ in range(layers):
        for qubit in range(qubits - 1):
            wide.rx(0.3, qubit)
            wide.cx(qubit, qubit + 1)
    wide.measure(range(qubits), range(qubits))
    return wide


class TestLocalBraket(DriverContract):
    @pytest.fixture
    async def driver(self):
        driver = LocalBraketDriver({"workers": 1})
        yield driver
        await driver.aclose()

    @pytest.fixture
    def task(self) -> Task:
        return Task(
            device="braket_sv", circuits=(circuit(bell(), "a"), circuit(bell(), "b")), shots=200, seed=1
        )

    @pytest.fixture
    def other_task(self) -> Task:
        return Task(device="braket_dm", circuits=(circuit(bell(), "a"),), shots=200)

    @pytest.fixture
    def long_task(self) -> Task:
        return Task(device="braket_sv", circuits=(circuit(wide(24, 40), "long"),), shots=200)

    @pytest.fixture
    def impossible_task(self) -> Task:
        return Task(device="braket_sv", circuits=(circuit(wide(27, 1), "wide"),), shots=1)
