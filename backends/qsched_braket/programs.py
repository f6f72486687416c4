"""Circuits as OpenQASM 3 programs of Braket's, and what their bits mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.drivers import Rejected
from qsched.drivers.circuits import register_sizes
from qsched_braket.natives import line, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction

    from qsched_braket.capabilities import Device

GATES: Mapping[str, str] = {
    "h": "h",
    "x": "x",
    "y": "y",
    "z": "z",
    "s": "s",
    "sdg": "si",
    "t": "t",
    "tdg": "ti",
    "sx": "v",
    "sxdg": "vi",
    "p": "phaseshift",
    "rx": "rx",
    "ry": "ry",
    "rz": "rz",
    "r": "prx",
    "cx": "cnot",
    "cy": "cy",
    "cz": "cz",
    "cp": "cphaseshift",
    "swap": "swap",
    "iswap": "iswap",
    "rxx": "xx",
    "ryy": "yy",
    "rzz": "zz",
    "ccx": "ccnot",
    "cswap": "cswap",
}
"""Braket's gate for each of Qiskit's that it has."""

_NO_GATES = frozenset({"barrier", "delay"})


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and how to read its results.

    Attributes:
        source: OpenQASM 3.
        measured: For each qubit that is measured, by its number in the program, the classical bit of the
            circuit.
        registers: ``register_sizes`` of the circuit.
        qubits: How many it uses.
    """

    source: str
    measured: tuple[tuple[int, int], ...]
    registers: tuple[int, ...]
    qubits: int


def native_program(name: str, circuit: QuantumCircuit, device: Device) -> Program:
    """A circuit in the device's gates and on its qubits, to be run as it is.

    Delays and barriers are left out: a verbatim box has none, the device schedules its gates itself.

    Args:
        name: The circuit's, for messages.
        circuit: Transpiled for the device's calibration.
        device: The device.

    Raises:
        Rejected: If it has a gate that is not native, or is dynamic.
    """
    gates, measured = _split(name, circuit)
    used = {circuit.find_bit(qubit).index for step in gates for qubit in step.qubits} | set(measured)
    labels = _labels(sorted(used), device)
    native = writer(device.natives)
    lines = []
    for instruction in gates:
        qubits = [labels[circuit.find_bit(qubit).index] for qubit in instruction.qubits]
        try:
            lines += native.write(instruction.name, [float(angle) for angle in instruction.params], qubits)
        except (KeyError, TypeError) as error:
            raise Rejected(
                f"circuit {name!r} has the gate {instruction.name!r}, which is not native to {device.name}"
            ) from error
    if lines:
        lines = ["#pragma braket verbatim", "box{", *lines, "}"]
    return _program(
        circuit,
        lines,
        {labels[qubit]: bit for qubit, bit in measured.items()},
        lambda label: f"${label}",
        qubits=len(labels),
    )


def plain_program(name: str, circuit: QuantumCircuit, operations: frozenset[str]) -> Program:
    """A circuit for the provider to compile, in gates that it knows, on as many qubits as it uses.

    Args:
        name: The circuit's, for messages.
        circuit: Any circuit without classical control.
        operations: The gates that the device takes.

    Raises:
        Rejected: If the circuit is dynamic, or cannot be written in those gates.
    """
    _split(name, circuit)
    known = {ours: theirs for ours, theirs in GATES.items() if theirs in operations}
    if any(step.name not in known and step.name not in _NO_GATES | {"measure"} for step in circuit.data):
        circuit = _unrolled(name, circuit, known)
    gates, measured = _split(name, circuit)
    used = sorted({circuit.find_bit(qubit).index for step in gates for qubit in step.qubits} | set(measured))
    number = {qubit: position for position, qubit in enumerate(used)}
    lines = [f"qubit[{len(used)}] q;"] if used else []
    for instruction in gates:
        qubits = [f"q[{number[circuit.find_bit(qubit).index]}]" for qubit in instruction.qubits]
        lines.append(line(known[instruction.name], [float(angle) for angle in instruction.params], qubits))
    return _program(
        circuit,
        lines,
        {number[qubit]: bit for qubit, bit in measured.items()},
        lambda qubit: f"q[{qubit}]",
        qubits=len(used),
    )


def _program(
    circuit: QuantumCircuit,
    body: Sequence[str],
    measured: Mapping[int, int],
    named: Callable[[int], str],
    *,
    qubits: int,
) -> Program:
    """Put a program together; it has one bit register, since Braket reports no more than one."""
    order = sorted(measured)
    lines = ["OPENQASM 3.0;", f"bit[{len(order)}] c;", *body]
    lines += [f"c[{position}] = measure {named(qubit)};" for position, qubit in enumerate(order)]
    return Program(
        source="\n".join([*lines, ""]),
        measured=tuple((qubit, measured[qubit]) for qubit in order),
        registers=register_sizes(circuit),
        qubits=qubits,
    )


def _split(name: str, circuit: QuantumCircuit) -> tuple[list[CircuitInstruction], dict[int, int]]:
    """The gates, and the classical bit that each measured qubit ends up in.

    Raises:
        Rejected: If a qubit is used after it was measured, or there is classical control or a reset.
    """
    gates: list[CircuitInstruction] = []
    qubit_of: dict[int, int] = {}
    done: set[int] = set()
    for step in circuit.data:
        if step.name in _NO_GATES:
            continue
        qubits = [circuit.find_bit(qubit).index for qubit in step.qubits]
        if step.is_control_flow() or step.name in {"reset", "store"} or not done.isdisjoint(qubits):
            raise Rejected(
                f"circuit {name!r} is dynamic ({step.name} "
                f"{'after a measurement of the same qubit' if not done.isdisjoint(qubits) else 'in it'}), "
                "which Amazon Braket's devices do not take"
            )
        if step.name == "measure":
            qubit_of[circuit.find_bit(step.clbits[0]).index] = qubits[0]
            done.update(qubits)
        else:
            gates.append(step)
    if not qubit_of:
        raise Rejected(f"circuit {name!r} measures nothing; add measurements")
    return gates, {qubit: bit for bit, qubit in qubit_of.items()}


def _labels(qubits: Sequence[int], device: Device) -> dict[int, int]:
    """Amazon's number of each qubit of the calibration that a circuit uses."""
    if device.renumbers:
        return {qubit: position for position, qubit in enumerate(qubits)}
    return {qubit: qubit + device.first_label for qubit in qubits}


def _unrolled(name: str, circuit: QuantumCircuit, known: Mapping[str, str]) -> QuantumCircuit:
    from qiskit import transpile
    from qiskit.transpiler import TranspilerError

    try:
        return transpile(circuit, basis_gates=sorted(known), optimization_level=0)
    except TranspilerError as error:
        raise Rejected(
            f"circuit {name!r} cannot be written in the device's gates: {error.message}"
        ) from error
