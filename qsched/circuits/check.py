"""Whether a circuit that was read can be run: its sizes, its gates, its parameters, its measurements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qsched.circuits.delays import delay_dt
from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.problems import circuit_error, over_limit
from qsched.circuits.profile import profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qiskit import QuantumCircuit


def check_circuit(circuit: QuantumCircuit, *, name: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse a circuit that no backend could run.

    A circuit without a measurement is refused, and none is added in silence: a result is counts, and which
    qubits end up in which bits is for the user to say.

    Raises:
        CircuitError: If the circuit is over a limit, has a gate without a definition, free parameters, an
            angle that is not finite, a delay without a possible length in seconds, or no measurement.
    """
    if circuit.num_qubits > limits.qubits:
        raise over_limit(name, "qubits", circuit.num_qubits, limits.qubits, remedy="declare fewer")
    if circuit.num_clbits > limits.clbits:
        raise over_limit(name, "classical bits", circuit.num_clbits, limits.clbits, remedy="declare fewer")
    if free := sorted(parameter.name for parameter in circuit.parameters):
        message = f"free parameters {_listed(free)}; give their values in 'parameters'"
        raise circuit_error(name, message)
    _check_delays(circuit, name)
    if not profile(circuit, limits=limits).measurements:
        message = (
            "no measurement, so there would be no counts; end it with 'c = measure q;' (OpenQASM 3), "
            "'measure q -> c;' (OpenQASM 2) or circuit.measure_all()"
        )
        raise circuit_error(name, message)


def _check_delays(circuit: QuantumCircuit, name: str) -> None:
    for step in circuit.data:
        if step.name == "delay" and delay_dt(step.operation, None, name=name) is None:
            message = (
                "a delay in 'dt' has no length before the device is chosen (and QPY turns every unit into "
                "'dt'); write it in seconds, in OpenQASM 3 as 'delay[100ns] q;'"
            )
            raise circuit_error(name, message)
        if step.is_control_flow():
            for block in step.operation.blocks:
                _check_delays(block, name)


def bind(circuit: QuantumCircuit, values: Mapping[str, float], *, name: str) -> QuantumCircuit:
    """The circuit with its free parameters set.

    Args:
        circuit: With or without free parameters.
        values: A finite value for every one of them, in radians for angles.
        name: The circuit's name, for errors.

    Raises:
        CircuitError: If a value is missing, not finite, or for a parameter that the circuit does not have.
    """
    known = {parameter.name: parameter for parameter in circuit.parameters}
    if unknown := sorted(set(values) - set(known)):
        has = f"it has {_listed(sorted(known))}" if known else "it has none"
        raise circuit_error(name, f"there is no parameter {_listed(unknown)}; {has}")
    if missing := sorted(set(known) - set(values)):
        raise circuit_error(name, f"free parameters {_listed(missing)}; give their values in 'parameters'")
    for parameter, value in values.items():
        if not math.isfinite(value):
            raise circuit_error(name, f"parameter '{parameter}' is {value}; it must be finite")
    return (
        circuit.assign_parameters({known[key]: float(value) for key, value in values.items()})
        if known
        else circuit
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
