"""Results and circuits as files, through fsspec; on this machine written atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

import msgspec

from qsched.api.job import CircuitResult, Result
from qsched.engine.object_stores import filesystem_of
from qsched.errors import InvalidInput, Problem, ResultError

if TYPE_CHECKING:
    from qsched.api.job import QuantumCircuitJob

INLINE_BYTES = 16_384  # counts up to this size are also kept in the job's status
MAX_READ_BYTES = 64_000_000


def result_uri(job: QuantumCircuitJob, default_folder: Path) -> str:
    """Where a job's result goes: its ``spec.result.uri``, or a file of its own in the default folder.

    A URI that ends in ``.json`` names the file; any other names a folder.
    """
    meta = job.metadata
    uri = job.spec.result.uri
    if uri is None:
        folder = default_folder / (meta.namespace or "default")
        return (folder / f"{meta.name}-{(meta.uid or '')[:8]}.json").absolute().as_uri()
    return uri if uri.endswith(".json") else f"{uri.rstrip('/')}/{meta.name}.json"


def check_writable(uri: str) -> None:
    """Find out now, rather than after the run, whether a result can be written.

    Args:
        uri: The file that the result is to be, as ``result_uri`` gives it.

    Raises:
        InvalidInput: If the location has an unknown scheme, cannot be reached, cannot be written, or would
            be gone when this process ends.
    """
    where = "spec.result.uri"
    try:
        if urlsplit(uri).scheme == "memory":
            raise ValueError("it would be gone with this process")  # noqa: TRY301 - worded with the others
        local = _local_path(uri)
        if local is None:
            filesystem, path = filesystem_of(uri)
            filesystem.makedirs(filesystem._parent(path), exist_ok=True)  # noqa: SLF001 - fsspec has no public name
            return
        _check_local(local)
    except Exception as error:  # every filesystem has exceptions of its own
        raise InvalidInput(
            Problem(
                where,
                f"results cannot be written to {uri}: {_reason(error)}; name a place that can be written",
            )
        ) from error


def write_result(result: Result, uri: str) -> Result:
    """Write a result and return it as a status holds it: with its URI, and counts only if they are small.

    Raises:
        ResultError: If it cannot be written; nothing half-written is left behind.
    """
    whole = msgspec.structs.replace(result, uri=uri)
    data = msgspec.json.format(msgspec.json.encode(whole), indent=2)
    small = len(data) <= INLINE_BYTES
    write_bytes(uri, data, durable=not small)
    if small:
        return whole
    return msgspec.structs.replace(whole, circuits=[_without_counts(circuit) for circuit in whole.circuits])


def read_result(uri: str) -> Result:
    """Read a result file.

    Raises:
        ResultError: If it is missing or not a result.
    """
    try:
        return msgspec.json.decode(read_bytes(uri), type=Result)
    except msgspec.MsgspecError as error:
        raise ResultError(f"{uri} is not a result of qsched: {error}") from error


def write_bytes(uri: str, data: bytes, *, durable: bool) -> None:
    """Write a file whole or not at all.

    Args:
        uri: Where.
        data: What.
        durable: Wait until a local file is on the disk; for what is kept nowhere else.

    Raises:
        ResultError: If it cannot be written.
    """
    try:
        local = _local_path(uri)
        if local is None:
            filesystem, path = filesystem_of(uri)
            filesystem.pipe_file(path, data)
        else:
            _write_local(local, data, durable=durable)
    except Exception as error:
        raise ResultError(
            f"cannot write {uri}: {_reason(error)}; make room or name another spec.result.uri"
        ) from error


def read_bytes(uri: str) -> bytes:
    """Read a file of at most 64 MB.

    Raises:
        ResultError: If it cannot be read or is larger.
    """
    try:
        local = _local_path(uri)
        if local is None:
            filesystem, path = filesystem_of(uri)
            filesystem.info(path)  # says it better than open does that there is no such file
            with filesystem.open(path, "rb") as file:
                data = cast("bytes", file.read(MAX_READ_BYTES + 1))
        else:
            data = _read_local(local)
    except Exception as error:
        raise ResultError(f"cannot read {uri}: {_reason(error)}") from error
    if len(data) > MAX_READ_BYTES:
        raise ResultError(f"{uri} is too large: at most {MAX_READ_BYTES:,} bytes are read")
    return data


def _read_local(path: Path) -> bytes:
    """A file's content, up to a byte more than may be read; a pipe or device could last for ever."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    with path.open("rb") as file:
        return file.read(MAX_READ_BYTES + 1)


def _check_local(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def _write_local(path: Path, data: bytes, *, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def _local_path(uri: str) -> Path | None:
    """The file of this machine that a URI names; None if it is of another kind.

    Raises:
        ValueError: If it names a machine, as ``file://tmp/x`` does with "tmp", or holds a null byte.
    """
    parts = urlsplit(uri)
    if parts.scheme not in {"file", "local"}:
        return None
    if parts.netloc not in {"", "localhost"}:
        meant = f"{parts.scheme}:///{parts.netloc}{parts.path}"
        raise ValueError(
            f"{parts.netloc!r} is the name of a machine there; write {meant} for a file of this one"
        )
    path = unquote(parts.path)
    if "\0" in path:
        raise ValueError("its path holds a null byte; leave %00 out")
    return Path(path)


def _without_counts(circuit: CircuitResult) -> CircuitResult:
    return msgspec.structs.replace(circuit, counts=None)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
