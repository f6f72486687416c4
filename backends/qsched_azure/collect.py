"""What became of a task, from its jobs and what they stored."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from qsched.drivers import NotFound, TaskResult, Unavailable
from qsched_azure.errors import translate
from qsched_azure.jobs import Note, total
from qsched_azure.results import counts
from qsched_azure.targets import is_simulator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsched_azure.jobs import Job
    from qsched_azure.service import Service


def note_of(job: Job) -> Note:
    """What was kept with a job.

    Raises:
        NotFound: If the job is not of this driver.
    """
    try:
        return Note.read(job.metadata)
    except ValueError as error:
        raise NotFound(f"job {job.id} has no result for qsched: {error}") from error


def fetch(service: Service, job: Job, note: Note) -> dict[str, int]:
    """The counts of a job that succeeded.

    Raises:
        Unavailable: If its result is not there yet, or cannot be read.
        Exception: Whatever the client raises.
    """
    try:
        data = service.download(job.output_uri)
    except Exception as error:
        if isinstance(translate(error), NotFound):
            raise Unavailable(f"the result of job {job.id} is not there yet; ask again later") from error
        raise
    drawn = uuid.UUID(job.id).int if note.seed is None else note.seed
    try:
        return counts(data, job.output_format, note, seed=drawn if is_simulator(job.target) else None)
    except ValueError as error:
        raise Unavailable(f"the result of job {job.id} cannot be read: {error}") from error


def task_result(
    remote_id: str, jobs: Sequence[Job], notes: Sequence[Note], counted: Sequence[Mapping[str, int]]
) -> TaskResult:
    """The result of a task.

    Args:
        remote_id: The task's.
        jobs: Its jobs, which succeeded.
        notes: What was kept with each.
        counted: The counts of each.
    """
    times = [(job.began, job.ended) for job in jobs]
    known = [(began, ended) for began, ended in times if began is not None and ended is not None]
    timed = len(known) == len(jobs)
    return TaskResult(
        remote_id=remote_id,
        counts=tuple(counted),
        shots=tuple(sum(each.values()) for each in counted),
        transpiled_hashes=tuple(note.transpiled_hash for note in notes),
        run_s=sum(max(0.0, (ended - began).total_seconds()) for began, ended in known) if timed else None,
        cost=total([job.cost for job in jobs]),
        started_at=min(began for began, _ in known) if timed else None,
        finished_at=max(ended for _, ended in known) if timed else None,
    )
