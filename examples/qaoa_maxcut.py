"""QAOA for MaxCut: an optimiser in Python whose every step is a job of two circuits.

SPSA estimates a gradient from two points, whatever the number of parameters, and bears the noise of real
devices well (J. C. Spall, IEEE Transactions on Aerospace and Electronic Systems 34, 817, 1998). Each step
submits both points as one task, so that they share a place in the queue.

Run ``python examples/qaoa_maxcut.py``; the number of steps may be given.
"""

from __future__ import annotations

import sys

import numpy as np
from qiskit import QuantumCircuit

from qsched import Client

EDGES = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2))
NODES = 5
BEST_CUT = 5
SHOTS = 400
HARDWARE = {"backendSelector": {"technology": "superconducting"}}


def ansatz(gamma: float, beta: float) -> QuantumCircuit:
    """One layer of QAOA: a phase for every edge, then a mixer for every node."""
    circuit = QuantumCircuit(NODES)
    circuit.h(range(NODES))
    for a, b in EDGES:
        circuit.rzz(-gamma, a, b)
    circuit.rx(2 * beta, range(NODES))
    circuit.measure_all()
    return circuit


def cut(bits: str) -> int:
    """How many edges a bit string cuts; bit 0 is the rightmost."""
    side = bits[::-1]
    return sum(side[a] != side[b] for a, b in EDGES)


def mean_cut(counts: dict[str, int]) -> float:
    """The mean number of edges cut, which the optimiser raises."""
    return sum(cut(bits) * number for bits, number in counts.items()) / sum(counts.values())


def optimise(client: Client, steps: int, seed: int = 1) -> tuple[float, str]:
    """The mean cut at the last step (3 is chance), and the best bit string that was seen."""
    rng = np.random.default_rng(seed)
    point = np.array([0.2, 0.2])
    best, mean = "0" * NODES, 0.0
    for step in range(steps):
        rate, shift = 0.15 / (step + 2) ** 0.602, 0.2 / (step + 1) ** 0.101
        direction = rng.choice([-1.0, 1.0], size=2)
        pair = [ansatz(*(point + sign * shift * direction)) for sign in (1, -1)]
        result = client.submit(pair, shots=SHOTS, objective="fidelity", requirements=HARDWARE).result()
        up, down = (circuit.counts or {} for circuit in result.circuits)
        gradient = (mean_cut(up) - mean_cut(down)) / (2 * shift) * direction
        point = point + rate * gradient
        best = max([best, *up, *down], key=cut)
        mean = (mean_cut(up) + mean_cut(down)) / 2
        print(f"step {step}: mean cut {mean:.2f} on {result.backend}, best so far {cut(best)} of {BEST_CUT}")
    return mean, best


def main(steps: int) -> None:
    """Optimise on the local fleet and print the best cut."""
    with Client.local() as client:
        _, best = optimise(client, steps)
    print(f"cut {cut(best)} of at most {BEST_CUT} edges with {best}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
