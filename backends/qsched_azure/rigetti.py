"""Rigetti's Quil.

Its native gates are RX of a quarter and a half turn, RZ, which is virtual, and ISWAP. Native programs skip
Rigetti's compiler, quilc, and so keep their qubits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched_azure.program import Program, in_gates, layout_of, steps, width_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qsched_azure.program import Step

_NATIVE = {"sx": "RX(pi/2)", "x": "RX(pi)", "rz": "RZ", "iswap": "ISWAP"}
_NAMES = {
    "h": "H",
    "x": "X",
    "y": "Y",
    "z": "Z",
    "s": "S",
    "sdg": "DAGGER S",
    "t": "T",
    "tdg": "DAGGER T",
    "rx": "RX",
    "ry": "RY",
    "rz": "RZ",
    "cx": "CNOT",
    "cz": "CZ",
    "swap": "SWAP",
    "iswap": "ISWAP",
}


def program(circuit: QuantumCircuit, *, name: str, device: str, native: bool) -> Program:
    """A circuit for a target of Rigetti.

    Its readout memory ``ro`` has one bit for each classical bit that is measured, in their order.

    Args:
        circuit: Bound, with measurements at its end only.
        name: The circuit's name, for messages.
        device: The target.
        native: Whether the circuit is in native gates, on the device's qubits; else quilc compiles it.

    Raises:
        Rejected: If it has an operation that the target does not take, or goes on after a measurement.
    """
    names = _NATIVE if native else _NAMES
    if not native:
        circuit = in_gates(circuit, frozenset(names), name=name)
    found = steps(circuit, name=name, device=device, gates=frozenset(names))
    measured = layout_of(found, name=name, device=device)
    lines = [
        f"DECLARE ro BIT[{len(measured)}]",
        *(_line(step, names) for step in found if step.name != "measure"),
        *(f"MEASURE {qubit} ro[{at}]" for at, (_, qubit) in enumerate(measured)),
    ]
    return Program(
        content=("\n".join(lines) + "\n").encode(),
        content_type="text/plain",
        input_format="rigetti.quil.v1",
        output_format="rigetti.quil-results.v1",
        layout=tuple((bit, at) for at, (bit, _) in enumerate(measured)),
        width=width_of(found),
        options={"skipQuilc": native},
    )


def _line(step: Step, names: dict[str, str]) -> str:
    angle = f"({step.angles[0]!r})" if step.angles else ""
    return f"{names[step.name]}{angle} {' '.join(map(str, step.qubits))}"
