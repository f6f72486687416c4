"""How a circuit is simulated: the cheapest method of Aer that fits into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from qsched.drivers import Rejected

if TYPE_CHECKING:
    from qsched_aer.survey import Survey

Method = Literal["stabilizer", "density_matrix", "statevector", "matrix_product_state"]

_AMPLITUDE = 16
"""Bytes of a complex number."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to simulate a circuit.

    Attributes:
        method: Aer's name for it.
        memory: Bytes that the state takes, or a bound on them.
        seconds: Roughly how long it takes.
    """

    method: Method
    memory: int
    seconds: float


def choose_method(circuit: str, survey: Survey, *, shots: int, noisy: bool, memory_mb: int) -> Choice:
    """The method that is expected to be fastest among those that fit.

    - ``stabilizer``: ideal Clifford circuits of any width. Relaxation is not Clifford, so noise rules it out.
    - ``density_matrix``: noise exactly, once for all shots; 4^n numbers.
    - ``statevector``: 2^n numbers; with noise one trajectory a shot.
    - ``matrix_product_state``: wide circuits with little entanglement; with noise one trajectory a shot.

    Args:
        circuit: Its name, for the message.
        survey: Its size.
        shots: How many are wanted.
        noisy: Whether a twin runs it.
        memory_mb: Mebibytes that the state may take.

    Raises:
        Rejected: If no method fits; says how many qubits would.
    """
    candidates = _candidates(survey, shots, noisy=noisy)
    fitting = [candidate for candidate in candidates if candidate.memory <= memory_mb << 20]
    if not fitting:
        n = len(survey.qubits)
        least = min(candidate.memory for candidate in candidates)
        raise Rejected(
            f"circuit {circuit!r} uses {n} qubits and is too entangled to simulate: its state takes "
            f"{_size(least)} and memoryMb is {memory_mb}; any circuit of up to "
            f"{qubits_that_fit(memory_mb)} qubits would fit"
        )
    return min(fitting, key=lambda candidate: candidate.seconds)


def qubits_that_fit(memory_mb: int) -> int:
    """Width of the widest circuit that fits whatever its gates are: a statevector's."""
    return ((memory_mb << 20) // _AMPLITUDE).bit_length() - 1


def _candidates(survey: Survey, shots: int, *, noisy: bool) -> list[Choice]:
    """Memory and a rough time of each method; the constants were measured with Aer 0.18 on one thread."""
    n, bond, gates = len(survey.qubits), survey.bond_bits, survey.gates
    vector, matrix = _power(2, n), _power(4, n)
    sampled = survey.final and not noisy
    # A gate and its Kraus operators together cost six times the gate.
    touch_s = (7e-9 if noisy else 1.2e-9) * vector
    vector_s = gates * (1e-6 + touch_s) if sampled else shots * (8e-5 + gates * touch_s)
    product_gates_s = gates * (12e-6 + 4e-9 * _power(8, bond))
    product_s = (product_gates_s if sampled else shots * product_gates_s) + shots * n * 8e-6
    candidates = [
        Choice("statevector", vector * _AMPLITUDE, vector_s),
        # Each site has two matrices of the bond dimension.
        Choice("matrix_product_state", 2 * max(1, n) * _power(4, bond) * _AMPLITUDE, product_s),
    ]
    if noisy:
        matrix_s = gates * (1e-5 + 3e-9 * matrix) * (1 if survey.final else shots)
        candidates.append(Choice("density_matrix", matrix * _AMPLITUDE, matrix_s))
    elif survey.clifford:
        candidates.append(Choice("stabilizer", n * n // 2, 0.0))
    return candidates


def _power(base: int, exponent: int) -> int:
    """The power, of an exponent cut where no memory would hold that many numbers."""
    power: int = base ** min(exponent, 100)
    return power


def _size(count: int) -> str:
    """Bytes in the largest unit that keeps the number above one."""
    for power, unit in ((60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB")):
        if count >= 1 << power:
            return f"{count / (1 << power):.3g} {unit}"
    return f"{count / (1 << 20):.3g} MiB"
