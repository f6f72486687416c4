"""What SQLite's errors mean to a user."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator  # noqa: TC003
from contextlib import contextmanager

from qsched.errors import InvalidInput, StoreError

BUSY_TIMEOUT_S = 10.0

_REMEDIES = {
    sqlite3.SQLITE_BUSY: f"is locked by another process for more than {BUSY_TIMEOUT_S:g} s; "
    "see which one has it open and end that, or try again",
    sqlite3.SQLITE_LOCKED: "is locked by another process; try again",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away, with its -wal and -shm files, and restore it from a "
    "backup (sqlite3 FILE .recover saves what can be read)",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; name another file, or move this one away",
    sqlite3.SQLITE_READONLY: "cannot be written; check the permissions of the file and of its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its directory exists and may be written",
    sqlite3.SQLITE_PERM: "may not be opened; check its permissions",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full; nothing of this change was stored. Free some space "
    "and try again",
    sqlite3.SQLITE_IOERR: "cannot be read or written, the disk reports an error or is full; nothing of this "
    "change was stored. Check the disk",
}

_LASTING = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def as_store_errors(where: str) -> Iterator[None]:
    """Turn every ``sqlite3.Error`` into a ``StoreError`` that says what, where and what to do.

    Raises:
        StoreError: For every error of SQLite.
        InvalidInput: If SQLite was given half a character, as a name that is not UTF-8 holds on the command
            line; nothing of that name can be stored.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{error.object!r} is not text; write names in UTF-8") from error
    except sqlite3.Error as error:
        # The low byte is the primary code; the rest says where it happened.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        remedy = _REMEDIES.get(code, "cannot do what was asked; this may be a bug of qsched")
        if closed := isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            remedy = "was closed; connect to it again"
        lasting = closed or code in _LASTING
        raise StoreError(f"the store {where} {remedy} (SQLite: {error})", lasting=lasting) from error
