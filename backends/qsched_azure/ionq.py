"""IonQ's JSON circuits.

Native circuits are in GPI, GPI2, and MS or ZZ. In turns (one turn is 2 pi), as IonQ defines them:

- GPI2(p) is RZ(2 pi p) RX(pi/2) RZ(-2 pi p), and GPI(p) the same with a half turn;
- MS(p, q, a) is RXX(2 pi a) in frames that are turned likewise; ZZ(a) is RZZ(2 pi a).

There is no Z among them: a Z rotation turns the frame of all that follows on its qubit, and is undone by
nothing, since a measurement does not see it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from qsched_azure.program import Program, in_gates, layout_of, steps, width_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qsched_azure.program import Step

_NATIVE = {
    "aria": frozenset({"sx", "x", "rz", "rxx"}),
    "forte": frozenset({"sx", "x", "rz", "rzz"}),
    "": frozenset({"sx", "x", "rz", "rxx", "rzz"}),
}
_NAMES = {
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
    "rx": "rx",
    "ry": "ry",
    "rz": "rz",
    "swap": "swap",
}
"""IonQ's names for Qiskit's gates, where a controlled gate is not meant."""

_EPSILON = 1e-12
"""Turns that are none, but for rounding."""


def program(circuit: QuantumCircuit, *, name: str, device: str, native: bool) -> Program:
    """A circuit for a target of IonQ.

    Args:
        circuit: Bound, with measurements at its end only.
        name: The circuit's name, for messages.
        device: The target.
        native: Whether the circuit is in the gates of the target's published figures, on its qubits; else
            IonQ compiles it.

    Raises:
        Rejected: If it has an operation that the target does not take, or goes on after a measurement.
    """
    if native:
        model = next((model for model in _NATIVE if model and f".{model}-" in device), "")
        gates = _NATIVE[model]
    else:
        gates = frozenset({*_NAMES, "cx"})
        circuit = in_gates(circuit, gates, name=name)
    found = steps(circuit, name=name, device=device, gates=gates)
    layout = layout_of(found, name=name, device=device)
    gates_only = [step for step in found if step.name != "measure"]
    content = {
        "gateset": "native" if native else "qis",
        "qubits": width_of(found),
        "circuit": _native(gates_only) if native else [_qis(step) for step in gates_only],
    }
    return Program(
        content=json.dumps(content, separators=(",", ":")).encode(),
        content_type="application/json",
        input_format="ionq.circuit.v1",
        output_format="ionq.quantum-results.v1",
        layout=layout,
        width=width_of(found),
        options=_AS_IT_IS if ".qpu." in device else {},
    )


_AS_IT_IS: dict[str, Any] = {"error-mitigation": {"debias": False}}
"""Azure turns IonQ's debiasing on unless it is told not to: many variants of the circuit would run instead of
it, for several times the least price."""


def _qis(step: Step) -> dict[str, Any]:
    if step.name == "cx":
        return {"gate": "cnot", "control": step.qubits[0], "target": step.qubits[1]}
    if step.name == "swap":
        return {"gate": "swap", "targets": list(step.qubits)}
    angle = {"rotation": step.angles[0]} if step.angles else {}
    return {"gate": _NAMES[step.name], "target": step.qubits[0], **angle}


def _native(found: list[Step]) -> list[dict[str, Any]]:
    frames: dict[int, float] = {}  # turns by which the frame of each qubit is ahead
    gates: list[dict[str, Any]] = []
    for step in found:
        if step.name == "rz":
            (qubit,) = step.qubits
            frames[qubit] = frames.get(qubit, 0.0) + _turns(step.angles[0])
        elif step.name in {"sx", "x"}:
            (qubit,) = step.qubits
            gate = "gpi2" if step.name == "sx" else "gpi"
            gates.append({"gate": gate, "target": qubit, "phase": _phase(-frames.get(qubit, 0.0))})
        elif step.name == "rxx":
            gates += _ms(step, frames)
        else:
            gates.append(_zz(step, frames))
    return gates


def _ms(step: Step, frames: dict[int, float]) -> list[dict[str, Any]]:
    """RXX as a Molmer-Sorensen gate, whose angle is 0 to a quarter turn.

    RXX(a + pi) is RXX(a) and an X on both qubits, whose errors are far below those of a second MS.
    """
    angle = _phase(_turns(step.angles[0]))
    first, second = (-frames.get(qubit, 0.0) for qubit in step.qubits)
    gates: list[dict[str, Any]] = []
    if abs(angle) > 0.25:
        angle -= math.copysign(0.5, angle)
        phases = _phase(first), _phase(second)
        gates += [
            {"gate": "gpi", "target": qubit, "phase": phase}
            for qubit, phase in zip(step.qubits, phases, strict=True)
        ]
    # RXX(-a) is RXX(a) with one of the qubits in a frame that is half a turn ahead.
    turned = [_phase(first + (0.5 if angle < 0 else 0.0)), _phase(second)]
    if abs(angle) > _EPSILON:
        gates.append({"gate": "ms", "targets": list(step.qubits), "phases": turned, "angle": abs(angle)})
    return gates


def _zz(step: Step, frames: dict[int, float]) -> dict[str, Any]:
    """RZZ as ZZ, whose angle is at most a quarter turn: RZZ(a + pi) is RZZ(a) and a Z on both qubits."""
    angle = _phase(_turns(step.angles[0]))
    if abs(angle) > 0.25:
        angle -= math.copysign(0.5, angle)
        for qubit in step.qubits:
            frames[qubit] = frames.get(qubit, 0.0) + 0.5
    return {"gate": "zz", "targets": list(step.qubits), "angle": angle}


def _turns(radians: float) -> float:
    return radians / (2 * math.pi)


def _phase(turns: float) -> float:
    """The same phase within half a turn of zero."""
    return turns - math.floor(turns + 0.5)
