"""Calibrations as Qiskit targets, and Qiskit targets as calibrations.

Qiskit is imported by the functions, since ``import qsched`` must stay light.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from qsched.api.backend_properties import SYMMETRIC_GATES, from_backend_properties
from qsched.api.calibration import Calibration
from qsched.errors import InvalidInput
from qsched.fleet.quality import quality

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from qiskit.circuit import Gate
    from qiskit.transpiler import InstructionProperties, Target

    from qsched.fleet.quality import DeviceQuality

__all__ = ["DT_S", "from_backend_properties", "from_target", "to_target"]

DT_S = 1e-12
"""The target's unit of time in seconds. Durations are rounded to it, so that Qiskit never has to."""

_PULSES = {"u": 2, "u3": 2}
"""How many pulses a one-qubit gate takes, where it is not one."""
_PULSE_GATES = ("sx", "u2", "rx", "ry", "r", "x", "u3", "u")
"""In this order, the gate of a target whose error and duration are those of one pulse."""
_NOT_GATES = frozenset({"delay", "id", "measure", "reset"})


@lru_cache(maxsize=128)
def to_target(calibration: Calibration) -> Target:
    """The usable part of a device as a Qiskit target, made once for each calibration id.

    Qubits keep their physical numbers. A qubit that is not usable has no gate and no measurement, and
    Qiskit's layout passes avoid it, with one exception: the trivial layout, which optimisation levels 0
    and 1 try first, does not look; ``qsched.circuits`` uses the layout of level 2 there.

    A gate that does not tell control from target is there in both directions. ``reset`` and control flow
    are there only where the device is dynamic.

    Args:
        calibration: What was measured.

    Returns:
        The target; it is shared, and must not be changed.

    Raises:
        InvalidInput: If Qiskit has no gate of a name in the calibration.
    """
    from qiskit.circuit import Delay, Measure, Parameter, Reset
    from qiskit.transpiler import InstructionProperties, QubitProperties, Target

    worth = quality(calibration)
    qubits = [int(qubit) for qubit in np.flatnonzero(worth.usable)]
    target = Target(
        description=f"{calibration.device} ({calibration.id})",
        num_qubits=calibration.qubits,
        dt=DT_S,
        qubit_properties=[
            QubitProperties(t1=t1_s, t2=t2_s)
            for t1_s, t2_s in zip(worth.qubit_t1_s.tolist(), worth.qubit_t2_s.tolist(), strict=True)
        ],
    )
    for name in calibration.one_qubit_gates:
        target.add_instruction(_gate(name, calibration), _pulse_properties(name, worth))
    for name in calibration.virtual_gates:
        target.add_instruction(
            _gate(name, calibration), {(q,): InstructionProperties(duration=0.0, error=0.0) for q in qubits}
        )
    if worth.coupler_usable.any():
        target.add_instruction(_gate(calibration.two_qubit_gate, calibration), _coupler_properties(worth))
    readout = {
        (q,): InstructionProperties(
            duration=_rounded_s(worth.readout_s[q]), error=float(calibration.readout_error[q])
        )
        for q in qubits
    }
    target.add_instruction(Measure(), readout)
    # Dead qubits have a delay too, the worst there can be: Qiskit 2.6 panics on a target with fewer groups of
    # qubits than qubits, and places idle qubits where it sees no error.
    dead = InstructionProperties(error=1.0)
    delay = {(q,): None if worth.usable[q] else dead for q in range(calibration.qubits)}
    target.add_instruction(Delay(Parameter("t")), delay)
    if calibration.dynamic:
        # An active reset measures, and flips the qubit when it reads 1.
        reset_s = worth.readout_s + worth.gate1_s
        reset = {(q,): InstructionProperties(duration=_rounded_s(reset_s[q])) for q in qubits}
        target.add_instruction(Reset(), reset)
        _add_control_flow(target)
    return target


def from_target(
    target: Target,
    *,
    device: str,
    taken_at: dt.datetime,
    reset_s: float,
    dynamic: bool | None = None,
    source: str = "",
) -> Calibration:
    """The calibration that a Qiskit target holds.

    Of several two-qubit gates the one that most couplers have is taken. A target knows one readout error
    a qubit, which stands for both directions.

    Args:
        target: Qiskit's description of a device, with properties for each qubit.
        device: The device's name as its driver knows it.
        taken_at: When its figures were measured.
        reset_s: Seconds between two shots.
        dynamic: Whether the device takes mid-circuit measurement and classical control; by default,
            whether the target has ``if_else``.
        source: Where the figures come from.

    Returns:
        The calibration; what the target does not know is not-a-number.

    Raises:
        InvalidInput: If the target has no number of qubits, or no one-qubit gate that takes a pulse.
    """
    if not target.num_qubits:
        raise InvalidInput(f"the target of {device} does not say how many qubits it has; give it num_qubits")
    gates = [name for name in target.operation_names if name not in _NOT_GATES]
    one_qubit = [name for name in gates if _arity(target, name) == 1]
    virtual = tuple(name for name in one_qubit if _is_virtual(target, name))
    pulse = next((name for name in _PULSE_GATES if name in one_qubit and name not in virtual), None)
    if pulse is None:
        raise InvalidInput(
            f"the target of {device} has no one-qubit gate of {', '.join(_PULSE_GATES)}; "
            "qsched needs one to know the error of a pulse"
        )
    two_qubits = (name for name in gates if _arity(target, name) == 2)
    two_qubit = max(two_qubits, key=lambda name: len(_rows(target, name)), default="")
    couplers = _undirected(two_qubit, _rows(target, two_qubit)) if two_qubit else {}
    gate1_error, gate1_s = _qubit_figures(target, pulse)
    readout, readout_s = _qubit_figures(target, "measure")
    times = target.qubit_properties or [None] * target.num_qubits
    return Calibration(
        device=device,
        taken_at=taken_at,
        one_qubit_gates=tuple(name for name in one_qubit if name not in virtual),
        two_qubit_gate=two_qubit,
        virtual_gates=virtual,
        t1_s=_floats(getattr(qubit, "t1", None) for qubit in times),
        t2_s=_floats(getattr(qubit, "t2", None) for qubit in times),
        readout_p10=readout,
        readout_p01=readout,
        readout_s=readout_s,
        gate1_error=gate1_error / _PULSES.get(pulse, 1),
        gate1_s=gate1_s / _PULSES.get(pulse, 1),
        couplers=np.array(sorted(couplers), dtype=np.int32).reshape(-1, 2),
        gate2_error=_floats(getattr(couplers[pair], "error", None) for pair in sorted(couplers)),
        gate2_s=_floats(getattr(couplers[pair], "duration", None) for pair in sorted(couplers)),
        reset_s=reset_s,
        dynamic="if_else" in target.operation_names if dynamic is None else dynamic,
        source=source,
    )


def _gate(name: str, calibration: Calibration) -> Gate:
    from qiskit.circuit.library import get_standard_gate_name_mapping

    gate = get_standard_gate_name_mapping().get(name)
    if gate is None:
        raise InvalidInput(
            f"calibration {calibration.id} of {calibration.device}: Qiskit has no standard gate {name!r}; "
            "name the device's gates as Qiskit does, for example sx, r, cz, rzz"
        )
    return gate


def _pulse_properties(name: str, worth: DeviceQuality) -> dict[tuple[int, ...], InstructionProperties]:
    """Properties of a one-qubit gate on the usable qubits."""
    from qiskit.transpiler import InstructionProperties

    pulses = _PULSES.get(name, 1)
    error = 1 - (1 - worth.calibration.gate1_error) ** pulses
    return {
        (q,): InstructionProperties(duration=_rounded_s(pulses * worth.gate1_s[q]), error=float(error[q]))
        for q in np.flatnonzero(worth.usable).tolist()
    }


def _coupler_properties(worth: DeviceQuality) -> dict[tuple[int, ...], InstructionProperties]:
    """Properties of the two-qubit gate on the usable couplers, both ways round where it is symmetric."""
    from qiskit.transpiler import InstructionProperties

    calibration = worth.calibration
    properties: dict[tuple[int, ...], InstructionProperties] = {}
    for row in np.flatnonzero(worth.coupler_usable):
        first, second = calibration.couplers[row].tolist()
        figures = InstructionProperties(
            duration=_rounded_s(worth.gate2_s[row]), error=float(calibration.gate2_error[row])
        )
        properties[first, second] = figures
        if calibration.two_qubit_gate in SYMMETRIC_GATES:
            properties.setdefault((second, first), figures)
    return properties


def _add_control_flow(target: Target) -> None:
    from qiskit.circuit import ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp

    target.add_instruction(IfElseOp, name="if_else")
    target.add_instruction(ForLoopOp, name="for_loop")
    target.add_instruction(SwitchCaseOp, name="switch_case")
    target.add_instruction(WhileLoopOp, name="while_loop")


def _rounded_s(duration_s: float) -> float:
    return round(float(duration_s) / DT_S) * DT_S


def _arity(target: Target, name: str) -> int:
    """How many qubits an operation acts on; 0 for control flow, which a target holds as a class."""
    operation = target.operation_from_name(name)
    return 0 if isinstance(operation, type) else int(operation.num_qubits)


def _rows(target: Target, name: str) -> Mapping[tuple[int, ...], InstructionProperties | None]:
    """Properties of an operation for each group of qubits; a global operation has none."""
    return {qubits: figures for qubits, figures in target[name].items() if qubits is not None}


def _is_virtual(target: Target, name: str) -> bool:
    """Whether a gate takes no time anywhere."""
    rows = _rows(target, name).values()
    return bool(rows) and all(figures is not None and figures.duration == 0 for figures in rows)


def _undirected(
    name: str, rows: Mapping[tuple[int, ...], InstructionProperties | None]
) -> dict[tuple[int, ...], InstructionProperties | None]:
    """Couplers with their properties; a symmetric gate's once, lower qubit first."""
    if name not in SYMMETRIC_GATES:
        return dict(rows)
    found: dict[tuple[int, ...], InstructionProperties | None] = {}
    for pair in sorted(rows):
        found.setdefault(tuple(sorted(pair)), rows[pair])
    return found


def _qubit_figures(target: Target, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(Q,) errors and (Q,) durations of a one-qubit operation."""
    rows = _rows(target, name) if name in target.operation_names else {}
    figures = [rows.get((qubit,)) for qubit in range(target.num_qubits)]
    return (
        _floats(getattr(figure, "error", None) for figure in figures),
        _floats(getattr(figure, "duration", None) for figure in figures),
    )


def _floats(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
