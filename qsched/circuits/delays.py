"""Delays that survive QPY.

QPY as Qiskit 2.6 writes it loses the unit of a delay (github.com/Qiskit/qiskit/pull/16806), and a delay of
100 ns comes back as one of 100 ``dt``. So delays are written in units of ``DELAY_DT_S``, and the circuit's
metadata say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.api.quantities import DELAY_DT_S
from qsched.circuits.problems import circuit_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit import QuantumCircuit

LONGEST_DELAY_S = 3600.0
_MARK = "qsched_dt_s"
_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


def delay_s(operation: Any, dt_s: float | None) -> float | None:
    """Seconds of a delay, or None if its length is decided later or its unit has none.

    Args:
        operation: The delay.
        dt_s: What one ``dt`` is, if that is known.
    """
    unit_s = dt_s if operation.unit == "dt" else _UNITS_S.get(operation.unit)
    try:
        return None if unit_s is None else float(operation.duration) * unit_s
    except TypeError:  # a free parameter
        return None


def delay_dt(operation: Any, dt_s: float | None, *, name: str) -> int | None:
    """A delay in whole ``DELAY_DT_S``; None as ``delay_s``.

    Args:
        operation: The delay.
        dt_s: What one ``dt`` is, if that is known.
        name: The circuit's name, for errors.

    Raises:
        CircuitError: If it is no length of time, or more than ``LONGEST_DELAY_S``.
    """
    length_s = delay_s(operation, dt_s)
    if length_s is None:
        return None
    if not 0 <= length_s <= LONGEST_DELAY_S:  # also refuses nan
        message = f"a delay of {length_s:g} s; delays are from 0 to {LONGEST_DELAY_S:g} s long"
        raise circuit_error(name, message)
    return round(length_s / DELAY_DT_S)


def delays_in_dt(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its delays in whole ``dt`` of ``DELAY_DT_S``; the circuit itself if it has none.

    Raises:
        CircuitError: As ``delay_dt``.
    """
    from qiskit.circuit import Delay

    def convert(operation: Any) -> Any:
        length = None if operation.unit == "dt" else delay_dt(operation, None, name=circuit.name)
        return operation if length is None else Delay(length, unit="dt")

    if not has_delays(circuit):
        return circuit
    converted = _converted(circuit, convert)
    converted.metadata = {**(circuit.metadata or {}), _MARK: DELAY_DT_S}
    return converted


def delays_in_seconds(circuit: QuantumCircuit) -> QuantumCircuit:
    """The reverse of ``delays_in_dt``; a circuit that it did not make is left as it is."""
    from qiskit.circuit import Delay

    metadata = dict(circuit.metadata or {})
    dt_s = metadata.pop(_MARK, None)
    if dt_s != DELAY_DT_S:
        return circuit

    def convert(operation: Any) -> Any:
        length_s = delay_s(operation, DELAY_DT_S)
        return operation if length_s is None else Delay(round(length_s, 12), unit="s")

    converted = _converted(circuit, convert)
    converted.metadata = metadata
    return converted


def has_delays(circuit: QuantumCircuit) -> bool:
    """Whether there is a delay in the circuit or in a block of classical control in it."""
    return any(
        step.name == "delay" or (step.is_control_flow() and any(map(has_delays, step.operation.blocks)))
        for step in circuit.data
    )


def _converted(circuit: QuantumCircuit, convert: Callable[[Any], Any]) -> QuantumCircuit:
    new = circuit.copy_empty_like()
    for step in circuit.data:
        if step.name == "delay":
            new.append(convert(step.operation), step.qubits)
        elif step.is_control_flow() and any(map(has_delays, step.operation.blocks)):
            blocks = [_converted(block, convert) for block in step.operation.blocks]
            new.append(step.replace(operation=step.operation.replace_blocks(blocks)))
        else:
            new._append(step)  # noqa: SLF001 - the checks of append() were made when it was first added
    return new
