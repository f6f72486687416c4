"""The circuit that a manifest declares, from wherever it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched.circuits.check import bind, check_circuit
from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.parse import parse_qasm
from qsched.circuits.problems import circuit_error, over_limit
from qsched.circuits.qpy import MAGIC, check_header, from_qpy
from qsched.circuits.registers import in_registers
from qsched.circuits.vet import vet_qpy

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit import QuantumCircuit

    from qsched.api.job import Circuit, ConfigMapKey


def load_circuit(
    spec: Circuit,
    read: Callable[[str | ConfigMapKey], bytes],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> QuantumCircuit:
    """Read, bind and check a declared circuit.

    A URI or ConfigMap may hold OpenQASM 2, OpenQASM 3 or QPY; the content says which.

    Args:
        spec: The declaration.
        read: Fetches what its ``uri`` or ``configMapRef`` names; it raises its own errors.
        limits: What to accept.

    Returns:
        The circuit under its declared name, without free parameters, ready to be profiled.

    Raises:
        CircuitError: If the circuit cannot be read, is over a limit, or cannot be run.
    """
    return finish_circuit(_read(spec, read, limits), spec, limits=limits)


def finish_circuit(
    circuit: QuantumCircuit, spec: Circuit, *, limits: Limits = DEFAULT_LIMITS
) -> QuantumCircuit:
    """Bind and check a circuit that was read already, as ``load_circuit`` does.

    Raises:
        CircuitError: If the circuit is over a limit, or cannot be run.
    """
    circuit = in_registers(bind(circuit, spec.parameters, name=spec.name), name=spec.name)
    circuit.name = spec.name
    check_circuit(circuit, name=spec.name, limits=limits)
    return circuit


def _read(spec: Circuit, read: Callable[[str | ConfigMapKey], bytes], limits: Limits) -> QuantumCircuit:
    if spec.qasm is not None:
        return parse_qasm(spec.qasm, name=spec.name, limits=limits)
    place = spec.uri or spec.config_map_ref
    if place is None:
        raise circuit_error(spec.name, "no source; give one of qasm, uri and configMapRef")
    return circuit_from_bytes(read(place), name=spec.name, limits=limits)


def circuit_from_bytes(data: bytes, *, name: str, limits: Limits = DEFAULT_LIMITS) -> QuantumCircuit:
    """The circuit in the content of a file: QPY, OpenQASM 2 or OpenQASM 3. The content is not trusted.

    Raises:
        CircuitError: If it is none of them, or is over a limit.
    """
    if data.startswith(MAGIC):
        check_header(data, name, limits)
        vet_qpy(data, name=name, limits=limits)
        return from_qpy(data, name=name, limits=limits)
    if len(data) > limits.source_bytes:
        raise over_limit(name, "bytes of source", len(data), limits.source_bytes, remedy="split the circuit")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise circuit_error(name, "neither QPY nor OpenQASM in UTF-8") from error
    return parse_qasm(text, name=name, limits=limits)
