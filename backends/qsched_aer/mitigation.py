"""Readout mitigation: counts as they would be if no bit had been misread.

Bits are taken to be misread independently of each other, and corrected in the space of the bit strings that
were observed, which is as small as the counts whatever the number of qubits is (P. D. Nation, H. Kang,
N. Sundaresan and J. M. Gambetta, PRX Quantum 2, 040326, 2021).

Shapes: N is the number of observed bit strings and C that of classical bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.drivers import Rejected
from qsched_aer.circuits import blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qsched_aer.properties import Properties

    Bits = NDArray[np.int8]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

BitErrors = tuple[tuple[float, float], ...]
"""For each classical bit the probabilities of reading 1 for 0, and 0 for 1."""

MOST_STRINGS = 4096
"""Distinct bit strings that are corrected together: their matrix takes 128 MiB, and seconds to solve. No
circuit of 12 classical bits, and no circuit of 4096 shots, has more."""

_TINY = 1e-300
"""Stands for zero where a logarithm is taken."""


def bit_errors(name: str, circuit: QuantumCircuit, device: Properties) -> BitErrors:
    """How likely each classical bit of a circuit is misread.

    Args:
        name: Of the circuit, for messages.
        circuit: Transpiled for the device.
        device: The device whose twin runs it.

    Returns:
        For each classical bit the probabilities of reading 1 after preparing 0, and 0 after preparing 1, of
        the qubit that is measured into it; zeros for a bit that nothing is measured into.

    Raises:
        Rejected: If there is no one qubit and moment behind each bit, or a qubit's readout tells nothing.
    """
    if circuit.cregs and [bit for register in circuit.cregs for bit in register] != circuit.clbits:
        raise _refusal(name, "has classical bits outside registers, or shared by registers")
    errors: dict[int, tuple[float, float]] = {}
    for instruction in circuit.data:
        if blocks(instruction) or instruction.name == "store":
            raise _refusal(name, f"is dynamic ({instruction.name!r}): what is misread changes what is done")
        if instruction.name != "measure":
            continue
        qubit = circuit.find_bit(instruction.qubits[0]).index
        clbit = circuit.find_bit(instruction.clbits[0]).index
        if clbit in errors:
            raise _refusal(name, f"is dynamic: it measures into classical bit {clbit} more than once")
        errors[clbit] = device.readout(qubit)
        if sum(errors[clbit]) >= 1:
            raise _refusal(name, f"measures qubit {qubit} of {device.device}, whose readout is no signal")
    return tuple(errors.get(clbit, (0.0, 0.0)) for clbit in range(circuit.num_clbits))


def mitigate(name: str, counts: Mapping[str, int], errors: BitErrors) -> dict[str, int]:
    """The counts without readout errors.

    Args:
        name: Of the circuit, for the message.
        counts: Bit strings in Qiskit's order (bit 0 rightmost, registers separated by a space), and how
            often each was seen.
        errors: (C, 2) probabilities of reading 1 for 0, and 0 for 1, of each classical bit; the two add up
            to less than 1.

    Returns:
        Those of the observed strings that remain, sorted, with counts that add up to the same shots.

    Raises:
        Rejected: If there are more than ``MOST_STRINGS`` distinct bit strings.
    """
    if len(counts) > MOST_STRINGS:
        why = f"gave {len(counts)} distinct bit strings, and at most {MOST_STRINGS} can be corrected together"
        raise _refusal(name, f"{why} (fewer shots, or fewer measured qubits, give fewer)")
    strings = sorted(counts)
    shots = sum(counts.values())
    seen = np.array([counts[string] / shots for string in strings], dtype=np.float64)
    bits = np.array([[int(bit) for bit in reversed(string.replace(" ", ""))] for string in strings], np.int8)
    quasi = np.linalg.solve(assignment_matrix(bits, errors), seen).astype(np.float64)
    corrected = whole_counts(nearest_distribution(quasi), shots)
    return {string: count for string, count in zip(strings, corrected.tolist(), strict=True) if count}


def assignment_matrix(bits: Bits, errors: BitErrors) -> Floats:
    """The probabilities of reading each observed string when each of them was prepared.

    Each column is divided by its sum, as if every shot were read as one of the observed strings (Nation et
    al.). The matrix is never singular: as long as the two errors of every bit add up to less
    than 1, each bit's own matrix is similar, by a diagonal one, to a positive definite matrix; so is their
    Kronecker product, and any principal part of it.

    Args:
        bits: (N, C) the observed strings, classical bit 0 first.
        errors: (C, 2) probabilities of reading 1 for 0, and 0 for 1.

    Returns:
        (N, N) read by prepared; each column adds up to 1.
    """
    p10, p01 = np.array(errors, dtype=np.float64).T
    log_reading_0 = np.log(np.maximum(np.where(bits, p01, 1 - p10), _TINY))
    log_reading_1 = np.log(np.maximum(np.where(bits, 1 - p01, p10), _TINY))
    read = bits.astype(np.float64)
    # A product over bits is a sum of logarithms, and that sum over all pairs of strings a matrix product.
    matrix: Floats = (1 - read) @ log_reading_0.T + read @ log_reading_1.T
    np.exp(matrix, out=matrix)
    matrix /= matrix.sum(axis=0)
    return matrix


def nearest_distribution(quasi: Floats) -> Floats:
    """The probability distribution nearest to a quasi-distribution in the Euclidean norm.

    The smallest entries are set to zero, and what they lack is taken from the others in equal parts (J. A.
    Smolin, J. M. Gambetta and G. Smith, Physical Review Letters 108, 070502, 2012).

    Args:
        quasi: (N,) numbers that add up to 1, some perhaps negative.

    Returns:
        (N,) numbers of at least 0 that add up to 1.
    """
    descending = np.sort(quasi)[::-1]
    excess = (np.cumsum(descending) - 1) / np.arange(1, len(quasi) + 1)
    kept = np.flatnonzero(descending > excess)[-1]
    nearest: Floats = np.maximum(quasi - excess[kept], 0.0)
    return nearest


def whole_counts(distribution: Floats, shots: int) -> Ints:
    """Shots divided by a distribution, by the method of largest remainders; the earlier wins a tie.

    Args:
        distribution: (N,) numbers of at least 0 that add up to 1.
        shots: How many.

    Returns:
        (N,) counts that add up to the shots.
    """
    shares = distribution / distribution.sum() * shots
    counts: Ints = np.floor(shares).astype(np.int64)
    left = shots - int(counts.sum())
    counts[np.argsort(counts - shares, kind="stable")[:left]] += 1
    return counts


def _refusal(name: str, why: str) -> Rejected:
    return Rejected(
        f"readout errors of circuit {name!r} cannot be mitigated: it {why}; "
        "to have its counts as they are read, set spec.execution.readoutMitigation to false"
    )
