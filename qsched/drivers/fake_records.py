"""What the fake provider remembers, in SQLite."""

from __future__ import annotations

import sqlite3
import weakref
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.drivers.types import RemoteState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS submissions (
    number INTEGER PRIMARY KEY, token TEXT NOT NULL, device TEXT NOT NULL, at_s REAL NOT NULL,
    tags TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tasks (
    remote_id TEXT PRIMARY KEY, device TEXT NOT NULL, end_s REAL NOT NULL, cancelled_s REAL,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tasks_by_end ON tasks (device, end_s);
"""


class Submission(msgspec.Struct, frozen=True):
    """One submission as it reached the provider."""

    token: str
    device: str
    at_s: float
    tags: dict[str, str]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A task as the provider keeps it; its state follows from the time."""

    remote_id: str
    device: str
    shots: int
    hashes: tuple[str, ...]
    start_s: float
    end_s: float
    cancelled_s: float | None
    failure: str

    def state(self, now_s: float) -> RemoteState:
        """Where the task is at a Unix time."""
        if self.cancelled_s is not None:
            return "Cancelled"
        if now_s < self.start_s:
            return "Queued"
        if now_s < self.end_s:
            return "Running"
        return "Failed" if self.failure else "Succeeded"


class Records:
    """The submissions and tasks of one fake provider.

    A file may be open in several processes, and survives one that is killed between two statements:
    every change is a transaction.
    """

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        weakref.finalize(self, self._db.close)  # tests drop their fakes without a word
        # The machine does not crash in a test, only the process; so nothing waits for the disk.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_SCHEMA)

    def submit(self, record: Record, token: str, at_s: float, tags: Mapping[str, str]) -> None:
        """Note a submission, and make its task unless there is one of this remote id."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "INSERT INTO submissions (token, device, at_s, tags) VALUES (?, ?, ?, ?)",
            (token, record.device, at_s, msgspec.json.encode(tags).decode()),
        )
        self._db.execute(
            "INSERT OR IGNORE INTO tasks VALUES (?, ?, ?, NULL, ?)",
            (record.remote_id, record.device, record.end_s, msgspec.msgpack.encode(record)),
        )
        self._db.execute("COMMIT")

    def get(self, remote_id: str) -> Record | None:
        """The task of a remote id."""
        row = self._db.execute(
            "SELECT record, cancelled_s FROM tasks WHERE remote_id = ?", (remote_id,)
        ).fetchone()
        if row is None:
            return None
        return msgspec.structs.replace(msgspec.msgpack.decode(row[0], type=Record), cancelled_s=row[1])

    def cancel(self, remote_id: str, at_s: float) -> None:
        """Note that a task was cancelled."""
        self._db.execute("UPDATE tasks SET cancelled_s = ? WHERE remote_id = ?", (at_s, remote_id))

    def unfinished(self, device: str, now_s: float) -> int:
        """How many tasks of a device wait or run at a Unix time."""
        row = self._db.execute(
            "SELECT COUNT(*) FROM tasks WHERE device = ? AND end_s > ? AND cancelled_s IS NULL",
            (device, now_s),
        ).fetchone()
        return int(row[0])

    def submissions(self) -> list[Submission]:
        """Every submission, oldest first."""
        rows = self._db.execute("SELECT token, device, at_s, tags FROM submissions ORDER BY number")
        return [
            Submission(token, device, at_s, msgspec.json.decode(tags, type=dict[str, str]))
            for token, device, at_s, tags in rows
        ]

    def close(self) -> None:
        """Close the database; closing twice is harmless."""
        self._db.close()
