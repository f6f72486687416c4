"""One engine a store, by a lock that dies with its process.

The lock is an ``flock`` on a file beside the database. The kernel gives it back when the process ends, in
whatever way. A forked worker would inherit it and keep it alive beyond the engine's death, so the handle is
closed in every child.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Iterator  # noqa: TC003
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003
from typing import TextIO

from qsched.errors import StoreError


@contextmanager
def engine_lock(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` while inside.

    Raises:
        StoreError: If another engine holds it (named by its process id), or if the file cannot be written.
    """
    try:
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise StoreError(f"the engine's lock {path} cannot be opened ({error.strerror})") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another engine (process {_holder(file)}) works on this store; "
                f"use it, or stop it first (lock {path})"
            ) from None
        except OSError as error:
            raise StoreError(
                f"{path} cannot be locked ({error.strerror}); use a local file system"
            ) from error
        _close_in_children(file)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read(32).strip() or "unknown"


def _close_in_children(file: TextIO) -> None:
    reference = weakref.ref(file)

    def close() -> None:
        held = reference()
        if held is not None and not held.closed:
            # Not held.close(): that would flush the parent's buffer.
            os.close(held.fileno())

    os.register_at_fork(after_in_child=close)
