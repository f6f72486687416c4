"""Circuits as text: what a job object of a cluster can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched.errors import CircuitError, InvalidInput, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from qiskit import QuantumCircuit

    from qsched.api.job import QuantumCircuitJob

MAX_QASM = 1_000_000
"""The longest text that the CRD takes, in characters."""

MAX_BYTES = 1_400_000
"""The largest job; the API server's store takes 1.5 MiB, and the controller's words are to fit in too."""


def to_qasm(circuit: QuantumCircuit) -> str:
    """A circuit as OpenQASM: version 2 where it can say everything, since every gate has a name there.

    Raises:
        CircuitError: If neither version can say it.
    """
    from qiskit import qasm2, qasm3
    from qiskit.exceptions import QiskitError

    if "delay" not in circuit.count_ops():  # a duration has no unit in OpenQASM 2
        try:
            return str(qasm2.dumps(circuit))
        except QiskitError:
            pass
    try:
        return str(qasm3.dumps(circuit))
    except QiskitError as error:
        message = f"circuit {circuit.name!r} cannot be written as OpenQASM 3: {error}; give it as text"
        raise CircuitError(Problem("", message)) from error


def qasm_of_file(path: Path) -> str:
    """The circuit of a QPY file, as OpenQASM.

    Raises:
        InvalidInput: If it cannot be read, or not be written as OpenQASM.
    """
    from qsched.circuits.qpy import from_qpy

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error}") from error
    return to_qasm(from_qpy(data, name=path.stem))


def size_problems(job: QuantumCircuitJob) -> list[Problem]:
    """The circuits that are too large for an object of a cluster."""
    remedy = "put it where the controller can read it and give its uri (s3://...)"
    return [
        Problem(
            f"spec.circuits[{index}].qasm",
            f"has {len(circuit.qasm):,} characters, and a cluster takes {MAX_QASM:,}; {remedy}",
        )
        for index, circuit in enumerate(job.spec.circuits)
        if circuit.qasm is not None and len(circuit.qasm) > MAX_QASM
    ]
