"""Fifty mixed circuits of the MQT Bench family at once: see how they spread over the fleet.

Run ``python examples/batch.py``, or ``python examples/batch.py 10`` for the first ten. Needs
``pip install 'qsched[aer,bench]'``.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import cycle
from typing import TYPE_CHECKING

from mqt.bench import BenchmarkLevel, get_benchmark

from qsched import Client

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FAMILIES = (
    "ghz",
    "dj",
    "wstate",
    "graphstate",
    "qft",
    "qftentangled",
    "qpeexact",
    "bv",
    "vqe_real_amp",
    "qnn",
)
SIZES = (3, 4, 5, 6, 7)
SHOTS = 4000
OBJECTIVES = ("balanced", "fidelity", "speed", "cost")
HARDWARE = {"backendSelector": {"technology": "superconducting"}}


def circuits() -> list[QuantumCircuit]:
    """Ten families in five sizes, the small ones first."""
    return [
        get_benchmark(family, BenchmarkLevel.INDEP, size, random_parameters=True)
        for size in SIZES
        for family in FAMILIES
    ]


def main(number: int) -> None:
    """Submit the circuits together, wait for all, and print where each ran."""
    with Client.local() as client:
        jobs = [
            client.submit(circuit, shots=SHOTS, objective=objective, requirements=HARDWARE)
            for circuit, objective in zip(circuits()[:number], cycle(OBJECTIVES), strict=False)
        ]
        places: Counter[str] = Counter()
        for job in jobs:
            result = job.result()
            counts = result.circuits[0].counts or {}
            outcome = max(counts, key=lambda bits: counts[bits])
            places[result.backend] += 1
            print(f"{job.name:32} {result.backend:16} {outcome}  {counts[outcome] / SHOTS:.0%}")
    print(", ".join(f"{backend}: {jobs}" for backend, jobs in places.most_common()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
