"""One engine a store, by a lock that dies with its process.

The lock is an ``flock`` on a file beside the database. The kernel gives it back when the process ends, in
whatever way. A forked worker would inherit it and keep it alive beyond the engine's death, so its handle is
closed in every child.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qsched.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qsched.store.protocol import Store


@contextmanager
def engine_lock(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` while inside.

    Raises:
        StoreError: If another engine holds it (named by its process id), or if the file cannot be written.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"the engine's lock {path} cannot be opened ({error.strerror})") from error
    held = [handle]

    def let_go() -> None:
        while held:
            os.close(held.pop())

    os.register_at_fork(after_in_child=let_go)
    try:
        _take(handle, path)
        yield
    finally:
        let_go()


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        raise StoreError(
            f"another engine (process {holder}) works on this store; use it, or stop it first (lock {path})"
        ) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be locked ({error.strerror}); use a local file system") from error


def has_engine(store: Store) -> bool:
    """Whether an engine works on the store now."""
    try:
        with store.engine_lock():
            return False
    except StoreError:
        return True
