"""Rows and records: how the SQLite store writes and reads the values of its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qsched.api.job import Placement, QuantumCircuitJob, Result
from qsched.errors import StoreError
from qsched.store.protocol import HistoryEvent, JobRecord, JobSummary, NewJob, Update

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

_encode: Final = msgspec.msgpack.Encoder().encode
_job: Final = msgspec.msgpack.Decoder(QuantumCircuitJob)
_placement: Final = msgspec.msgpack.Decoder(Placement)
_result: Final = msgspec.msgpack.Decoder(Result)

SELECT_SUMMARY = """
    SELECT number, uid, namespace, name, phase, reason, message, backend, priority, submitted_at, finished_at,
           seq
    FROM jobs
"""
SELECT_RECORD = """
    SELECT number, uid, namespace, name, declarations.body, phase, state, placements.body, results.body,
           submitted_at, finished_at, seq
    FROM jobs JOIN declarations USING (number)
    LEFT JOIN placements USING (number) LEFT JOIN results USING (number)
"""
# The whole of each change: up to the change that the row number :skip belongs to.
SELECT_CHANGES = (
    SELECT_SUMMARY  # noqa: S608 - constants only
    + """
    WHERE seq > :seq AND seq <= coalesce(
        (SELECT seq FROM jobs WHERE seq > :seq ORDER BY seq LIMIT 1 OFFSET :skip), 9223372036854775807)
    ORDER BY seq, number
"""
)
_INSERT = """
    INSERT INTO jobs (uid, namespace, name, phase, priority, submitted_at, ttl_s, seq, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number
"""
_UPDATE = """
    UPDATE jobs SET phase = ?, reason = ?, message = ?, backend = ?, settled = ?, finished_at = ?, seq = ?,
                    state = ?
    WHERE uid = ? RETURNING number
"""


def summary(row: tuple[Any, ...]) -> JobSummary:
    """The summary of a row of ``SELECT_SUMMARY``."""
    return JobSummary(**dict(zip(JobSummary.__struct_fields__, row, strict=True)))


def record(row: tuple[Any, ...], where: str) -> JobRecord:
    """The record of a row of ``SELECT_RECORD``.

    Raises:
        StoreError: If a document in it cannot be decoded; names the job and ``where`` it is.
    """
    number, uid, namespace, name, job, phase, state, placement, result, submitted_at, finished_at, seq = row
    try:
        return JobRecord(
            number=number,
            uid=uid,
            namespace=namespace,
            name=name,
            job=_job.decode(job),
            phase=phase,
            state=state,
            placement=None if placement is None else _placement.decode(placement),
            result=None if result is None else _result.decode(result),
            submitted_at=submitted_at,
            finished_at=finished_at,
            seq=seq,
        )
    except msgspec.MsgspecError as error:
        message = f"job {namespace}/{name} in {where} cannot be read ({error}); restore it from a backup"
        raise StoreError(message, lasting=True) from error


def namespace_of(job: QuantumCircuitJob) -> str:
    """Where a job lives."""
    return job.metadata.namespace or "default"


def next_seq(db: sqlite3.Connection) -> int:
    """The number of the change that this transaction makes."""
    row: tuple[int] = db.execute(
        "UPDATE counters SET value = value + 1 WHERE name = 'seq' RETURNING value"
    ).fetchone()
    return row[0]


def insert(db: sqlite3.Connection, new: NewJob, seq: int) -> bool:
    """Store a new job; False if its uid or its name is taken."""
    spec = new.job.spec
    row: tuple[int] | None = db.execute(
        _INSERT,
        (
            new.uid,
            namespace_of(new.job),
            new.job.metadata.name,
            new.phase,
            spec.priority,
            new.submitted_at,
            spec.ttl_seconds_after_finished,
            seq,
            new.state,
        ),
    ).fetchone()
    if row is None:
        return False
    db.execute("INSERT INTO declarations VALUES (?, ?)", (row[0], _encode(new.job)))
    append_history(db, [(row[0], new.history)])
    return True


def is_stored(db: sqlite3.Connection, new: NewJob) -> bool:
    """Whether this very job is stored already."""
    found = db.execute(
        "SELECT 1 FROM jobs WHERE uid = ? AND namespace = ? AND name = ?",
        (new.uid, namespace_of(new.job), new.job.metadata.name),
    ).fetchone()
    return found is not None


def update_job(db: sqlite3.Connection, update: Update, seq: int) -> int | None:
    """Store all of an update but its history; the job's number, or None if it was removed."""
    row: tuple[int] | None = db.execute(
        _UPDATE,
        (
            update.phase,
            update.reason,
            update.message,
            update.backend,
            update.settled,
            update.finished_at,
            seq,
            update.state,
            update.uid,
        ),
    ).fetchone()
    if row is None:
        return None
    number = row[0]
    if update.placement is not None:
        db.execute("INSERT OR REPLACE INTO placements VALUES (?, ?)", (number, _encode(update.placement)))
    if update.result is not None:
        db.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (number, _encode(update.result)))
    if update.job is not None:
        spec = update.job.spec
        db.execute("INSERT OR REPLACE INTO declarations VALUES (?, ?)", (number, _encode(update.job)))
        db.execute(
            "UPDATE jobs SET priority = ?, ttl_s = ? WHERE number = ?",
            (spec.priority, spec.ttl_seconds_after_finished, number),
        )
    return number


def append_history(db: sqlite3.Connection, history: Iterable[tuple[int, Sequence[HistoryEvent]]]) -> None:
    """Add lines to the histories of jobs, given by number."""
    db.executemany(
        "INSERT INTO history (number, at, type, message) VALUES (?, ?, ?, ?)",
        [(number, event.at, event.type, event.message) for number, events in history for event in events],
    )
