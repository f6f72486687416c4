"""Results of costly steps, kept by the content of what they were made from, so that a run can be resumed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FOLDER = Path(__file__).parent / "results" / "cache"


def cached(kind: str, key: Any, make: Callable[[], T], type_: type[T], folder: Path = FOLDER) -> T:
    """What ``make`` returns, made once for each key.

    Args:
        kind: What it is; a folder's name. Change it when the code that makes it changes its meaning.
        key: Everything that the result depends on, versions and seeds included; plain data.
        make: Makes it.
        type_: What it is; msgspec must be able to encode and decode it.
        folder: Where results are kept.
    """
    digest = hashlib.sha256(msgspec.json.encode(key, order="deterministic")).hexdigest()[:32]
    path = folder / kind / f"{digest}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.MsgspecError):
        pass  # not made yet, or cut off by a crash
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(msgspec.json.encode(made))
    temporary.replace(path)
    return made
