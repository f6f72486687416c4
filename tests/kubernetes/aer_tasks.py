"""Tasks for the Aer driver of a cluster."""

from __future__ import annotations

import io

from qiskit import QuantumCircuit, qpy

from qsched.drivers import Task, TaskCircuit


def circuit_of(circuit: QuantumCircuit, name: str = "it") -> TaskCircuit:
    """A circuit as the engine hands it over."""
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
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


def ghz(width: int) -> QuantumCircuit:
    """For the ideal simulator."""
    circuit = QuantumCircuit(width, width)
    circuit.h(0)
    for qubit in range(width - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(width), range(width))
    return circuit


def endless() -> QuantumCircuit:
    """Takes hours."""
    hard = QuantumCircuit(22, 22)
    for _ in range(200):
        for qubit in range(21):
            hard.rx(0.3, qubit)
            hard.cx(qubit, qubit + 1)
            hard.reset(qubit)
    hard.measure(range(22), range(22))
    return hard


def task_of(*circuits: QuantumCircuit, device: str = "ideal", shots: int = 1000, seed: int = 7) -> Task:
    """A task of some circuits."""
    each = tuple(circuit_of(circuit, f"it-{number}") for number, circuit in enumerate(circuits))
    return Task(
        device=device, circuits=each, shots=shots, seed=seed, tags={"qsched-job": "default/an-example"}
    )
