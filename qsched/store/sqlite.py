"""The store in one SQLite file, for one machine.

Write-ahead logging lets any number of processes read while one writes; writers queue for at most
``BUSY_TIMEOUT_S``. ``synchronous=FULL`` makes every commit reach the disk before it returns: with
``NORMAL`` a power cut could take back a stored token whose task was submitted already, and the job would
run twice. An engine's cycle is one transaction, so this costs one fsync a cycle and not one a job.

A store has one connection and a lock around it, so it may be used from any thread, one call at a time. It
must not be carried over a fork.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qsched.errors import AlreadyExists, NotFound, StoreError
from qsched.store import rows
from qsched.store.faults import BUSY_TIMEOUT_S, as_store_errors
from qsched.store.fleet import FLEET
from qsched.store.lock import engine_lock
from qsched.store.migrations import migrate
from qsched.store.protocol import Command, HistoryEvent
from qsched.store.rows import SELECT_CHANGES, SELECT_RECORD, SELECT_SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.api.job import Phase
    from qsched.store.protocol import CommandKind, JobRecord, JobSummary, NewJob, Update

_SWITCH_PAUSE_S = 0.02


class SqliteStore:
    """``qsched.store.protocol.Store`` in the SQLite file ``path``, which is made if it is missing.

    Raises:
        StoreError: If the file cannot be used; says why and what to do.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._where = str(self.path)
        self._guard = threading.RLock()
        self._process = os.getpid()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be made ({error.strerror})") from error
        with as_store_errors(self._where):
            self._db = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._configure()
            except BaseException:
                self._db.close()
                raise

    def _configure(self) -> None:
        _use_write_ahead_log(self._db)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        migrate(self._db, self._where)

    def add(self, jobs: Sequence[NewJob]) -> None:
        """See ``Store.add``."""
        with self._write() as db:
            seq = rows.next_seq(db)
            taken = [
                f"{rows.namespace_of(new.job)}/{new.job.metadata.name}"
                for new in jobs
                if not rows.insert(db, new, seq) and not rows.is_stored(db, new)
            ]
            if taken:
                first = taken[0].partition("/")[2]
                raise AlreadyExists(
                    f"{', '.join(taken)}: a job of this name exists already; choose another name, "
                    f"or remove it with 'qsched delete {first}'"
                )

    def get(self, name: str, namespace: str = "default") -> JobRecord:
        """See ``Store.get``."""
        with self._read() as db:
            row = (
                db.execute(f"{SELECT_RECORD} WHERE namespace = ? AND name = ?", (namespace, name)).fetchone()
                or db.execute(f"{SELECT_RECORD} WHERE uid = ?", (name,)).fetchone()
            )
        if row is None:
            raise NotFound(
                f"there is no job {name!r} in namespace {namespace!r}; 'qsched get' lists those there are"
            )
        return rows.record(row, self._where)

    def list(
        self, *, phases: Sequence[Phase] = (), namespace: str | None = None, limit: int = 1000
    ) -> Sequence[JobSummary]:
        """See ``Store.list``."""
        marks = ", ".join("?" * len(phases))
        where = [f"phase IN ({marks})"] * bool(phases) + ["namespace = ?"] * (namespace is not None)
        values = [*phases, *([] if namespace is None else [namespace]), limit]
        text = f"WHERE {' AND '.join(where)}" if where else ""
        return self._summaries(f"{SELECT_SUMMARY} {text} ORDER BY number DESC LIMIT ?", values)

    def history(self, uid: str) -> Sequence[HistoryEvent]:
        """See ``Store.history``."""
        with self._read() as db:
            found = db.execute(
                """SELECT at, type, history.message FROM history JOIN jobs USING (number)
                   WHERE uid = ? ORDER BY id""",
                (uid,),
            ).fetchall()
        return [HistoryEvent(*row) for row in found]

    def unsettled(self, after: int = 0, limit: int = 1000) -> Sequence[JobRecord]:
        """See ``Journal.unsettled``."""
        with self._read() as db:
            found = db.execute(
                f"{SELECT_RECORD} WHERE settled = 0 AND number > ? ORDER BY number LIMIT ?", (after, limit)
            ).fetchall()
        return [rows.record(row, self._where) for row in found]

    def apply(
        self, updates: Sequence[Update], *, done: Sequence[int] = (), forget: Sequence[str] = ()
    ) -> None:
        """See ``Journal.apply``."""
        if not (updates or done or forget):
            return
        with self._write() as db:
            seq = rows.next_seq(db)
            history: list[tuple[int, Sequence[HistoryEvent]]] = []
            for update in updates:
                number = rows.update_job(db, update, seq)
                if number is not None:
                    history.append((number, update.history))
            rows.append_history(db, history)
            db.executemany("DELETE FROM commands WHERE id = ?", [(id_,) for id_ in done])
            db.executemany("DELETE FROM jobs WHERE uid = ?", [(uid,) for uid in forget])

    async def stored(self, uid: str) -> None:
        """See ``Journal.stored``: ``apply`` has committed already."""

    def report(self, backends: Sequence[QuantumBackend]) -> None:
        """See ``Journal.report``."""
        self.put(FLEET, {FLEET: msgspec.json.encode(backends)})

    def changes_since(self, seq: int, limit: int = 1000) -> Sequence[JobSummary]:
        """See ``Store.changes_since``."""
        return self._summaries(SELECT_CHANGES, {"seq": seq, "skip": max(limit, 1) - 1})

    def send(self, uid: str, kind: CommandKind, at: float, value: int | None = None) -> None:
        """See ``Store.send``."""
        with self._write() as db:
            added = db.execute(
                """INSERT INTO commands (number, kind, value, at)
                   SELECT number, ?, ?, ? FROM jobs WHERE uid = ?""",
                (kind, value, at, uid),
            ).rowcount
        if not added:
            raise NotFound(f"there is no job with the uid {uid!r}; it may have been deleted")

    def commands(self, limit: int = 1000) -> Sequence[Command]:
        """See ``Journal.commands``."""
        with self._read() as db:
            found = db.execute(
                "SELECT id, uid, kind, value, at FROM commands JOIN jobs USING (number) ORDER BY id LIMIT ?",
                (limit,),
            ).fetchall()
        return [Command(id=row[0], uid=row[1], kind=row[2], value=row[3], at=row[4]) for row in found]

    def put(self, kind: str, values: Mapping[str, bytes]) -> None:
        """See ``Journal.put``."""
        with self._write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)",
                [(kind, key, body) for key, body in values.items()],
            )

    def values(self, kind: str) -> Mapping[str, bytes]:
        """See ``Journal.values``."""
        with self._read() as db:
            return dict(db.execute("SELECT key, value FROM facts WHERE kind = ?", (kind,)).fetchall())

    def purge(self, now: float) -> int:
        """See ``Journal.purge``."""
        with self._write() as db:
            return db.execute(
                "DELETE FROM jobs WHERE settled = 1 AND ttl_s IS NOT NULL AND finished_at + ttl_s <= ?",
                (now,),
            ).rowcount

    def engine_lock(self) -> AbstractContextManager[None]:
        """See ``Store.engine_lock``."""
        return engine_lock(self.path.with_name(f"{self.path.name}.engine"))

    def close(self) -> None:
        """See ``Store.close``."""
        with self._guard, as_store_errors(self._where):
            self._db.close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if os.getpid() != self._process:
            message = f"the store {self._where} must not be carried over a fork; open it in this process"
            raise StoreError(message, lasting=True)
        with self._guard, as_store_errors(self._where):
            yield self._db

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end, rolled back on any error."""
        with self._read() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # A full disk or an I/O error has rolled back already.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _summaries(self, query: str, values: Sequence[object] | Mapping[str, object]) -> Sequence[JobSummary]:
        with self._read() as db:
            return [rows.summary(row) for row in db.execute(query, values)]


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch the journal, once for a file: SQLite does not wait by itself when several processes do so."""
    tries = int(BUSY_TIMEOUT_S / _SWITCH_PAUSE_S)
    for left in reversed(range(tries)):
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not left:
                raise
        time.sleep(_SWITCH_PAUSE_S)
