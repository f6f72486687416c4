"""Circuits on their whole way: transpiled and scheduled by qsched, then run on the twin."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit

from qsched.circuits.transpile import transpile
from qsched.drivers import Task, TaskCircuit
from qsched.drivers.contract import ended
from qsched.fleet.quality import quality
from qsched.fleet.target import to_target
from qsched_aer import AerDriver
from qsched_aer.snapshots import load_snapshot, snapshot_names


def ghz(width: int) -> QuantumCircuit:
    circuit = QuantumCircuit(width)
    circuit.h(0)
    for qubit in range(width - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


async def counts(driver: AerDriver, device: str, circuit: QuantumCircuit, *, shots: int = 2000):
    calibration = await driver.calibration(device)
    native = transpile(circuit, to_target(calibration), level=1, seed=1)
    it = TaskCircuit(name="it", qpy=native.qpy, transpiled_hash=native.hash)
    task = Task(device=device, circuits=(it,), shots=shots, seed=1, calibration_id=calibration.id)
    remote = await driver.submit(task, device)
    status = await ended(driver, remote.remote_id)
    assert status.state == "Succeeded", status.message
    return (await driver.result(remote.remote_id)).counts[0], native.usage


@pytest.fixture
async def driver():
    driver = AerDriver({"workers": 1, "threads": 1})
    yield driver
    await driver.aclose()


@pytest.mark.parametrize("device", ["lagos", "mumbai", "sherbrooke", "ionq-forte"])
async def test_a_twin_succeeds_about_as_often_as_its_calibration_says(driver, device):
    seen, usage = await counts(driver, device, ghz(4))
    calibration = load_snapshot(device)
    couplers = {
        frozenset(pair): e
        for pair, e in zip(calibration.couplers.tolist(), calibration.gate2_error, strict=True)
    }
    expected = 1.0
    for pair, gates in zip(usage.couplers.tolist(), usage.coupler_gates, strict=True):
        expected *= (1 - couplers[frozenset(pair)]) ** int(gates)
    for qubit, measurements in zip(usage.qubits, usage.measurements, strict=True):
        expected *= (1 - calibration.readout_error[qubit]) ** int(measurements)
    succeeded = (seen.get("0000", 0) + seen.get("1111", 0)) / sum(seen.values())
    assert succeeded == pytest.approx(expected, abs=0.08)
    assert succeeded < 1


@pytest.mark.slow
async def test_every_snapshot_with_two_usable_qubits_runs_a_bell_pair(driver):
    ran = []
    for device in snapshot_names():
        if quality(load_snapshot(device)).qubits < 2:
            continue
        seen, _ = await counts(driver, device, ghz(2), shots=300)
        assert (seen.get("00", 0) + seen.get("11", 0)) / 300 > 0.6, device
        ran.append(device)
    assert len(ran) > 60
