"""Circuits as QPY bytes, the form in which they are stored and handed to drivers."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from qsched.circuits.delays import delays_in_dt, delays_in_seconds
from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.parse import is_importers
from qsched.circuits.problems import circuit_error, over_limit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MAGIC = b"QISKIT"

# Older versions evaluate the text of symbolic expressions as Python code: they are never read.
_OLDEST_VERSION = 13
_FILE_HEADER = struct.Struct("!6s4BQ")


def to_qpy(circuit: QuantumCircuit) -> bytes:
    """The circuit as QPY bytes, with delays in whole ``dt`` of ``qsched.api.quantities.DELAY_DT_S``.

    The bytes are not canonical: compare circuits with ``circuit_hash``.
    """
    from qiskit import qpy

    buffer = io.BytesIO()
    qpy.dump(delays_in_dt(circuit), buffer)
    return buffer.getvalue()


def from_qpy(data: bytes, *, name: str, limits: Limits = DEFAULT_LIMITS) -> QuantumCircuit:
    """Read the one circuit of a QPY file.

    Delays that ``to_qpy`` wrote are in seconds again; those of other writers have lost their unit.

    Args:
        data: The file's content. One that comes from outside must have been vetted: see ``vet``.
        name: The circuit's name, for errors.
        limits: What to accept.

    Raises:
        CircuitError: If this is not a QPY file of version 13 or newer (Qiskit 1.3) with exactly one circuit,
            or if it is over a limit.
    """
    check_header(data, name, limits)
    from qiskit import QuantumCircuit, qpy

    try:
        programs = qpy.load(io.BytesIO(data))
    except BaseException as error:
        if not is_importers(error):
            raise
        message = "the QPY file is damaged, or of a newer Qiskit than the one here"
        raise circuit_error(name, message) from error
    circuit = programs[0]
    if not isinstance(circuit, QuantumCircuit):
        raise circuit_error(name, "the QPY file holds no circuit")
    return delays_in_seconds(circuit)


def check_header(data: bytes, name: str, limits: Limits) -> None:
    """Refuse what is no QPY file of one circuit, too large, or too old to be read without risk."""
    if len(data) > limits.qpy_bytes:
        raise over_limit(name, "bytes of QPY", len(data), limits.qpy_bytes, remedy="split the circuit")
    if len(data) < _FILE_HEADER.size or not data.startswith(MAGIC):
        raise circuit_error(name, "not a QPY file; write it with qiskit.qpy.dump")
    _, version, _, _, _, programs = _FILE_HEADER.unpack_from(data)
    if version < _OLDEST_VERSION:
        message = f"QPY version {version} is not read; write it again with Qiskit 1.3 or newer"
        raise circuit_error(name, message)
    if programs != 1:
        raise circuit_error(name, f"the QPY file holds {programs:,} circuits; write one circuit a file")
