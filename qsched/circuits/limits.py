"""How large a circuit may be. Nothing here depends on the language that it is written in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is accepted before a circuit is refused; every field is an inclusive maximum.

    With the defaults the worst circuit that is accepted is read in about a second on one slow core.

    Attributes:
        source_bytes: Size of a text.
        qpy_bytes: Size of a QPY file, which has some 45 bytes a gate, scheduled ones several times as many.
        qubits: Declared qubits.
        clbits: Declared classical bits.
        operations: Operations after every gate definition, broadcast and loop is written out.
        nesting: Depth of brackets, blocks and gate definitions inside one another.
        operators: Arithmetic operators in one argument.
        qasm3_tokens: Words and signs in an OpenQASM 3 text, whose importer needs 25 us for each; a gate
            on two qubits has 12.
        qasm3_copies: Operations inside gate definitions that the OpenQASM 3 importer copies, at 100 us each.
        power_qubits: Qubits of a gate under an OpenQASM 3 ``pow`` modifier, which takes a matrix root.
        qpy_seconds: Processor time for reading a QPY file from outside, in a process of its own.
        qpy_memory_bytes: Address space of that process.
    """

    source_bytes: int = 1_000_000
    qpy_bytes: int = 32_000_000
    qubits: int = 1_000
    clbits: int = 10_000
    operations: int = 100_000
    nesting: int = 64
    operators: int = 200
    qasm3_tokens: int = 40_000
    qasm3_copies: int = 5_000
    power_qubits: int = 6
    qpy_seconds: int = 2
    qpy_memory_bytes: int = 2 * 2**30


DEFAULT_LIMITS = Limits()
