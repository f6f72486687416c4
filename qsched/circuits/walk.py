"""One pass over a circuit, from its end to its beginning, that adds up what it costs.

Going backwards gives the as-late-as-possible schedule: a qubit waits in its ground state for its first
operation, where nothing can happen to it, and only the time between its first and last operation is idle.
A large gate definition is not written out: it is walked once and then stands for a block on its qubits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qsched.circuits.costs import (
    FIXED_1Q,
    STANDARD_NQ,
    Cost,
    block,
    is_clifford,
    preparation_entanglers,
    pulses_of,
    unitary_entanglers,
)
from qsched.circuits.definitions import definition_key
from qsched.circuits.problems import circuit_error, over_limit
from qsched.circuits.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction, Operation

    from qsched.circuits.limits import Limits

_NO_TIME = frozenset(["delay", "store", "break_loop", "continue_loop", "global_phase"])

# Small definitions are written out after all: a block on many qubits overstates how long it holds each.
_WRITTEN_OUT = 150


class Walker:
    """Adds up circuits and the gate definitions in them.

    Args:
        name: The circuit's name, for errors.
        limits: What to accept.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._known: dict[tuple[object, ...], tuple[Cost, QuantumCircuit | None, object]] = {}
        self._steps = 0
        self._depth = 0

    def walk(self, circuit: QuantumCircuit) -> Cost:
        """The cost of a circuit, a gate's definition or a block of classical control.

        Raises:
            CircuitError: If it is over a limit, a gate has no definition, or an angle is not finite.
        """
        self._depth += 1
        if self._depth > self._limits.nesting:
            remedy = "flatten the circuit with decompose()"
            what, limit = "levels of definitions and blocks", self._limits.nesting
            raise over_limit(self._name, what, self._depth, limit, remedy=remedy)
        totals = Totals(circuit.num_qubits)
        index = {qubit: position for position, qubit in enumerate(circuit.qubits)}
        for instruction in reversed(circuit.data):
            self._count(1)
            qubits = [index[qubit] for qubit in instruction.qubits]
            self._step(totals, instruction, qubits)
            if totals.operations > self._limits.operations:
                self._too_many(totals.operations)
        self._depth -= 1
        return totals.cost()

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > self._limits.operations:
            self._too_many(self._steps)

    def _too_many(self, operations: int) -> None:
        limit, remedy = self._limits.operations, "split the circuit or shorten its loops"
        raise over_limit(self._name, "operations when written out", operations, limit, remedy=remedy)

    def _step(self, totals: Totals, instruction: CircuitInstruction, qubits: list[int]) -> None:
        name = instruction.name
        if instruction.is_standard_gate():
            angles = self._angles(name, instruction.params) if instruction.params else ()
            if len(qubits) == 1:
                pulses = FIXED_1Q[name] if name in FIXED_1Q else pulses_of(name, angles)
                totals.pulse(qubits[0], pulses, clifford=is_clifford(name, angles))
                return
            if cost := STANDARD_NQ.get(name):
                totals.block(qubits, cost, cliffords=int(is_clifford(name, angles)))
                return
        if name == "measure":
            totals.measure(qubits[0], instruction.clbits[0])
        elif name == "reset":
            totals.reset(qubits[0])
        elif name in _NO_TIME:
            totals.operations += 1
        elif instruction.is_directive():
            totals.barrier(qubits)
        else:
            self._compound(totals, instruction.operation, qubits)
            if qubits and instruction.is_control_flow():
                totals.decide(qubits[0], instruction.clbits)

    def _angles(self, name: str, params: Iterable[Any]) -> tuple[float, ...]:
        try:
            angles = tuple(float(value) for value in params)
        except TypeError:  # a free parameter may become any angle
            return (1.0,)
        if not all(map(math.isfinite, angles)):
            raise circuit_error(
                self._name, f"gate '{name}' has the angle {max(angles)}; angles must be finite"
            )
        return angles

    def _compound(self, totals: Totals, operation: Operation, qubits: list[int]) -> None:
        from qiskit.circuit import ControlFlowOp

        if isinstance(operation, ControlFlowOp):
            totals.dynamic |= operation.name != "box"
            totals.block(qubits, *self._branches(operation))
            return
        cost, definition = self._definition(operation)
        if len(qubits) == 1 and not cost.measurements and not cost.dynamic:
            totals.pulse(qubits[0], min(cost.pulses, 2), clifford=cost.cliffords == cost.gates)
        elif definition is not None and totals.operations + cost.operations <= _WRITTEN_OUT:
            inside = {qubit: qubits[position] for position, qubit in enumerate(definition.qubits)}
            for instruction in reversed(definition.data):
                self._step(totals, instruction, [inside[qubit] for qubit in instruction.qubits])
        else:
            totals.block(qubits, cost)

    def _branches(self, operation: Any) -> tuple[Cost, int]:
        """The dearest branch of ``if`` and ``switch``, and how often it is repeated.

        How often a ``while`` repeats is unknown until it runs: it is counted once.
        """
        times = len(operation.params[0]) if operation.name == "for_loop" else 1
        costs = [self.walk(branch) for branch in operation.blocks]
        return max(costs, key=lambda cost: cost.path), times

    def _definition(self, operation: Any) -> tuple[Cost, QuantumCircuit | None]:
        key = definition_key(operation)
        if (known := self._known.get(key)) is None:
            # The operation is kept so that its id, and its definition's, are not given to another one.
            known = self._known[key] = *self._fresh(operation), operation
        return known[0], known[1]

    def _fresh(self, operation: Any) -> tuple[Cost, QuantumCircuit | None]:
        name, qubits = operation.name, operation.num_qubits
        if name == "unitary":
            return block(2 * qubits, unitary_entanglers(qubits), qubits), None
        if name in ("initialize", "state_preparation") and len(operation.params) == 2**qubits:
            return block(2**qubits, preparation_entanglers(qubits), qubits), None
        if name == "permutation":
            return block(0, 3 * _swaps([int(index) for index in operation.params[0]]), qubits), None
        if hasattr(operation, "base_op") and hasattr(operation, "modifiers"):
            return self._annotated(operation), None
        definition = getattr(operation, "definition", None)
        if definition is None:
            message = f"gate '{name}' has no definition; give it one, or use gates of the standard library"
            raise circuit_error(self._name, message)
        return self.walk(definition), definition

    def _annotated(self, operation: Any) -> Cost:
        """A lazily controlled or repeated gate: a control makes a CNOT into a Toffoli, six times as dear."""
        base = operation.base_op
        inner = STANDARD_NQ.get(base.name) or (Cost() if base.name in FIXED_1Q else self._definition(base)[0])
        factor = 1.0
        for modifier in operation.modifiers:
            controls = min(getattr(modifier, "num_ctrl_qubits", 0), 20)
            factor *= 6.0**controls * max(1.0, abs(getattr(modifier, "power", 1.0)))
        times = math.ceil(min(factor, self._limits.operations + 1))
        self._count(times * inner.operations)
        return block(times * inner.pulses, times * max(inner.entanglers, 1), operation.num_qubits)


def _swaps(pattern: list[int]) -> int:
    """Transpositions in a permutation: its length less the number of its cycles."""
    seen = [False] * len(pattern)
    cycles = 0
    for start in range(len(pattern)):
        cycles += not seen[start]
        while not seen[start]:
            seen[start] = True
            start = pattern[start]  # noqa: PLW2901
    return len(pattern) - cycles
