"""Noise of a calibrated device as real matrices on Pauli expectations.

A channel on n qubits is a 4^n x 4^n real matrix R with R[i, j] = Tr(P_i channel(P_j)) / 2^n, the Pauli
transfer matrix (Greenbaum, arXiv:1509.02921). Paulis are in the order I, X, Y, Z; of a pair, the gate's
second qubit is the more significant one, as in Qiskit's matrices. Nothing here is shared with qsched's
estimates, nor with its twins, so that one can be held against the other.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Complex = NDArray[np.complex128]

_ONE_QUBIT: Complex = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=np.complex128
)
_BISECTIONS = 60


def of_unitary(unitary: Complex) -> Floats:
    """The Pauli transfer matrix of a gate.

    Args:
        unitary: 2x2, or 4x4 with the first qubit less significant.
    """
    paulis = _paulis(len(unitary).bit_length() - 1)
    turned = unitary @ paulis @ unitary.conj().T
    # Tr(P_i Q_j) is the elementwise product of one with the other's transpose.
    size = len(paulis)
    traces = paulis.reshape(size, -1) @ turned.transpose(0, 2, 1).reshape(size, -1).T
    return np.ascontiguousarray(traces.real / len(unitary))


def relaxation(length_s: float, t1_s: float, t2_s: float) -> Floats:
    """A qubit that waits: populations decay to the ground state with T1, coherences with T2.

    Args:
        length_s: How long, in seconds.
        t1_s: In seconds; infinite for none.
        t2_s: In seconds, at most 2 T1; infinite for none.
    """
    coherence, population = math.exp(-length_s / t2_s), math.exp(-length_s / t1_s)
    matrix = np.diag([1.0, coherence, coherence, population])
    matrix[3, 0] = 1 - population
    return matrix


def gate_noise(error: float, length_s: float, t1_s: Sequence[float], t2_s: Sequence[float]) -> Floats:
    """What follows an ideal gate: relaxation of its qubits, and as much depolarisation as makes its error.

    The average gate error of the result is the calibrated one. Where relaxation alone would make more, which
    a calibration that was not taken all at once can say, there is none but relaxation, and less of it.

    Args:
        error: Average gate error, a fraction.
        length_s: Of the gate, in seconds.
        t1_s: T1 of each of its qubits, the first one first, in seconds.
        t2_s: T2 of each, in seconds, at most 2 T1.

    Returns:
        (4^n, 4^n) for n qubits.
    """
    size: int = 4 ** len(t1_s)

    def together(share: float) -> Floats:
        each = [relaxation(share * length_s, t1, t2) for t1, t2 in zip(t1_s, t2_s, strict=True)]
        return reduce(_tensor, each)

    whole = together(1.0)
    fidelity, wanted = _entanglement_fidelity(whole), _entanglement_fidelity_of(error, len(t1_s))
    if fidelity < wanted:
        return together(_share(together, wanted))
    weight = min((fidelity - wanted) / (fidelity - 1 / size), 1.0)
    nothing_left = np.zeros((size, size))
    nothing_left[0, 0] = 1
    return (1 - weight) * whole + weight * nothing_left


def average_error(channel: Floats) -> float:
    """Average gate error of a channel: 1 - (d F_e + 1) / (d + 1) (Nielsen, quant-ph/0205035)."""
    dimension = math.isqrt(len(channel))
    return 1 - (dimension * _entanglement_fidelity(channel) + 1) / (dimension + 1)


def misreading(p10: float, p01: float) -> Floats:
    """Readout errors as a channel before an exact measurement: generalised amplitude damping.

    Args:
        p10: Probability of reading 1 after preparing 0.
        p01: Probability of reading 0 after preparing 1.
    """
    coherence = math.sqrt((1 - p10) * (1 - p01))
    matrix = np.diag([1.0, coherence, coherence, 1 - p10 - p01])
    matrix[3, 0] = p01 - p10
    return matrix


def _tensor(first: Floats, second: Floats) -> Floats:
    return np.kron(second, first).astype(np.float64)


def _paulis(qubits: int) -> Complex:
    """(4^n, 2^n, 2^n) Pauli operators, the last qubit most significant."""
    if qubits == 1:
        return _ONE_QUBIT
    return np.array([np.kron(second, first) for second in _ONE_QUBIT for first in _ONE_QUBIT])


def _entanglement_fidelity(channel: Floats) -> float:
    return float(np.trace(channel)) / len(channel)


def _entanglement_fidelity_of(error: float, qubits: int) -> float:
    dimension: int = 2**qubits
    return ((1 - error) * (dimension + 1) - 1) / dimension


def _share(together: Callable[[float], Floats], wanted: float) -> float:
    """The share of the gate's length after which relaxation alone has the wanted fidelity."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _entanglement_fidelity(together(middle)) > wanted else (low, middle)
    return low
