"""The profile of typical 10-qubit MQT Bench circuits that were never seen before."""

from __future__ import annotations

import statistics
import time

from benchmarks.scenarios.circuits import circuits
from qsched.circuits.profile import profile

SEED = 11
QUBITS = 10


def run(*, quick: bool) -> dict[str, float]:
    """Milliseconds of a profile, each circuit for the first time: hash, walk and all.

    Args:
        quick: One circuit of each family rather than five.
    """
    for circuit in circuits([4], seed=SEED):  # what is imported and built once
        profile(circuit)
    took_ms, gates = [], []
    for seed in range(SEED, SEED + (1 if quick else 5)):
        # Families without parameters give the same circuit again, which the cache would answer.
        for circuit in circuits([QUBITS], seed=seed):
            circuit.rz(seed, 0)
            gates.append(circuit.size())
            started = time.perf_counter()
            profile(circuit)
            took_ms.append((time.perf_counter() - started) * 1e3)
    return {
        "circuits": len(took_ms),
        "median_gates": statistics.median(gates),
        "median_ms": statistics.median(took_ms),
        "p90_ms": statistics.quantiles(took_ms, n=10)[-1],
        "max_ms": max(took_ms),
    }
