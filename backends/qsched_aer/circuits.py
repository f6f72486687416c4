"""Circuits as they arrive: read, and brought to what Aer simulates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction


def unroll(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit in gates that Aer knows; as it is, when it has no others."""
    known = aer_gates("statevector") | NOT_GATES
    if all(instruction.operation.name in known for instruction in walk(circuit)):
        return circuit
    from qiskit import transpile
    from qiskit.circuit.library import get_standard_gate_name_mapping

    standard = known & get_standard_gate_name_mapping().keys() | _CONTROL_FLOW
    return transpile(circuit, basis_gates=sorted(standard), optimization_level=0)


def in_aers_gates(instruction: CircuitInstruction) -> CircuitInstruction:
    """The instruction, or its matrix where Aer does not know a device's native gate (``iswap`` for one)."""
    if instruction.name in _known_to_every_noisy_method():
        return instruction
    from qiskit.circuit.library import UnitaryGate

    return instruction.replace(operation=UnitaryGate(instruction.operation.to_matrix()))


def walk(circuit: QuantumCircuit) -> Iterator[CircuitInstruction]:
    """Every instruction, those inside control flow after the one that holds them."""
    for instruction in circuit.data:
        yield instruction
        for block in blocks(instruction):
            yield from walk(block)


def blocks(instruction: CircuitInstruction) -> tuple[QuantumCircuit, ...]:
    """The bodies of a control-flow instruction; none for any other."""
    from qiskit.circuit import ControlFlowOp

    operation = instruction.operation
    return tuple(operation.blocks) if isinstance(operation, ControlFlowOp) else ()


@cache
def aer_gates(method: str) -> frozenset[str]:
    """Names of the instructions that a method of Aer simulates."""
    from qiskit_aer import AerSimulator

    return frozenset(AerSimulator(method=method).configuration().basis_gates)


@cache
def _known_to_every_noisy_method() -> frozenset[str]:
    noisy = ("density_matrix", "statevector", "matrix_product_state")
    return frozenset.intersection(*map(aer_gates, noisy)) | NOT_GATES


_CONTROL_FLOW = frozenset({"if_else", "switch_case", "for_loop", "while_loop"})

NOT_GATES = frozenset({"measure", "reset", "barrier", "delay", "store"})
"""Instructions that every device and every method of Aer takes, and that make no gate error."""
