"""Small jobs for the twins of the default fleet."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.scenarios.circuits import circuits

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

QUBITS = range(2, 7)
SHOTS = 1000
LEVELS = (0, 1, 2, 3)
TWINS = {
    "lima": 5, "perth": 7, "guadalupe": 16, "garnet": 20, "hanoi": 27, "cambridge": 25, "brooklyn": 65,
    "brisbane": 127, "torino": 129, "boston": 155,
}  # fmt: skip
"""Backends of the default fleet, with the qubits that can be used.

Two are left out, because Aer alone cannot do them: it has no ``iswap`` (ankaa), and a noise model of forte's
630 couplers takes ten seconds a run.
"""


class TwinJob(NamedTuple):
    """One circuit for one twin.

    Attributes:
        name: The job's.
        circuit: Target-independent, with measurements.
        backend: In the default fleet.
        level: Of optimisation.
    """

    name: str
    circuit: QuantumCircuit
    backend: str
    level: int


def twin_jobs(count: int, *, seed: int) -> list[TwinJob]:
    """Jobs of 2 to 6 qubits, no two alike in circuit, backend and level.

    Args:
        count: How many, at most 2,000.
        seed: Of the circuits' parameters.
    """
    backends, levels = cycle(TWINS), cycle(level for level in LEVELS for _ in TWINS)
    return [
        TwinJob(
            f"job-{index}",
            circuit,
            next(backend for backend in backends if TWINS[backend] >= circuit.num_qubits),
            next(levels),
        )
        for index, circuit in enumerate(islice(cycle(circuits(QUBITS, seed=seed)), count))
    ]


def warm_up_jobs() -> list[TwinJob]:
    """A job for every twin and level, whose circuit is unlike those of ``twin_jobs``."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(3)
    circuit.ry(0.1, 0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return [
        TwinJob(f"warm-up-{backend}-{level}", circuit, backend, level) for backend in TWINS for level in LEVELS
    ]
