"""Circuits as text: what a job object of a cluster can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched.errors import CircuitError, InvalidInput, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from qiskit import QuantumCircuit


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
