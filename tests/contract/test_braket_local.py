from __future__ import annotations

import io

import psutil
import pytest
from msgspec.structs import replace
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy

from qsched.drivers import NoCalibration, Rejected, Task, TaskCircuit
from qsched.drivers.contract import DriverContract
from qsched.drivers.contract_waits import ended
from qsched_braket import LocalBraketDriver

pytestmark = pytest.mark.slow


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


def asymmetric() -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(4), ClassicalRegister(2, "low"), ClassicalRegister(2, "lambda"))
    circuit.x(1)
    circuit.measure(0, circuit.cregs[1][0])
    circuit.measure(1, circuit.cregs[0][1])
    circuit.measure(2, circuit.cregs[0][0])
    return circuit


@pytest.fixture
async def driver():
    driver = LocalBraketDriver({"workers": 1})
    yield driver
    await driver.aclose()


@pytest.mark.parametrize("device", ["braket_sv", "braket_dm"])
async def test_bits_go_to_their_registers(driver: LocalBraketDriver, device: str):
    task = Task(device=device, circuits=(circuit(asymmetric(), "it"),), shots=50)
    remote = await driver.submit(task, "token")
    assert (await ended(driver, remote.remote_id)).state == "Succeeded"
    result = await driver.result(remote.remote_id)
    assert result.counts == ({"00 10": 50},)
    assert len(result.transpiled_hashes[0]) == 16


async def test_workers_can_be_started_before_there_is_a_task(driver: LocalBraketDriver):
    before = set(psutil.Process().children())
    await driver.warm()
    assert len(set(psutil.Process().children()) - before) == 1


async def test_a_seed_makes_a_simulation_repeatable(driver: LocalBraketDriver):
    counts = []
    for token, seed in (("one", 5), ("two", 5), ("three", 6)):
        task = Task(device="braket_sv", circuits=(circuit(wide(8, 2), "it"),), shots=500, seed=seed)
        remote = await driver.submit(task, token)
        await ended(driver, remote.remote_id)
        counts.append((await driver.result(remote.remote_id)).counts)
    assert counts[0] == counts[1] != counts[2]


async def test_devices_have_a_size_and_no_calibration(driver: LocalBraketDriver):
    sizes = {info.device: info.qubits for info in await driver.devices()}
    assert sizes["braket_sv"] > sizes["braket_dm"] > 10
    with pytest.raises(NoCalibration):
        await driver.calibration("braket_sv")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"circuits": ()}, "has no circuit"), ({"readout_mitigation": True}, "readoutMitigation")],
)
async def test_what_a_simulator_cannot_do_is_refused(driver: LocalBraketDriver, changes, words: str):
    task = Task(device="braket_sv", circuits=(circuit(bell(), "it"),), shots=1)
    with pytest.raises(Rejected, match=words):
        await driver.submit(replace(task, **changes), "token")
