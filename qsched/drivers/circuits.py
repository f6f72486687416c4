"""Circuits and counts where a driver meets them: QPY in, Qiskit's bit strings out."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from qsched.drivers.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit


def read(name: str, qpy: bytes) -> QuantumCircuit:
    """The circuit of a task.

    Raises:
        Rejected: If the bytes are not one bound circuit with measurements.
    """
    from qiskit import qpy as qiskit_qpy

    try:
        (circuit,) = qiskit_qpy.load(io.BytesIO(qpy))
    except Exception as error:
        raise Rejected(f"circuit {name!r} is not QPY of one circuit: {error}") from error
    if circuit.parameters:
        names = ", ".join(sorted(parameter.name for parameter in circuit.parameters))
        raise Rejected(f"circuit {name!r} has parameters without a value: {names}")
    if not any(step.clbits for step in circuit.data):
        raise Rejected(f"circuit {name!r} measures nothing; add measurements")
    return circuit


def register_sizes(circuit: QuantumCircuit) -> tuple[int, ...]:
    """How many bits each classical register has, in order; together they hold every bit once.

    Raises:
        Rejected: If they do not: its counts, once paid for, could not be told apart by registers.
    """
    held = [circuit.find_bit(bit).index for register in circuit.cregs for bit in register]
    if held != [*range(circuit.num_clbits)]:
        raise Rejected(
            f"circuit {circuit.name!r} has classical bits outside of registers, in several, or in another "
            "order than theirs; give each register bits of its own"
        )
    return tuple(register.size for register in circuit.cregs)


def in_registers(bits: str, sizes: Sequence[int]) -> str:
    """A flat bit string as Qiskit writes it: the last register first, a space between registers.

    Args:
        bits: One character a classical bit, bit 0 rightmost.
        sizes: ``register_sizes`` of the circuit.
    """
    parts = []
    end = len(bits)
    for size in sizes:
        parts.append(bits[end - size : end])
        end -= size
    return " ".join(reversed(parts))
