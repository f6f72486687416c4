"""What the disk and SQLite alone cost for the transactions that an engine made."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from qsched.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsched.store.protocol import Update


_LINE = "placed on device-0 with score 0.500"


class Written(NamedTuple):
    """The size of one transaction.

    Attributes:
        rows: Jobs whose state was updated.
        state_bytes: Of all their states.
        documents: Placements and results that were stored.
        document_bytes: Of all of them.
        lines: Of history that were added.
    """

    rows: int
    state_bytes: int
    documents: int
    document_bytes: int
    lines: int


class MeasuredStore(SqliteStore):
    """The SQLite store, which also notes the size of what it writes.

    Attributes:
        transactions: One entry for each ``apply`` that wrote something, oldest first.
        seconds: Spent in ``apply``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.transactions: list[Written] = []
        self.seconds = 0.0

    def apply(
        self, updates: Sequence[Update], *, done: Sequence[int] = (), forget: Sequence[str] = ()
    ) -> None:
        """See ``Store.apply``."""
        started = time.perf_counter()
        super().apply(updates, done=done, forget=forget)
        self.seconds += time.perf_counter() - started
        if updates:
            self.transactions.append(_size(updates))


def replay(transactions: Sequence[Written], path: Path, jobs: int) -> float:
    """Write rows of the same number and size, in as many transactions, without any scheduling.

    The tables have the store's keys and indices, and the file its journal and its durability.

    Args:
        transactions: What to write.
        path: A new SQLite file.
        jobs: Jobs that the rows belong to.

    Returns:
        Seconds.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        _prepare(db, jobs)
        number = 0
        started = time.perf_counter()
        for each in transactions:
            numbers = [(number + row) % jobs + 1 for row in range(each.rows)]
            number += each.rows
            state = bytes(each.state_bytes // each.rows)
            document = bytes(each.document_bytes // max(each.documents, 1))
            lines = [(numbers[index % each.rows], _LINE) for index in range(each.lines)]
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "UPDATE jobs SET phase = 'Placed', seq = seq + 1, state = ? WHERE uid = ?",
                [(state, f"job-{row}") for row in numbers],
            )
            db.executemany(
                "INSERT OR REPLACE INTO documents VALUES (?, ?)",
                [(numbers[index % each.rows], document) for index in range(each.documents)],
            )
            db.executemany(
                "INSERT INTO history (number, at, type, message) VALUES (?, 0.0, 'Placed', ?)",
                lines,
            )
            db.execute("COMMIT")
        return time.perf_counter() - started


def _prepare(db: sqlite3.Connection, jobs: int) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(
        """CREATE TABLE jobs (
            number INTEGER PRIMARY KEY, uid TEXT UNIQUE, phase TEXT, seq INTEGER, state BLOB)"""
    )
    db.execute("CREATE INDEX jobs_seq ON jobs (seq)")
    db.execute("CREATE TABLE documents (number INTEGER PRIMARY KEY, body BLOB)")
    db.execute(
        "CREATE TABLE history (id INTEGER PRIMARY KEY, number INTEGER, at REAL, type TEXT, message TEXT)"
    )
    db.execute("CREATE INDEX history_number ON history (number)")
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO jobs VALUES (?, ?, 'Pending', 0, x'')", [(n, f"job-{n}") for n in range(1, jobs + 1)]
    )
    db.execute("COMMIT")


def _size(updates: Sequence[Update]) -> Written:
    documents = [each for update in updates for each in (update.placement, update.result) if each is not None]
    return Written(
        rows=len(updates),
        state_bytes=sum(len(update.state) for update in updates),
        documents=len(documents),
        document_bytes=sum(len(msgspec.msgpack.encode(each)) for each in documents),
        lines=sum(len(update.history) for update in updates),
    )
