"""Qiskit's ``BackendProperties`` (its dictionary form) as a ``Calibration``.

IBM's devices, and the snapshots of them, describe themselves in this form. It is read here without
importing any of IBM's packages.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations at run time
import math
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from qsched.api.calibration import Calibration
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

SYMMETRIC_GATES = frozenset({"cz", "iswap", "rxx", "ryy", "rzz", "swap"})
"""Two-qubit gates that do not tell control from target."""

_VIRTUAL_GATES = ("rz", "u1")
_PULSE_GATES = ("sx", "u2", "rx", "x", "r")
"""In this order, the gate whose error and duration are those of one pulse."""
_ONE_QUBIT_GATES = ("sx", "x", "u2", "u3")
_TWO_QUBIT_GATES = ("cx", "ecr", "cz")
_MODERN_NAMES = {"p": "u1", "u": "u3"}
_UNIT = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


class Parameter(msgspec.Struct, frozen=True):
    """One measured figure."""

    name: str
    value: float | None = None
    unit: str = ""

    @property
    def si(self) -> float:
        """The value in seconds or as a fraction; not-a-number when there is none, or its unit is unknown."""
        return math.nan if self.value is None else self.value * _UNIT.get(self.unit, math.nan)


class GateProperties(msgspec.Struct, frozen=True):
    """The figures of one gate on certain qubits."""

    gate: str
    qubits: list[int]
    parameters: list[Parameter]


class BackendProperties(msgspec.Struct, frozen=True):
    """What is read of the dictionary; everything else in it is skipped."""

    last_update_date: dt.datetime
    qubits: list[list[Parameter]]
    gates: list[GateProperties]


class HasDict(Protocol):
    """An object that gives its dictionary form, as ``qiskit_ibm_runtime.models.BackendProperties`` does."""

    def to_dict(self) -> Mapping[str, object]:
        """The dictionary form."""
        ...


def from_backend_properties(
    properties: BackendProperties | HasDict | Mapping[str, object],
    *,
    device: str,
    basis_gates: Collection[str],
    reset_s: float,
    dynamic: bool,
    source: str = "",
) -> Calibration:
    """The calibration that a device's ``BackendProperties`` holds.

    A device whose couplers have different native two-qubit gates (IBM Cairo: ``cx`` and ``ecr``) is
    described by the gate that most of them have: the others differ from it by one-qubit gates only.

    Args:
        properties: The decoded properties, an object with ``to_dict``, or the dictionary itself.
        device: The device's name as its driver knows it.
        basis_gates: Names of the native gates, from the device's configuration.
        reset_s: Seconds between two shots, from the device's configuration.
        dynamic: Whether the device takes mid-circuit measurement and classical control.
        source: Where the figures come from.

    Returns:
        The calibration. Figures that are not reported are not-a-number; nothing is cleaned.

    Raises:
        InvalidInput: If the dictionary is not of this form.
    """
    decoded = _decoded(properties, device)
    one_qubit, two_qubit = _native_gates(basis_gates, decoded.gates)
    qubits = len(decoded.qubits)
    measured = [{figure.name: figure.si for figure in figures} for figures in decoded.qubits]
    readout = _column(measured, "readout_error")
    pulse = next((gate for gate in _PULSE_GATES if gate in one_qubit), None)
    gate1_error, gate1_s = _pulses(decoded.gates, pulse, qubits)
    couplers, gate2_error, gate2_s = _couplers(decoded.gates, two_qubit)
    try:
        return Calibration(
            device=device,
            taken_at=decoded.last_update_date,
            one_qubit_gates=one_qubit,
            two_qubit_gate=_commonest(decoded.gates, two_qubit),
            virtual_gates=tuple(gate for gate in _VIRTUAL_GATES if gate in basis_gates),
            t1_s=_column(measured, "T1"),
            t2_s=_column(measured, "T2"),
            readout_p10=_or(_column(measured, "prob_meas1_prep0"), readout),
            readout_p01=_or(_column(measured, "prob_meas0_prep1"), readout),
            readout_s=_column(measured, "readout_length"),
            gate1_error=gate1_error,
            gate1_s=gate1_s,
            couplers=couplers,
            gate2_error=gate2_error,
            gate2_s=gate2_s,
            reset_s=reset_s,
            dynamic=dynamic,
            source=source,
        )
    except ValueError as error:
        raise InvalidInput(f"properties of {device}: {error}") from error


def _decoded(
    properties: BackendProperties | HasDict | Mapping[str, object], device: str
) -> BackendProperties:
    if isinstance(properties, BackendProperties):
        return properties
    plain = properties.to_dict() if hasattr(properties, "to_dict") else properties
    try:
        return msgspec.convert(plain, BackendProperties)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"properties of {device} are not in Qiskit's form: {error}") from error


def _native_gates(
    basis_gates: Collection[str], gates: Sequence[GateProperties]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The one-qubit and the two-qubit gates to use of the native ones."""
    reported = {_name(gate) for gate in gates}
    one_qubit = tuple(gate for gate in _ONE_QUBIT_GATES if gate in basis_gates and gate in reported)
    two_qubit = tuple(gate for gate in _TWO_QUBIT_GATES if gate in basis_gates and gate in reported)
    return one_qubit, two_qubit


def _name(gate: GateProperties) -> str:
    return _MODERN_NAMES.get(gate.gate, gate.gate)


def _commonest(gates: Sequence[GateProperties], names: Collection[str]) -> str:
    """The two-qubit gate that most couplers have, or "" without any."""
    counts = Counter(_name(gate) for gate in gates if _name(gate) in names)
    return counts.most_common(1)[0][0] if counts else ""


def _figures(gate: GateProperties) -> tuple[float, float]:
    """Error and duration in seconds."""
    figures = {figure.name: figure.si for figure in gate.parameters}
    return figures.get("gate_error", math.nan), figures.get("gate_length", math.nan)


def _pulses(
    gates: Sequence[GateProperties], pulse: str | None, qubits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(Q,) errors and (Q,) durations of the pulse gate."""
    error, duration_s = np.full(qubits, math.nan), np.full(qubits, math.nan)
    for gate in gates:
        if _name(gate) == pulse and 0 <= gate.qubits[0] < qubits:
            error[gate.qubits[0]], duration_s[gate.qubits[0]] = _figures(gate)
    return error, duration_s


def _couplers(
    gates: Sequence[GateProperties], names: Collection[str]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """(C, 2) couplers, (C,) errors and (C,) durations; a symmetric gate once, lower qubit first."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for gate in gates:
        if _name(gate) in names and len(gate.qubits) == 2:
            first, second = sorted(gate.qubits) if gate.gate in SYMMETRIC_GATES else gate.qubits
            found.setdefault((first, second), _figures(gate))
    couplers = np.array(sorted(found), dtype=np.int32).reshape(-1, 2)
    figures = np.array([found[pair] for pair in sorted(found)], dtype=np.float64).reshape(-1, 2)
    return couplers, figures[:, 0], figures[:, 1]


def _column(measured: Sequence[Mapping[str, float]], name: str) -> NDArray[np.float64]:
    return np.array([figures.get(name, math.nan) for figures in measured], dtype=np.float64)


def _or(values: NDArray[np.float64], otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), otherwise, values)
