"""The compact file format of a calibration: gzip'd JSON, described in docs/reference/calibration-file.md.

A file round trips exactly, the id included. Reading trusts nothing: sizes are bounded before anything is
decoded, and a stored id must be the id of what was read.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path  # noqa: TC003 - one of the public signatures, read at run time by the docs
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from qsched.api.base import Declared, Time
from qsched.api.calibration import Calibration
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".qcal.json.gz"
VERSION: Literal[1] = 1
MAX_FILE_BYTES = 8 * 2**20
MAX_JSON_BYTES = 64 * 2**20

GateName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", max_length=32)]
Column = Annotated[list[float | Literal["inf"] | None], Meta(max_length=1_000_000)]
"""Numbers; ``null`` is "not measured" and ``"inf"`` infinity, which JSON has no number for."""


class _Header(msgspec.Struct, rename="camel"):
    format: Literal["qsched-calibration"]
    version: int


class _Document(Declared, frozen=True, kw_only=True):
    """The JSON document, field by field a ``Calibration``."""

    format: Literal["qsched-calibration"]
    version: Literal[1]
    id: Annotated[str, Meta(max_length=64)] | None = None
    device: Annotated[str, Meta(min_length=1, max_length=512)]
    taken_at: Time
    one_qubit_gates: Annotated[tuple[GateName, ...], Meta(max_length=16)]
    two_qubit_gate: Annotated[str, Meta(pattern="^([a-z][a-z0-9_]*)?$", max_length=32)]
    virtual_gates: Annotated[tuple[GateName, ...], Meta(max_length=16)]
    t1_s: Column
    t2_s: Column
    readout_p10: Column
    readout_p01: Column
    readout_s: Column
    gate1_error: Column
    gate1_s: Column
    couplers: Annotated[list[tuple[int, int]], Meta(max_length=1_000_000)]
    gate2_error: Column
    gate2_s: Column
    reset_s: float
    dynamic: bool
    source: Annotated[str, Meta(max_length=4096)] = ""


_COLUMNS = (
    "t1_s",
    "t2_s",
    "readout_p10",
    "readout_p01",
    "readout_s",
    "gate1_error",
    "gate1_s",
    "gate2_error",
    "gate2_s",
)


def dumps(calibration: Calibration) -> bytes:
    """The bytes of a calibration file; equal calibrations give equal bytes.

    Args:
        calibration: What to write.

    Returns:
        gzip'd JSON.
    """
    columns = {name: _column(getattr(calibration, name)) for name in _COLUMNS}
    document = _Document(
        format="qsched-calibration",
        version=VERSION,
        id=calibration.id,
        device=calibration.device,
        taken_at=calibration.taken_at,
        one_qubit_gates=calibration.one_qubit_gates,
        two_qubit_gate=calibration.two_qubit_gate,
        virtual_gates=calibration.virtual_gates,
        couplers=[(first, second) for first, second in calibration.couplers.tolist()],
        reset_s=calibration.reset_s,
        dynamic=calibration.dynamic,
        source=calibration.source,
        **columns,
    )
    return gzip.compress(msgspec.json.encode(document), mtime=0)


def loads(data: bytes, *, file: str = "calibration") -> Calibration:
    """The calibration in the bytes of a calibration file.

    Args:
        data: gzip'd JSON.
        file: The file's name, for messages.

    Returns:
        The calibration.

    Raises:
        InvalidInput: If the file is too large, corrupt, of another format or version, or its content is
            not a calibration or not the one that its id names.
    """
    text = _inflate(data, file)
    try:
        header = msgspec.json.decode(text, type=_Header)
        if header.version != VERSION:
            raise _refused(file, f"is of version {header.version}; this qsched reads version {VERSION}")
        document = msgspec.json.decode(text, type=_Document)
        calibration = _calibration(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(file, f"is not a calibration file: {error}") from error
    except (ValueError, OverflowError) as error:
        raise _refused(file, str(error)) from error
    if document.id is not None and document.id != calibration.id:
        raise _refused(
            file,
            f"is corrupt or was edited: its id is {calibration.id}, not {document.id}; "
            "if the change is meant, remove the id",
        )
    return calibration


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration file; a file of that name is replaced at once or not at all.

    Args:
        calibration: What to write.
        path: Where; by convention the name ends in ``.qcal.json.gz``.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(dumps(calibration))
        temporary.replace(path)
    except OSError as error:
        raise _refused(str(path), f"cannot be written: {error.strerror or error}") from error


def load_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Args:
        path: Where it is.

    Returns:
        The calibration.

    Raises:
        InvalidInput: As ``loads``, or if the file cannot be read.
    """
    try:
        if path.is_fifo():  # opening it would wait for a writer
            raise _refused(str(path), "is a pipe, not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _refused(str(path), f"cannot be read: {error.strerror or error}") from error
    return loads(data, file=str(path))


def _inflate(data: bytes, file: str) -> bytes:
    """The JSON text, with both sizes bounded before they are used."""
    if len(data) > MAX_FILE_BYTES:
        raise _refused(file, f"is larger than {MAX_FILE_BYTES} bytes")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = inflater.decompress(data, MAX_JSON_BYTES + 1)
    except zlib.error as error:
        raise _refused(file, f"is not a gzip file, or is corrupt: {error}") from error
    if len(text) > MAX_JSON_BYTES:
        raise _refused(file, f"holds more than {MAX_JSON_BYTES} bytes")
    if not inflater.eof:
        raise _refused(file, "is cut short")
    return text


def _calibration(document: _Document) -> Calibration:
    columns = {
        name: np.array(
            [math.nan if x is None else float(x) for x in getattr(document, name)], dtype=np.float64
        )
        for name in _COLUMNS
    }
    return Calibration(
        device=document.device,
        taken_at=document.taken_at,
        one_qubit_gates=document.one_qubit_gates,
        two_qubit_gate=document.two_qubit_gate,
        virtual_gates=document.virtual_gates,
        couplers=np.array(document.couplers, dtype=np.int32).reshape(-1, 2),
        reset_s=document.reset_s,
        dynamic=document.dynamic,
        source=document.source,
        **columns,
    )


def _column(values: NDArray[np.float64]) -> list[float | Literal["inf"] | None]:
    return [None if math.isnan(x) else "inf" if x == math.inf else x for x in values.tolist()]


def _refused(file: str, message: str) -> InvalidInput:
    return InvalidInput(Problem("", message, file=file))
