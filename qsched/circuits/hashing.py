"""The content hash of a circuit: equal for circuits that do the same, operation by operation.

QPY bytes are no good for this: they hold the circuit's name, metadata, a random identifier for every
custom gate, and the version of Qiskit.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.api.quantities import DELAY_DT_S
from qsched.circuits.delays import delay_s

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_PLAIN = frozenset(["measure", "barrier", "reset", "delay"])
_STANDARD_GATES = "qiskit.circuit.library.standard_gates."


def circuit_hash(circuit: QuantumCircuit | bytes) -> str:
    """Content hash of a circuit, or of the circuit in QPY bytes: 16 hexadecimal digits.

    It covers the number of qubits, the sizes of the classical registers, and every operation with its
    arguments and operands, gate definitions included. It does not cover names of circuits and registers,
    metadata, labels, and the global phase, none of which can be seen in counts.

    Raises:
        CircuitError: If the bytes are not QPY.
    """
    if isinstance(circuit, bytes):
        from qsched.circuits.qpy import from_qpy

        circuit = from_qpy(circuit, name="circuit")
    digest = hashlib.sha256()
    clbits = {bit: index for index, bit in enumerate(circuit.clbits)}
    digest.update(repr([[clbits[bit] for bit in register] for register in circuit.cregs]).encode())
    digest.update(_body(circuit, {}))
    return digest.hexdigest()[:16]


def _body(circuit: QuantumCircuit, known: dict[int, tuple[bytes, object]]) -> bytes:
    """Digest of a circuit's operations; ``known`` holds the digests of definitions by their identity."""
    qubits = {bit: index for index, bit in enumerate(circuit.qubits)}
    clbits = {bit: index for index, bit in enumerate(circuit.clbits)}
    lines = [f"{len(qubits)},{len(clbits)}"]
    for instruction in circuit.data:
        operands = [qubits[bit] for bit in instruction.qubits]
        targets = [clbits[bit] for bit in instruction.clbits]
        content = ""
        if instruction.name == "delay":
            length_s = delay_s(instruction.operation, DELAY_DT_S)
            arguments = [str(instruction.params) if length_s is None else str(round(length_s / DELAY_DT_S))]
        else:
            arguments = [_argument(value, known) for value in instruction.params]
        if not (instruction.is_standard_gate() or instruction.name in _PLAIN):
            content = _content(instruction.operation, clbits, known)
        lines.append(f"{instruction.name}|{arguments}|{operands}|{targets}|{content}")
    return hashlib.sha256("\n".join(lines).encode()).digest()


def _argument(value: Any, known: dict[int, tuple[bytes, object]]) -> str:
    from qiskit import QuantumCircuit

    if isinstance(value, QuantumCircuit):
        return _body(value, known).hex()
    if isinstance(value, np.ndarray):
        return f"{value.shape}{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, float | np.floating):
        return float(value).hex()
    return str(value)


def _content(operation: Any, clbits: dict[Any, int], known: dict[int, tuple[bytes, object]]) -> str:
    """What a non-standard operation is, beyond its name and arguments."""
    from qiskit.circuit import ControlFlowOp

    if isinstance(operation, ControlFlowOp):
        return _condition(operation, clbits)
    parts = [type(operation).__name__, str(getattr(operation, "ctrl_state", ""))]
    if hasattr(operation, "base_op"):
        parts += [repr(getattr(operation, "modifiers", "")), operation.base_op.name]
        parts += [_argument(value, known) for value in operation.base_op.params]
    if operation.name == "unitary" or type(operation).__module__.startswith(_STANDARD_GATES):
        return "|".join(parts)
    if (definition := getattr(operation, "definition", None)) is not None:
        # The definition is kept beside its digest, so that its identity is not given to another one.
        digest, _ = known.setdefault(id(definition), (_body(definition, known), definition))
        parts += [digest.hex(), _argument(float(definition.global_phase), known)]
    return "|".join(parts)


def _condition(operation: Any, clbits: dict[Any, int]) -> str:
    """The condition of a block of classical control, with bits by their position."""
    condition = getattr(operation, "condition", None) or getattr(operation, "target", None)
    if isinstance(condition, tuple):
        bits, value = condition
        positions = [clbits[bit] for bit in bits] if hasattr(bits, "__iter__") else [clbits[bits]]
        return f"{positions}=={int(value)}"
    labels = (
        [str(values) for values, _ in operation.cases_specifier()] if operation.name == "switch_case" else []
    )
    return f"{condition}{labels}"
