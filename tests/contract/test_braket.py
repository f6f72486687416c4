from __future__ import annotations

import io

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Driver, Task, TaskCircuit, Unavailable
from qsched.drivers.contract import DriverContract
from qsched_braket import BraketDriver
from qsched_emulators.control import Emulator

FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
ANKAA = "arn:aws:braket:us-west-1::device/qpu/rigetti/Ankaa-3"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


@pytest.fixture(scope="module", autouse=True)
def running_emulator():
    with Emulator.start("braket", pace=0.1) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """As it is at the start, with a device on which nothing ever ends."""
    running_emulator.reset()
    running_emulator.change(ANKAA, run_s=1e6)
    return running_emulator


def circuit(circuit: QuantumCircuit, name: str, digest: str | None = None) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue(), transpiled_hash=digest)


def flips(*qubits: int) -> QuantumCircuit:
    flips = QuantumCircuit(3, 3)
    flips.x(qubits)
    flips.measure(range(3), range(3))
    return flips


def a_task(device: str, *flipped: tuple[int, ...]) -> Task:
    circuits = (circuit(flips(*qubits), f"flips-{number}") for number, qubits in enumerate(flipped))
    return Task(device=device, circuits=tuple(circuits), shots=200)


class TestBraket(DriverContract):
    @pytest.fixture
    def another(self, emulator: Emulator):
        return lambda: BraketDriver({**emulator.parameters, "timeoutSeconds": 2}, emulator.credentials)

    @pytest.fixture
    async def driver(self, another):
        driver = another()
        yield driver
        await driver.aclose()

    @pytest.fixture
    def provider(self, emulator: Emulator) -> Emulator:
        return emulator

    @pytest.fixture
    def lose_answer(self, emulator: Emulator):
        """Drops the answer to the last request: each circuit has one, and the seed spares the first."""

        async def drop(driver: Driver, task: Task, token: str) -> None:
            emulator.fault("drop-after", "submit", probability=0.5, seed=10)
            with pytest.raises(Unavailable):
                await driver.submit(task, token)

        return drop

    @pytest.fixture
    def task(self) -> Task:
        return a_task(GARNET, (0,), (1, 2))

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task(FORTE, (1,))

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task(ANKAA, (2,))

    @pytest.fixture
    def impossible_task(self) -> Task:
        wide = QuantumCircuit(21, 21)
        wide.h(range(21))
        wide.measure(range(21), range(21))
        return Task(device=GARNET, circuits=(circuit(wide, "wide"),), shots=1)
