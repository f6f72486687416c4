"""The content hash of a circuit: equal for circuits that do the same, operation by operation.

QPY bytes are no good for this: they hold the circuit's name, metadata, a random identifier for every
custom gate, and the version of Qiskit.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.api.quantities import DELAY_DT_S
from qsched.circuits.definitions import definition_key
from qsched.circuits.delays import delay_dt
from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.problems import over_limit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_PLAIN = frozenset(["measure", "barrier", "reset"])
_STANDARD_GATES = "qiskit.circuit.library.standard_gates."


def circuit_hash(circuit: QuantumCircuit | bytes, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """Content hash of a circuit, or of the circuit in QPY bytes: 16 hexadecimal digits.

    It covers the number of qubits, the bits of the classical registers, and every operation with its
    arguments and operands, gate definitions included. It does not cover names of circuits and registers,
    metadata, labels, and the global phase, none of which can be seen in counts.

    Args:
        circuit: The circuit.
        limits: What to accept.

    Raises:
        CircuitError: If the bytes are not QPY, the circuit is over a limit, or a delay has an impossible
            length.
    """
    if isinstance(circuit, bytes):
        from qsched.circuits.qpy import from_qpy

        circuit = from_qpy(circuit, name="circuit", limits=limits)
    clbits = {bit: index for index, bit in enumerate(circuit.clbits)}
    digest = hashlib.sha256(repr([[clbits[bit] for bit in register] for register in circuit.cregs]).encode())
    digest.update(_Hasher(circuit.name, limits).body(circuit))
    return digest.hexdigest()[:16]


class _Hasher:
    """Digests of circuits, and of the gate definitions in them, each made once."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._steps = 0
        self._known: dict[tuple[object, ...], tuple[str, object]] = {}

    def body(self, circuit: QuantumCircuit) -> bytes:
        """Digest of a circuit's operations."""
        self._steps += len(circuit.data)
        if self._steps > self._limits.operations:
            limit, remedy = self._limits.operations, "split the circuit"
            raise over_limit(self._name, "operations in all", self._steps, limit, remedy=remedy)
        qubits = {bit: index for index, bit in enumerate(circuit.qubits)}
        clbits = {bit: index for index, bit in enumerate(circuit.clbits)}
        digest = hashlib.sha256(f"{len(qubits)},{len(clbits)}".encode())
        for step in circuit.data:
            operands = [qubits[bit] for bit in step.qubits]
            if step.is_standard_gate():
                line = f"{step.name}{[*map(self._argument, step.params)] if step.params else ''}{operands}"
            else:
                targets = [clbits[bit] for bit in step.clbits]
                line = f"{step.name}{self._other(step, clbits)}{operands}{targets}"
            digest.update(line.encode())
        return digest.digest()

    def _other(self, step: Any, clbits: dict[Any, int]) -> str:
        if step.name in _PLAIN:
            return ""
        if step.name == "delay":
            length = delay_dt(step.operation, DELAY_DT_S, name=self._name)
            return str(step.params if length is None else length)
        arguments = [*map(self._argument, step.params)]
        if step.is_control_flow():
            return f"{arguments}{_condition(step.operation, clbits)}"
        return f"{arguments}{self._gate(step.operation)}"

    def _argument(self, value: Any) -> str:
        from qiskit import QuantumCircuit

        if isinstance(value, float | np.floating):
            return float(value).hex()
        if isinstance(value, QuantumCircuit):
            return self.body(value).hex()
        if isinstance(value, np.ndarray):
            return f"{value.shape}{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
        return str(value)

    def _gate(self, operation: Any) -> str:
        """What a gate is, beyond its name and arguments."""
        cls = type(operation)
        if operation.name == "unitary" or (cls.__module__ or "").startswith(_STANDARD_GATES):
            return f"{cls.__name__}{getattr(operation, 'ctrl_state', '')}"
        if hasattr(operation, "base_op") and hasattr(operation, "modifiers"):
            base = operation.base_op
            return f"{operation.modifiers}{base.name}{[*map(self._argument, base.params)]}{self._gate(base)}"
        key = definition_key(operation)
        if (known := self._known.get(key)) is None:
            definition = getattr(operation, "definition", None)
            text = "" if definition is None else f"{self.body(definition).hex()}{definition.global_phase}"
            # The operation is kept so that its identity is not given to another one.
            known = self._known[key] = (text, operation)
        return known[0]


def _condition(operation: Any, clbits: dict[Any, int]) -> str:
    """The condition of a block of classical control, with bits by their position."""
    from qiskit.circuit.classical import expr

    if operation.name not in ("if_else", "while_loop", "switch_case"):
        return ""
    switch = operation.name == "switch_case"
    labels = [str(values) for values, _ in operation.cases_specifier()] if switch else []
    condition = operation.target if switch else operation.condition
    if isinstance(condition, expr.Expr):
        text = repr(condition)
        for variable in expr.iter_vars(condition):
            place = variable.name if variable.standalone else str(_positions(variable.var, clbits))
            text = text.replace(repr(variable.var), place)
        return f"{text}{labels}"
    if isinstance(condition, tuple):
        return f"{_positions(condition[0], clbits)}=={int(condition[1])}"
    return f"{_positions(condition, clbits)}{labels}"


def _positions(bits: Any, clbits: dict[Any, int]) -> list[int]:
    """The positions of a bit, or of a register's bits."""
    return [clbits[bits]] if bits in clbits else [clbits[bit] for bit in bits]
