"""What must be known of a circuit before it is simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.api.quantities import DELAY_DT_S
from qsched.drivers import Rejected
from qsched_aer.circuits import NOT_GATES, aer_gates, blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction

    from qsched_aer.properties import Properties

# A gate of Schmidt rank two at most doubles the bond between its qubits; any other quadruples it.
_RANK_TWO = frozenset(
    "cx cy cz ch cs csdg csx cp cu1 cu3 cu crx cry crz ecr rxx ryy rzz rzx".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Survey:
    """The size of a simulation.

    Attributes:
        qubits: Physical indices of the qubits that a gate, a reset or a measurement touches.
        measured: Those that are measured.
        gates: How many gates, resets, measurements and delays.
        final: Whether every measurement is the last thing to happen to its qubit, so that one run gives
            every shot.
        clifford: Whether Aer's stabilizer method knows every gate.
        bond_bits: Binary logarithm of a bound on the bond dimension of a matrix product state.
        critical_path_s: From the first operation to the end of the last, in seconds.
    """

    qubits: tuple[int, ...]
    measured: tuple[int, ...]
    gates: int
    final: bool
    clifford: bool
    bond_bits: int
    critical_path_s: float


def survey(circuit: QuantumCircuit, device: Properties | None) -> Survey:
    """Read a circuit once.

    Args:
        circuit: Transpiled for the device, or in Aer's gates for an ideal simulation.
        device: The device whose twin runs it; None for an ideal simulation.

    Raises:
        Rejected: If the device has not one of the gates.
    """
    reader = _Reader(device)
    reader.read(circuit, range(circuit.num_qubits), range(circuit.num_clbits))
    qubits = tuple(sorted(reader.end_s))
    return Survey(
        qubits=qubits,
        measured=tuple(sorted(reader.measured)),
        gates=reader.gates,
        final=reader.final,
        clifford=reader.clifford,
        bond_bits=_bond_bits(qubits, reader.pairs),
        critical_path_s=max(reader.end_s.values(), default=0.0),
    )


def delay_s(instruction: CircuitInstruction) -> float:
    """Seconds of a delay in a task's circuit.

    Raises:
        Rejected: If its length is an expression.
    """
    try:
        return float(instruction.operation.duration) * DELAY_DT_S
    except TypeError as error:
        raise Rejected("a delay's length is an expression; give it a number") from error


class _Reader:
    """Follows a circuit in time, control flow included; branches count as if all were taken."""

    def __init__(self, device: Properties | None) -> None:
        self._device = device
        self._stabilizer = aer_gates("stabilizer") | NOT_GATES if device is None else frozenset()
        self._ready_s: dict[int, float] = {}
        self._known_s: dict[int, float] = {}
        self.measured: set[int] = set()
        self.end_s: dict[int, float] = {}
        self.pairs: list[tuple[int, int, int]] = []
        self.gates = 0
        self.final = True
        self.clifford = True

    def read(self, circuit: QuantumCircuit, qubits: Sequence[int], clbits: Sequence[int]) -> None:
        qubit_of = dict(zip(circuit.qubits, qubits, strict=True))
        clbit_of = dict(zip(circuit.clbits, clbits, strict=True))
        for instruction in circuit.data:
            on = tuple(qubit_of[qubit] for qubit in instruction.qubits)
            into = tuple(clbit_of[clbit] for clbit in instruction.clbits)
            inner = blocks(instruction)
            if inner:
                self._branch(inner, on, into)
            elif instruction.name != "barrier":
                self._step(instruction, on, into)

    def _branch(self, inner: Sequence[QuantumCircuit], on: tuple[int, ...], into: tuple[int, ...]) -> None:
        self.final = False
        known_s = max((self._known_s.get(clbit, 0.0) for clbit in into), default=0.0)
        for qubit in on:
            self._ready_s[qubit] = max(self._ready_s.get(qubit, 0.0), known_s)
        for block in inner:
            self.read(block, on, into)

    def _step(self, instruction: CircuitInstruction, on: tuple[int, ...], into: tuple[int, ...]) -> None:
        name = instruction.name
        self.gates += 1
        duration_s = self._duration_s(instruction, on)
        end_s = max((self._ready_s.get(qubit, 0.0) for qubit in on), default=0.0) + duration_s
        self._ready_s.update(dict.fromkeys(on, end_s))
        if name == "delay":
            return
        if name == "store":
            self.final = False
        self.end_s.update(dict.fromkeys(on, end_s))
        if not self.measured.isdisjoint(on):
            self.final = False
        if name == "measure":
            self.measured.update(on)
            self._known_s.update(dict.fromkeys(into, end_s))
        if len(on) > 1:
            bits = 1 if len(on) == 2 and name in _RANK_TWO else 2 * (len(on) - 1)
            self.pairs.append((min(on), max(on), bits))
        self.clifford = self.clifford and name in self._stabilizer and _clifford_angle(instruction)

    def _duration_s(self, instruction: CircuitInstruction, on: tuple[int, ...]) -> float:
        name = instruction.name
        if name == "delay":
            return delay_s(instruction) if self._device else 0.0
        if self._device is None or self._device.virtual(name):
            return 0.0
        if name == "measure":
            return self._device.readout_s(on[0])
        if name in NOT_GATES:
            return 0.0
        return self._device.gate(name, on)[1]


def _clifford_angle(instruction: CircuitInstruction) -> bool:
    """Whether an ``rz`` is a multiple of a quarter turn; other gates that Aer names are Clifford."""
    if instruction.name != "rz":
        return True
    from math import pi

    quarters = float(instruction.params[0]) / (pi / 2)
    return abs(quarters - round(quarters)) < 1e-9


def _bond_bits(qubits: tuple[int, ...], pairs: Sequence[tuple[int, int, int]]) -> int:
    """The most that gates across any cut of the line of qubits can have entangled its two sides.

    A cut after k of n qubits has a bond of at most 2^min(k, n-k), and of at most the product of the Schmidt
    ranks of the gates across it (Vidal 2003). Two more bits are for qubits on their way past each other.
    """
    rank = {qubit: index for index, qubit in enumerate(qubits)}
    change = [0] * (len(qubits) + 1)
    for low, high, bits in pairs:
        change[rank[low]] += bits
        change[rank[high]] -= bits
    crossing = most = 0
    for left in range(1, len(qubits)):
        crossing += change[left - 1]
        most = max(most, min(left, len(qubits) - left, crossing + 2))
    return most
