"""The same circuits through every driver: the same bits come back, in the same places."""

from __future__ import annotations

import io
import math
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy

from qsched.circuits.transpile import transpile
from qsched.drivers import Task, TaskCircuit
from qsched.drivers.contract import ended
from qsched.drivers.registry import Drivers
from qsched.fleet.target import to_target
from qsched_emulators.control import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.drivers import Driver

pytestmark = pytest.mark.slow

SHOTS = 400
CLOUDS = ("ibm", "braket", "azure")
FITTED, GIVEN = "transpiled by qsched", "as they are"
PLACES = {
    ("aer", "ideal"): [GIVEN],
    ("aer", "lagos"): [FITTED],
    ("aer", "ionq-aria"): [FITTED],
    ("aer", "iqm-garnet"): [FITTED],
    ("aer", "rigetti-ankaa"): [FITTED],
    ("braket-local", "braket_sv"): [GIVEN],
    ("braket-local", "braket_dm"): [GIVEN],
    ("ibm", "lagos"): [FITTED, GIVEN],
    ("ibm", "torino"): [FITTED, GIVEN],
    ("braket", "ionq"): [FITTED, GIVEN],
    ("braket", "iqm"): [FITTED, GIVEN],
    ("braket", "rigetti"): [FITTED, GIVEN],
    ("braket", "sv1"): [GIVEN],
    ("azure", "ionq.qpu"): [FITTED, GIVEN],
    ("azure", "ionq.simulator"): [GIVEN],
    ("azure", "quantinuum.qpu"): [FITTED, GIVEN],
    ("azure", "rigetti.qpu"): [FITTED, GIVEN],
}
"""Drivers, a part of the name of a device of each, and in which forms it takes circuits."""


def crossed() -> QuantumCircuit:
    """Two registers that are measured crosswise, with one qubit excited: the key has one 1."""
    low, high = ClassicalRegister(2, "low"), ClassicalRegister(3, "high")
    circuit = QuantumCircuit(QuantumRegister(4, "q"), low, high, name="crossed")
    circuit.x(1)
    circuit.measure(0, high[2])
    circuit.measure(1, high[0])
    circuit.measure(2, low[1])
    circuit.measure(3, low[0])
    return circuit


def entangled() -> QuantumCircuit:
    """A cat of which one qubit is flipped, measured in reverse: two keys, neither of them all 0 or all 1."""
    circuit = QuantumCircuit(3, 3, name="entangled")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.x(0)
    circuit.measure([0, 1, 2], [2, 0, 1])
    return circuit


def turned() -> QuantumCircuit:
    """Quarter turns, one and two qubits at a time, that end elsewhere if one has the wrong sign or axis."""
    circuit = QuantumCircuit(3, 3, name="turned")
    quarter = math.pi / 2
    steps: list[Callable[[], object]] = [
        lambda: (circuit.ry(quarter, 0), circuit.h(1), circuit.ry(quarter, 2)),
        lambda: (circuit.rz(quarter, 0), circuit.rz(quarter, 2)),
        lambda: (circuit.rxx(quarter, 0, 1), circuit.rx(-quarter, 2)),
        lambda: (circuit.h(1), circuit.h(2)),
        lambda: circuit.rzz(quarter, 1, 2),
        lambda: circuit.rx(quarter, 2),
        lambda: circuit.swap(0, 2),
    ]
    for step in steps:
        step()
        circuit.barrier()  # so that no two steps are made into one
    circuit.measure(range(3), range(3))
    return circuit


EXPECTED = {"crossed": {"001 00"}, "entangled": {"100", "011"}, "turned": {"001"}}


@pytest.fixture(scope="module")
def cloud():
    """Starts the emulator of a driver when it is first asked for; None for a driver that has none."""
    with ExitStack() as running:

        @cache
        def start(name: str) -> Emulator | None:
            return running.enter_context(Emulator.start(name, pace=0.1)) if name in CLOUDS else None

        yield start


@pytest.fixture
async def connect(cloud):
    drivers = Drivers()

    def get(name: str) -> Driver:
        emulator = cloud(name)
        return (
            drivers.get(name, emulator.parameters, emulator.credentials)
            if emulator
            else drivers.get(name, {})
        )

    yield get
    await drivers.aclose()


async def device_of(driver, part: str) -> str:
    infos = await driver.devices()
    named = [it.device for it in infos if it.device == part] or [
        it.device for it in infos if part in it.device.lower()
    ]
    assert named, f"no device {part}"
    return named[0]


@pytest.mark.parametrize(
    ("name", "part", "form"), [(*place, form) for place, forms in PLACES.items() for form in forms]
)
async def test_the_same_bits_come_back(connect, name: str, part: str, form: str):
    driver = connect(name)
    device = await device_of(driver, part)
    calibration = await driver.calibration(device) if form == FITTED else None
    circuits = [crossed(), entangled(), turned()]
    task = Task(
        device=device,
        circuits=tuple(
            given(it) if calibration is None else fitted(it, to_target(calibration)) for it in circuits
        ),
        shots=SHOTS,
        calibration_id=None if calibration is None else calibration.id,
    )
    remote = await driver.submit(task, f"agree-{part}-{form}")
    status = await ended(driver, remote.remote_id)
    assert status.state == "Succeeded", status.message
    result = await driver.result(remote.remote_id)
    assert result.shots == (SHOTS,) * len(circuits)
    for circuit, counts in zip(circuits, result.counts, strict=True):
        expected = EXPECTED[circuit.name]
        most = sorted(counts, key=counts.__getitem__, reverse=True)[: len(expected)]
        assert set(most) == expected, f"{circuit.name} on {device}: {counts}"
        assert sum(counts.values()) == SHOTS
        assert sum(counts[key] for key in expected) > 0.6 * SHOTS


def given(circuit: QuantumCircuit) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=circuit.name, qpy=buffer.getvalue())


def fitted(circuit: QuantumCircuit, target) -> TaskCircuit:
    made = transpile(circuit, target, level=2, seed=1)
    return TaskCircuit(name=circuit.name, qpy=made.qpy, transpiled_hash=made.hash)
