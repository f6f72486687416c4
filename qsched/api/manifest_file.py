"""Reading a manifest's text from a file or standard input, within the size limit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from qsched.api.yaml_source import MAX_BYTES, too_large
from qsched.errors import InvalidInput, Problem


def read_text(path: str | Path, name: str) -> str:
    """Read a file, or standard input for "-".

    A file's size is looked at before it is read; of a stream no more is read than the limit.

    Args:
        path: The file.
        name: Its name in messages.

    Returns:
        Its text.

    Raises:
        InvalidInput: If it cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if str(path) == "-" else _read(Path(path), name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(Problem("", f"cannot be read: {reason}", name)) from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(Problem("", too_large("too"), name))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8 text (byte 0x{data[error.start]:02x}); is it a manifest? Save it as UTF-8"
        raise InvalidInput(Problem("", message, name, line)) from error


def _read(path: Path, name: str) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise InvalidInput(Problem("", too_large(f"{size / 1e6:.1f} MB"), name))
        return file.read(MAX_BYTES + 1)
