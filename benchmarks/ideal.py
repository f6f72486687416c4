"""What a circuit would give without noise, and how near to it measured counts are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    Floats = NDArray[np.float64]

LEAST_CONTRAST = 0.05
"""Below it, the ideal distribution is so nearly uniform that noise does not show in it."""


def ideal_distribution(circuit: QuantumCircuit) -> Floats:
    """The exact distribution of a circuit without noise.

    Args:
        circuit: Each qubit is measured at most once, and nothing follows.

    Returns:
        (2^C,) probability of each value of the C classical bits, the first bit being the lowest.
    """
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Statevector

    gates = QuantumCircuit(circuit.num_qubits)
    measured: dict[int, int] = {}
    for each in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in each.qubits]
        if each.operation.name == "measure":
            measured[circuit.find_bit(each.clbits[0]).index] = qubits[0]
        elif each.operation.name != "barrier":
            gates.append(each.operation, qubits)
    bits = sorted(measured)
    some = Statevector(gates).probabilities([measured[bit] for bit in bits])
    values, spread = np.arange(len(some)), np.zeros(len(some), dtype=np.int64)
    for position, bit in enumerate(bits):
        spread |= (values >> position & 1) << bit
    probabilities = np.zeros(2**circuit.num_clbits)
    probabilities[spread] = some
    return probabilities


def frequencies(counts: Mapping[str, int], bits: int) -> Floats:
    """(2^bits,) how often each value was seen, as a share, from counts in Qiskit's order."""
    seen = np.zeros(2**bits)
    for key, count in counts.items():
        seen[int(key.replace(" ", ""), 2)] += count
    seen /= seen.sum()
    return seen


def hellinger_fidelity(measured: Floats, ideal: Floats) -> float:
    """The square of the sum of sqrt(p q), in [0, 1]; 1 for equal distributions."""
    return float(np.sqrt(measured * ideal).sum() ** 2)


def contrast(ideal: Floats) -> float:
    """How far from uniform, in [0, 1]: (sum q^2 - 1/N) / (1 - 1/N); 1 when only one value is possible."""
    least = 1 / len(ideal)
    return float((ideal @ ideal - least) / (1 - least))


def success_share(measured: Floats, ideal: Floats) -> float:
    """The share of shots that came out of the ideal distribution, if the others are uniform.

    It is the normalised linear cross-entropy (Arute et al., Nature 574, 505 (2019)): the overlap of both
    distributions over that of the ideal one with itself, each less that of uniform noise. It has no bias from
    the number of shots. Noise that is not uniform, such as decay to 0, can make it wrong either way.

    Returns:
        1 without noise, 0 when only noise is left; not-a-number where the ideal is nearly uniform.
    """
    if contrast(ideal) < LEAST_CONTRAST:
        return float("nan")
    least = 1 / len(ideal)
    return float((measured @ ideal - least) / (ideal @ ideal - least))
