"""Noise channels of a calibrated gate, as Kraus operators; numpy only.

Qubit order is Qiskit's: the first qubit of a pair is the less significant one.
"""

from __future__ import annotations

import math
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Operator = NDArray[np.complex128]
    Kraus = list[Operator]


def relaxation(duration_s: float, t1_s: float, t2_s: float) -> Kraus:
    """Thermal relaxation of one qubit towards its ground state: amplitude damping, then dephasing.

    Populations decay with exp(-t/T1) and coherences with exp(-t/T2) (Nielsen and Chuang, section 8.3).

    Args:
        duration_s: How long, in seconds.
        t1_s: Relaxation time in seconds; infinite for none.
        t2_s: Dephasing time in seconds, at most 2 T1; infinite for none.

    Returns:
        At most three 2x2 operators, the one nearest to the identity first.
    """
    decay = -math.expm1(-duration_s / t1_s)
    # What coherence exp(-t/T2) lacks beyond the exp(-t/(2 T1)) of the damping alone is made by phase flips.
    flip = max(0.0, -math.expm1(duration_s / (2 * t1_s) - duration_s / t2_s) / 2)
    stay = np.diag([1, math.exp(-duration_s / (2 * t1_s))]).astype(np.complex128)
    kraus: Kraus = [math.sqrt(1 - flip) * stay]
    if flip > 0:
        kraus.append(math.sqrt(flip) * stay * np.array([1, -1]))
    if decay > 0:
        kraus.append(np.array([[0, math.sqrt(decay)], [0, 0]], dtype=np.complex128))
    return kraus


def relaxation_fidelity(duration_s: float, t1_s: Sequence[float], t2_s: Sequence[float]) -> float:
    """Average gate fidelity of an idle of one or two qubits.

    The entanglement fidelity is the product over qubits of (1 + exp(-t/T1) + 2 exp(-t/T2)) / 4, and the
    average fidelity (d F_e + 1) / (d + 1) (Horodecki 1999, Nielsen 2002).

    Args:
        duration_s: How long, in seconds.
        t1_s: T1 of each qubit, in seconds.
        t2_s: T2 of each qubit, in seconds.
    """
    entanglement = math.prod(
        (1 + math.exp(-duration_s / t1) + 2 * math.exp(-duration_s / t2)) / 4
        for t1, t2 in zip(t1_s, t2_s, strict=True)
    )
    dimension: int = 2 ** len(t1_s)
    return (dimension * entanglement + 1) / (dimension + 1)


def depolarizing_weight(error: float, fidelity: float, qubits: int) -> float:
    """How much a gate must depolarise so that, relaxation included, its average error is the calibrated one.

    With weight p the average fidelity is (1 - p) F + p / d, so p = (F - (1 - error)) / (F - 1/d). A device
    whose error is below what relaxation alone makes gets 0; complete depolarisation is the most.

    Args:
        error: The calibrated average gate error, a fraction.
        fidelity: F, the average fidelity of the relaxation during the gate.
        qubits: Of the gate.
    """
    dimension: int = 2**qubits
    weight = (fidelity - (1 - error)) / (fidelity - 1 / dimension)
    return min(max(weight, 0.0), 1.0)


def gate_noise(error: float, duration_s: float, t1_s: Sequence[float], t2_s: Sequence[float]) -> Kraus:
    """What happens after the ideal gate: relaxation of each of its qubits, and depolarisation.

    Args:
        error: The calibrated average gate error, a fraction.
        duration_s: The gate's duration in seconds.
        t1_s: T1 of each of its qubits, in seconds.
        t2_s: T2 of each, in seconds, at most 2 T1.

    Returns:
        At most d^2 operators of d x d, the likeliest first.
    """
    qubits = len(t1_s)
    fidelity = relaxation_fidelity(duration_s, t1_s, t2_s)
    weight = depolarizing_weight(error, fidelity, qubits)
    each = [relaxation(duration_s, t1, t2) for t1, t2 in zip(t1_s, t2_s, strict=True)]
    together = [reduce(_tensor, operators) for operators in product(*each)]
    return _mix_with_depolarizing(together, weight)


def _tensor(first: Operator, second: Operator) -> Operator:
    return np.kron(second, first).astype(np.complex128)


def _mix_with_depolarizing(kraus: Kraus, weight: float) -> Kraus:
    """The canonical Kraus operators of (1 - weight) * channel + weight * complete depolarisation."""
    dimension = len(kraus[0])
    vectors = np.stack([operator.reshape(-1) for operator in kraus], axis=1)
    # In this row-major vectorisation the completely depolarising channel is the identity over d.
    choi = (1 - weight) * vectors @ vectors.conj().T + weight / dimension * np.eye(dimension**2)
    values, basis = np.linalg.eigh(choi)
    likeliest_first = [
        (value, column) for value, column in zip(values, basis.T, strict=True) if value > 1e-15
    ]
    return [
        math.sqrt(value) * column.reshape(dimension, dimension) for value, column in reversed(likeliest_first)
    ]
