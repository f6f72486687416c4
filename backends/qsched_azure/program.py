"""A circuit as a program that a target takes: what is common to the three formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsched.drivers import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction

Layout = tuple[tuple[int, int], ...]
"""For each measured classical bit, its index and the position in the result that holds it."""

_SILENT = frozenset({"barrier", "delay"})
"""What leaves no trace in a program: no format holds a delay, and what is native is not compiled again."""


@dataclass(frozen=True, slots=True)
class Program:
    """What goes to a target.

    Attributes:
        content: The program.
        content_type: Its media type.
        input_format: Azure's name of its format.
        output_format: Azure's name of the format that the result is to have.
        layout: Where the result holds the classical bits.
        width: How many qubits it needs, the highest index plus one.
        options: Parameters of the job, beside the shots.
    """

    content: bytes
    content_type: str
    input_format: str
    output_format: str
    layout: Layout
    width: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a circuit.

    Attributes:
        name: Qiskit's name of the gate, or ``measure`` or ``reset``.
        angles: Its parameters, in radians.
        qubits: Indices of its qubits.
        bits: Indices of its classical bits.
        when: The classical bit and the value that it must have; None for always.
    """

    name: str
    angles: tuple[float, ...]
    qubits: tuple[int, ...]
    bits: tuple[int, ...] = ()
    when: tuple[int, int] | None = None


def steps(circuit: QuantumCircuit, *, name: str, device: str, gates: frozenset[str]) -> list[Step]:
    """The operations of a circuit in order; barriers and delays are left out.

    Args:
        circuit: What to read.
        name: The circuit's name, for messages.
        device: Where it is to run, for messages.
        gates: What the device takes beside measurements, by Qiskit's names.

    Raises:
        Rejected: If the circuit has another operation.
    """
    qubits = tuple(range(circuit.num_qubits))
    bits = tuple(range(circuit.num_clbits))
    found = list(_steps(circuit, qubits, bits, None))
    for step in found:
        if step.name not in gates and step.name != "measure":
            raise Rejected(
                f"circuit {name!r} has {step.name!r} on {_words(step.qubits)}, which {device} does not take "
                f"here; it takes {', '.join(sorted(gates))}"
            )
    return found


def _steps(
    circuit: QuantumCircuit, qubits: tuple[int, ...], bits: tuple[int, ...], when: tuple[int, int] | None
) -> Iterator[Step]:
    for it in circuit.data:
        on = tuple(qubits[circuit.find_bit(qubit).index] for qubit in it.qubits)
        into = tuple(bits[circuit.find_bit(bit).index] for bit in it.clbits)
        if it.name == "if_else" and when is None:
            yield from _branches(circuit, it, on, into, bits)
        elif it.name not in _SILENT:
            # What is of a classical kind within a branch, such as another branch, is refused by its name.
            angles = tuple(float(each) for each in it.params) if it.is_standard_gate() else ()
            yield Step(it.name, angles, on, into, when)


def _branches(
    circuit: QuantumCircuit,
    it: CircuitInstruction,
    on: tuple[int, ...],
    into: tuple[int, ...],
    bits: tuple[int, ...],
) -> Iterator[Step]:
    """The operations of a branch on one bit, as the formats that know branches have them: one by one."""
    from qiskit.circuit import Clbit

    condition = it.operation.condition
    if not isinstance(condition, tuple) or not isinstance(condition[0], Clbit):
        raise Rejected("a branch on more than one classical bit cannot be sent to Azure; compare single bits")
    bit = bits[circuit.find_bit(condition[0]).index]
    value = int(condition[1])
    for body, wanted in zip(it.operation.blocks, (value, 1 - value), strict=False):
        for step in _steps(body, on, into, (bit, wanted)):
            if bit in step.bits:
                raise Rejected("a branch measures into the bit that it depends on; use another bit")
            yield step


def layout_of(found: list[Step], *, name: str, device: str) -> Layout:
    """Where the classical bits are read in a result that has one value a qubit, all measured at the end.

    Raises:
        Rejected: If a qubit is used again after its measurement, or what is done depends on one.
    """
    measured: dict[int, int] = {}
    done: set[int] = set()
    for step in found:
        if step.when is not None:
            raise Rejected(
                f"circuit {name!r} has {step.name!r} on {_words(step.qubits)} in a branch, and {device} "
                "takes none"
            )
        if step.name == "measure":
            measured[step.bits[0]] = step.qubits[0]
            done.add(step.qubits[0])
        elif again := done.intersection(step.qubits):
            raise Rejected(
                f"circuit {name!r} uses qubit {min(again)} after measuring it, and {device} measures at the "
                "end only"
            )
    return tuple(sorted(measured.items()))


def width_of(found: list[Step]) -> int:
    """The highest index of a qubit plus one."""
    return 1 + max((qubit for step in found for qubit in step.qubits), default=0)


def in_gates(circuit: QuantumCircuit, gates: frozenset[str], *, name: str) -> QuantumCircuit:
    """The circuit in other gates, each translated for itself: to improve it is the provider's part.

    Raises:
        Rejected: If Qiskit cannot say it in these gates.
    """
    from qiskit import transpile
    from qiskit.transpiler import TranspilerError

    try:
        return transpile(circuit, basis_gates=sorted(gates), optimization_level=0)
    except TranspilerError as error:
        raise Rejected(f"circuit {name!r} cannot be written in the provider's gates: {error}") from error


def _words(qubits: tuple[int, ...]) -> str:
    return f"qubit{'s' * (len(qubits) != 1)} {', '.join(map(str, qubits))}"
