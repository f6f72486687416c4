"""Small jobs for the twins of the default fleet."""

from __future__ import annotations

import random
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.scenarios.circuits import circuits
from qsched.circuits.profile import profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qiskit import QuantumCircuit

QUBITS = range(2, 7)
DEPTH2 = 10
"""Two-qubit gates on the path that has most; more would outlive the qubits of the noisiest twins."""
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
SMALL_TWINS = {name: qubits for name, qubits in TWINS.items() if qubits < 30}
"""Those whose noise is built within a second."""


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


def twin_jobs(count: int, twins: Mapping[str, int], *, seed: int) -> list[TwinJob]:
    """Jobs of each size in turn, no two alike in circuit, backend and level.

    Args:
        count: How many; there are some hundreds of each size.
        twins: The backends, with the qubits that can be used.
        seed: Of the circuits' parameters and of the choice.
    """
    choose = random.Random(seed)
    shallow = [each for each in circuits(QUBITS, seed=seed) if profile(each).depth2 <= DEPTH2]
    by_size = [
        [
            (circuit, backend, level)
            for circuit in shallow
            for backend, most in twins.items()
            for level in LEVELS
            if circuit.num_qubits == size <= most
        ]
        for size in QUBITS
    ]
    for some in by_size:
        choose.shuffle(some)
    chosen = islice(chain.from_iterable(zip(*by_size, strict=False)), count)
    return [TwinJob(f"job-{number}", *each) for number, each in enumerate(chosen)]


def warm_up_jobs(twins: Iterable[str]) -> list[TwinJob]:
    """A job for each of some twins and each level, whose circuit is unlike those of ``twin_jobs``."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(3)
    circuit.ry(0.1, 0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return [
        TwinJob(f"warm-up-{backend}-{level}", circuit, backend, level)
        for backend in twins
        for level in LEVELS
    ]
