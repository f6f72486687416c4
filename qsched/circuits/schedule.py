"""An as-late-as-possible schedule with explicit delays.

Qiskit's own scheduling passes also fill the time before a qubit's first operation and after its last one,
and so turn every idle qubit of the device into one that a simulator has to carry; and they refuse classical
control. Here a delay stands only where a qubit really waits with a state in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.circuits.delays import delay_s
from qsched.circuits.states import States
from qsched.circuits.usage import Tally, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction
    from qiskit.transpiler import Target

_VIRTUAL = frozenset(["rz", "p", "u1", "z", "s", "sdg", "t", "tdg"])
_PULSES = {"u": 2, "u3": 2}
_SHORTEST_S = 1e-12
_X = np.array([[0, 1], [1, 0]], dtype=np.complex128)
_DIGITS = 12


def schedule(
    circuit: QuantumCircuit, target: Target, *, dynamical_decoupling: bool
) -> tuple[QuantumCircuit, Usage]:
    """Schedule a circuit that is mapped to a device.

    Args:
        circuit: In the device's gates, on its qubits. Delays in it are kept where they lie between two
            operations.
        target: The device, with durations in seconds; an instruction without one takes no time.
        dynamical_decoupling: Whether to put two X pulses into each idle interval that is at least twice as
            long as they are (X - X, symmetric); only on qubits with a native ``x``.

    Returns:
        The circuit with delays in seconds in every idle interval, and what it uses of the device.
    """
    timeline = _Timeline(circuit, target)
    filler = _Filler(circuit, target, dynamical_decoupling=dynamical_decoupling)
    for instruction, qubits, start_s, end_s in timeline.operations():
        filler.place(instruction, qubits, start_s, end_s)
    return filler.circuit, filler.tally.usage(timeline.length_s)


class _Timeline:
    """When each operation of a circuit starts, in seconds before the circuit's end."""

    def __init__(self, circuit: QuantumCircuit, target: Target) -> None:
        self._target = target
        index = {qubit: position for position, qubit in enumerate(circuit.qubits)}
        bits = {bit: circuit.num_qubits + position for position, bit in enumerate(circuit.clbits)}
        tails_s = [0.0] * (circuit.num_qubits + circuit.num_clbits)
        backwards: list[tuple[CircuitInstruction, list[int], float, float]] = []
        for instruction in reversed(circuit.data):
            qubits = [index[qubit] for qubit in instruction.qubits]
            wires = qubits + [bits[bit] for bit in instruction.clbits]
            end_s = max((tails_s[wire] for wire in wires), default=0.0)
            start_s = end_s + duration_s(instruction, qubits, target)
            for wire in wires:
                tails_s[wire] = start_s
            backwards.append((instruction, qubits, start_s, end_s))
        self._backwards = backwards
        busy_s = [
            start_s
            for instruction, _, start_s, end_s in backwards
            if start_s > end_s and instruction.name != "delay"
        ]
        self.length_s = max(busy_s, default=0.0)

    def operations(self) -> list[tuple[CircuitInstruction, list[int], float, float]]:
        """Operations in the circuit's order, with start and end in seconds after its beginning."""
        whole_s = self.length_s
        return [
            (what, qubits, whole_s - start, whole_s - end)
            for what, qubits, start, end in reversed(self._backwards)
        ]


class _Filler:
    """Writes the operations into a new circuit, and a delay wherever a qubit waits."""

    def __init__(self, circuit: QuantumCircuit, target: Target, *, dynamical_decoupling: bool) -> None:
        self.circuit = circuit.copy_empty_like()
        self.tally = Tally()
        self._states = States()
        self._target = target
        self._decouple = dynamical_decoupling
        self._ends_s: list[float | None] = [None] * circuit.num_qubits

    def place(self, instruction: CircuitInstruction, qubits: list[int], start_s: float, end_s: float) -> None:
        """Write the next operation; a delay of the circuit's own is part of an interval."""
        if instruction.name == "delay":
            return
        if instruction.name != "barrier":
            for qubit in qubits:
                self._wait(qubit, start_s)
                if end_s > start_s or self._ends_s[qubit] is not None:
                    self._ends_s[qubit] = end_s
            count(self.tally, instruction, qubits, self._target)
            self._states.apply(instruction.matrix, qubits)
        self.circuit._append(instruction)  # noqa: SLF001 - the checks of append() cost more than the schedule

    def _wait(self, qubit: int, until_s: float) -> None:
        since_s = self._ends_s[qubit]
        if since_s is None or until_s - since_s < _SHORTEST_S:
            return
        idle_s = until_s - since_s
        pulse_s = self._x_duration_s(qubit) if self._decouple else None
        if pulse_s is None or idle_s < 4 * pulse_s:
            self._delay(qubit, idle_s)
            return
        free_s = idle_s - 2 * pulse_s
        for part, share in enumerate((0.25, 0.5, 0.25)):
            if part:
                self.circuit.x(qubit)
                self.tally.pulses[qubit] += 1
                self._states.apply(_X, [qubit])
            self._delay(qubit, share * free_s)

    def _delay(self, qubit: int, length_s: float) -> None:
        length_s = round(length_s, _DIGITS)
        if length_s >= _SHORTEST_S:
            self.circuit.delay(length_s, qubit, unit="s")
            self.tally.idle.append((qubit, length_s, self._states.of(qubit)))

    def _x_duration_s(self, qubit: int) -> float | None:
        if not self._target.instruction_supported("x", (qubit,)):
            return None
        return _target_duration_s("x", (qubit,), self._target)


def duration_s(instruction: CircuitInstruction, qubits: Sequence[int], target: Target) -> float:
    """How long an operation takes on a device, in seconds.

    Of several branches the longest counts, a ``while`` loop once.
    """
    if instruction.name == "barrier":
        return 0.0
    if instruction.name == "delay":
        return delay_s(instruction.operation, target.dt) or 0.0
    if instruction.is_control_flow():
        return _iterations(instruction.operation) * max(
            (_length_s(block, qubits, target) for block in instruction.operation.blocks), default=0.0
        )
    return _target_duration_s(instruction.name, tuple(qubits), target)


def count(
    tally: Tally, instruction: CircuitInstruction, qubits: Sequence[int], target: Target, times: int = 1
) -> None:
    """Add an operation to a tally, ``times`` times."""
    if instruction.is_control_flow():
        times *= _iterations(instruction.operation)
        blocks = list(instruction.operation.blocks)
        longest = max(blocks, key=lambda block: _length_s(block, qubits, target))
        for inner, positions in _indexed(longest):
            count(tally, inner, [qubits[position] for position in positions], target, times=times)
        return
    name = instruction.name
    if name in ("barrier", "delay") or not qubits:
        return
    if len(qubits) == 1 and name not in ("measure", "reset"):
        if name in _VIRTUAL or _target_duration_s(name, tuple(qubits), target, default=1.0) == 0.0:
            return
        tally.pulses[qubits[0]] += times * _PULSES.get(name, 1)
    tally.used.update(qubits)
    if name == "measure":
        tally.measurements[qubits[0]] += times
    elif len(qubits) == 2:
        tally.couplers[qubits[0], qubits[1]] += times


def _indexed(circuit: QuantumCircuit) -> list[tuple[CircuitInstruction, list[int]]]:
    index = {qubit: position for position, qubit in enumerate(circuit.qubits)}
    return [(instruction, [index[qubit] for qubit in instruction.qubits]) for instruction in circuit.data]


def _length_s(circuit: QuantumCircuit, qubits: Sequence[int], target: Target) -> float:
    """Length of a block of classical control whose bits stand for these qubits of the device."""
    ends_s = [0.0] * circuit.num_qubits
    for instruction, positions in _indexed(circuit):
        start_s = max((ends_s[position] for position in positions), default=0.0)
        end_s = start_s + duration_s(instruction, [qubits[position] for position in positions], target)
        for position in positions:
            ends_s[position] = end_s
    return max(ends_s, default=0.0)


def _iterations(operation: Any) -> int:
    return len(operation.params[0]) if operation.name == "for_loop" else 1


def _target_duration_s(name: str, qubits: tuple[int, ...], target: Target, default: float = 0.0) -> float:
    properties = target[name].get(qubits) if name in target else None
    if properties is None or properties.duration is None:
        return default
    return float(properties.duration)
