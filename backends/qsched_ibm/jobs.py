"""The driver's calls about jobs. They block, and run in the driver's threads.

``POST /jobs`` knows no idempotency key. What keeps one token from making two jobs is: the tag is looked up
before every submission, the client sends it once, and one whose answer was lost is in doubt, neither
repeated nor called missing, until the list of jobs, which may be a little behind, must know of it.
"""

from __future__ import annotations

import math
import re
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from qiskit_ibm_runtime.api.exceptions import RequestsApiError

from qsched.drivers import NotFound, RemoteTask, TaskResult, TaskStatus, Unavailable
from qsched_ibm.errors import never_arrived, timed_out
from qsched_ibm.results import has_notes, job_state, job_status, last_words, task_result
from qsched_ibm.sessions import Sessions
from qsched_ibm.submission import MARK, prepare, token_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from qsched.drivers import Task
    from qsched_ibm.link import Link
    from qsched_ibm.parameters import Mode

T = TypeVar("T")

LISTED_S = 2.0
"""Seconds after which a job that was made is in the list of jobs. IBM states no such time; this allows for a
list that is read from a copy of the database."""

LATE_S = 15.0
"""Likewise after a submission that was not answered in time: the service may still be at it."""

_KEPT = 10_000
"""What is remembered of jobs to save requests."""

_PAGE = 200
"""The most jobs that one answer lists."""


class Jobs:
    """The jobs of one account."""

    def __init__(self, link: Link, mode: Mode, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask for nothing yet.

        Args:
            link: To the service.
            mode: How jobs are submitted.
            clock: Seconds.
        """
        self._link = link
        self._sessions = Sessions(link, mode)
        self._clock = clock
        self._keeping = threading.Lock()
        self._ids: dict[str, str] = {}
        self._doubted_until_s: dict[str, float] = {}
        self._succeeded: dict[str, None] = {}

    def submit(self, task: Task, token: str, may_still: Callable[[], bool]) -> RemoteTask:
        """Have a task's job made; the caller knows that there is none.

        Args:
            task: What to run.
            token: The task's.
            may_still: Asked just before the job is made; whether somebody still wants it.

        Raises:
            Rejected: If the sampler does not take the task.
            Unavailable: If nobody wants it any more.
        """
        request = prepare(task, self._link.device(task.device), token)
        request["session_id"] = self._sessions.of(task.device)
        if not may_still():
            raise Unavailable("the submission was given up before it was sent")
        try:
            job_id = _id(self._link.client().program_run(**request))
        except Exception as error:
            if not never_arrived(error):
                wait_s = LATE_S if timed_out(error) else LISTED_S
                self._keep(self._doubted_until_s, token, self._clock() + wait_s)
            raise
        self._keep(self._ids, token, job_id)
        return RemoteTask(remote_id=job_id)

    def find(self, token: str) -> RemoteTask | None:
        """The job that carries a token's tag, the first one if there are several."""
        jobs = self._link.client().jobs_get(job_tags=[token_tag(token)], limit=1, descending=False)["jobs"]
        if jobs:
            job_id = _id(jobs[0])
            self._keep(self._ids, token, job_id)
            return RemoteTask(remote_id=job_id, state=job_state(jobs[0]))
        known = self._ids.get(token)
        return None if known is None else RemoteTask(remote_id=known)

    def in_doubt_s(self, token: str) -> float:
        """For how many seconds there may be a job that is not listed; not above 0 when there is none."""
        return self._doubted_until_s.get(token, -math.inf) - self._clock()

    def newest(self, wanted: Collection[str]) -> list[TaskStatus]:
        """The status of those jobs that are among the newest of qsched's: one request for many."""
        limit = min(_PAGE, 4 * len(wanted))
        jobs = self._link.client().jobs_get(job_tags=[MARK], limit=limit)["jobs"]
        return [self._told(job) for job in jobs if job["id"] in wanted]

    def status(self, job_id: str) -> TaskStatus | None:
        """A job's status; None if there is no such job."""
        job = self._get(job_id)
        return None if job is None else self._told(job)

    def result(self, job_id: str) -> TaskResult:
        """What came out of a job.

        Raises:
            NotFound: If there is no such job, or it has not succeeded.
            Unavailable: If the result is not there yet, or cannot be read.
        """
        if job_id not in self._succeeded:
            status = self.status(job_id)
            if status is None:
                raise NotFound(f"IBM Quantum knows no job {job_id!r}")
            if status.state != "Succeeded":
                raise NotFound(f"IBM job {job_id} has no result: it is {status.state}")
        client = self._link.client()
        output = self._output(job_id)
        circuits: list[Any] = []
        if output and not has_notes(output):
            circuits = [pub[0] for pub in client.job_get(job_id, exclude_params=False)["params"]["pubs"]]
        return task_result(job_id, output, client.job_metadata(job_id), circuits)

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that has ended or is unknown stays as it is."""
        try:
            self._link.client().job_cancel(job_id)
        except RequestsApiError as error:
            if error.status_code not in {404, 409}:
                raise

    def close(self) -> None:
        """Close the sessions."""
        self._sessions.close()

    def _keep(self, memory: dict[str, T], key: str, value: T) -> None:
        """Remember something, and forget what is oldest; IBM's list of jobs is what holds."""
        with self._keeping:
            memory[key] = value
            while len(memory) > _KEPT:
                del memory[next(iter(memory))]

    def _get(self, job_id: str) -> Mapping[str, Any] | None:
        try:
            job: Mapping[str, Any] = self._link.client().job_get(job_id)
        except RequestsApiError as error:
            if error.status_code == 404:
                return None
            raise
        _id(job)  # or it is no job, and not one that does not exist
        return job

    def _told(self, job: Mapping[str, Any]) -> TaskStatus:
        status = job_status(job)
        if status.state == "Succeeded":
            self._keep(self._succeeded, status.remote_id, None)
        if status.state != "Failed" or status.message:
            return status
        return TaskStatus(
            remote_id=status.remote_id, state="Failed", message=last_words(self._output(job["id"]))
        )

    def _output(self, job_id: str) -> str:
        try:
            return str(self._link.client().job_results(job_id))
        except RequestsApiError as error:
            if error.status_code == 404:
                return ""
            raise


def _id(job: Mapping[str, Any]) -> str:
    """A job's id; raises ``ValueError`` for what cannot be asked for again."""
    job_id = job["id"]
    if not isinstance(job_id, str) or not re.fullmatch("[A-Za-z0-9_-]{1,80}", job_id):
        raise ValueError(f"a job's id is {job_id!r}")
    return job_id
