"""Quantinuum's OpenQASM 2, with its own library of gates, ``hqslib1.inc``.

Its native gates are U1q(theta, phi), which is Qiskit's ``r``; Rz, which is virtual; and RZZ, all in radians.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched_azure.program import Program, in_gates, steps, width_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qsched_azure.program import Step

_NATIVE = frozenset({"r", "rz", "rzz", "reset"})
_GATES = frozenset(
    {"h", "x", "y", "z", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "cx", "cz", "reset", "if_else"}
)
_NAMES = {"r": "U1q", "rzz": "RZZ"}
_MOST_BITS = 32
"""The largest classical register that Quantinuum's compiler takes."""


def program(circuit: QuantumCircuit, *, name: str, device: str, native: bool) -> Program:
    """A circuit for a target of Quantinuum.

    Classical bits are numbered through, in registers of at most 32, ``c0`` first.

    Args:
        circuit: Bound; it may measure and reset on the way, and branch on single bits.
        name: The circuit's name, for messages.
        device: The target.
        native: Whether the circuit is in native gates; else Quantinuum compiles it.

    Raises:
        Rejected: If it has an operation that the target does not take.
    """
    gates = _NATIVE if native else _GATES
    if not native:
        circuit = in_gates(circuit, gates, name=name)
    found = steps(circuit, name=name, device=device, gates=gates - {"if_else"})
    width = width_of(found)
    registers = [
        f"creg c{number}[{min(_MOST_BITS, circuit.num_clbits - number * _MOST_BITS)}];"
        for number in range(-(-circuit.num_clbits // _MOST_BITS))
    ]
    lines = ["OPENQASM 2.0;", 'include "hqslib1.inc";', f"qreg q[{width}];", *registers, *map(_line, found)]
    measured = sorted({step.bits[0] for step in found if step.name == "measure"})
    return Program(
        content=("\n".join(lines) + "\n").encode(),
        content_type="application/qasm",
        input_format="honeywell.openqasm.v1",
        output_format="honeywell.quantum-results.v1",
        layout=tuple((bit, bit) for bit in measured),
        width=width,
        # A native circuit runs as it is: no optimisation, and each two-qubit gate is one on the device.
        options={"no-opt": True, "no-reduce": True} if native else {},
    )


def _line(step: Step) -> str:
    when = f"if({_bit(step.when[0])}=={step.when[1]}) " if step.when else ""
    if step.name == "measure":
        return f"{when}measure q[{step.qubits[0]}] -> {_bit(step.bits[0])};"
    gate = _NAMES.get(step.name, "Rz" if step.name == "rz" else step.name)
    angles = f"({','.join(map(repr, step.angles))})" if step.angles else ""
    return f"{when}{gate}{angles} {','.join(f'q[{qubit}]' for qubit in step.qubits)};"


def _bit(index: int) -> str:
    return f"c{index // _MOST_BITS}[{index % _MOST_BITS}]"
