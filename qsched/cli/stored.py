"""Jobs as the store has them, read without an engine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from qsched.api.quantities import utc
from qsched.cli import words
from qsched.cli.render_jobs import status_row, summary_row
from qsched.errors import InvalidInput, JobFailed, NotFound
from qsched.lifecycle.codec import decode_state
from qsched.lifecycle.status import status
from qsched.store import SqliteStore, default_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qsched.api.job import Phase, QuantumCircuitJob, Result
    from qsched.cli.render_describe import Event
    from qsched.cli.render_jobs import JobRow
    from qsched.store.protocol import JobRecord, Store

PHASES: tuple[Phase, ...] = (
    "Pending", "Placed", "Submitting", "Queued", "Running", "Collecting", "Suspended",
    "Complete", "Failed", "Cancelled",
)  # fmt: skip
_SEARCHED = 10_000


def store_path(path: Path | None) -> Path:
    """The database that was named, or the user's own."""
    return default_store() if path is None else path


@contextmanager
def reading(path: Path | None) -> Iterator[Store]:
    """The store, open while inside.

    Raises:
        NotFound: If a database was named and is not there; only the user's own is made when missing.
        StoreError: If it cannot be used.
    """
    if path is not None and not path.exists():
        raise NotFound(f"there is no store {path}; 'qsched run --store {path} FILE' makes one")
    store = SqliteStore(store_path(path))
    try:
        yield store
    finally:
        store.close()


def find(store: Store, name: str, namespace: str) -> JobRecord:
    """A job by its name.

    Raises:
        NotFound: If there is none; names the nearest that there are.
    """
    try:
        return store.get(name, namespace)
    except NotFound as error:
        known = [summary.name for summary in store.list(namespace=namespace, limit=_SEARCHED)]
        hint = words.did_you_mean(name, known) or "; 'qsched get' lists those there are"
        raise NotFound(f"there is no job {name!r} in namespace {namespace!r}{hint}") from error


def rows(store: Store, namespace: str | None, *, phases: Sequence[str] = (), limit: int) -> list[JobRow]:
    """The newest jobs of a namespace (of all if None) in some phases (in any if none is named).

    Raises:
        InvalidInput: If there is no such phase.
    """
    by_name = {phase.lower(): phase for phase in PHASES}
    for phase in phases:
        if phase.lower() not in by_name:
            hint = words.did_you_mean(phase.capitalize(), PHASES)
            raise InvalidInput(f"there is no phase {phase!r}{hint or f'; phases are {words.listed(PHASES)}'}")
    wanted = [by_name[phase.lower()] for phase in phases]
    return [summary_row(summary) for summary in store.list(phases=wanted, namespace=namespace, limit=limit)]


def manifest(record: JobRecord) -> QuantumCircuitJob:
    """The job with its status, as a manifest holds it."""
    present = status(decode_state(record.state), record.placement, record.result)
    return msgspec.structs.replace(record.job, status=present)


def manifest_row(job: QuantumCircuitJob) -> JobRow:
    """The row of a job with its status."""
    return status_row(job.metadata.namespace or "default", job.metadata.name, job.status)


def history(store: Store, record: JobRecord) -> list[Event]:
    """What happened to a job, oldest first."""
    return [(utc(event.at), event.type, event.message) for event in store.history(record.uid)]


def whole_result(job: QuantumCircuitJob) -> Result:
    """A job's result with all counts, read from where it is stored if the job holds only a part.

    Raises:
        JobFailed: If the job ended without one.
        NotFound: If the job has not ended.
        ResultError: If the stored result cannot be read.
    """
    name, present = job.metadata.name, job.status
    if present.result is None:
        if present.phase in {"Failed", "Cancelled"}:
            reason = status_row("", name, present).message
            raise JobFailed(f"job {name} is {present.phase}: {reason}; 'qsched describe {name}' tells more")
        raise NotFound(
            f"job {name} has no result yet: it is {present.phase}; 'qsched watch {name}' waits for it"
        )
    if present.result.uri is None or all(circuit.counts is not None for circuit in present.result.circuits):
        return present.result
    from qsched.engine.results import read_result

    return read_result(present.result.uri)
