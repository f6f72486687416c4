"""Pods that users bring: annotated with ``qsched.io/job``, and made by somebody else.

Such a pod starts with its job's slot as one of a template does: its gate ``qsched.io/quantum``, if it has
one, is lifted, and the backend is written on it. What becomes of it does not decide the job's end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from qsched.api.base import Name
from qsched.kube.errors import Absent
from qsched.kube.events import Subject
from qsched.kube.objects import JobObject, job_path
from qsched.kube.pods_patch import lift_gate
from qsched.kube.pods_template import GATE, QPU
from qsched.kube.queue import WorkQueue
from qsched.kube.reflector import Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.api.job import QuantumCircuitJob
    from qsched.kube.api import Api
    from qsched.kube.changes import Change
    from qsched.kube.events import Recorder
    from qsched.kube.pods_seen import PodObject

WORKERS = 4
AGAIN_S = 2.0

_OPEN = frozenset({"Submitting", "Queued", "Running", "Collecting", "Complete"})
"""Phases of a job in which its pods may run."""

_OVER = frozenset({"Failed", "Cancelled"})

_jobs = msgspec.json.Decoder(JobObject)


class _Placement(msgspec.Struct):
    backend: str | None = None


@dataclass(slots=True)
class _Brought:
    """A pod that names a job.

    Attributes:
        seen: Its newest state.
        job: The key of the job.
        early: The backend whose slot is about to open for the job, if one is.
    """

    seen: PodObject
    job: str
    early: str | None = None


@dataclass(slots=True)
class _Claims:
    """Which pods wait for which job, by their keys."""

    pods: dict[str, _Brought] = field(default_factory=dict)
    by_job: dict[str, set[str]] = field(default_factory=dict)

    def add(self, key: str, pod: _Brought) -> None:
        self.pods[key] = pod
        self.by_job.setdefault(pod.job, set()).add(key)

    def remove(self, key: str) -> None:
        pod = self.pods.pop(key, None)
        if pod is not None:
            waiting = self.by_job[pod.job]
            waiting.discard(key)
            if not waiting:
                del self.by_job[pod.job]


class BroughtPods:
    """Opens the gates of pods that users bring, and tells them what is wrong."""

    def __init__(self, api: Api, recorder: Recorder, *, may_write: Callable[[], bool]) -> None:
        """Do nothing yet; ``run`` does.

        Args:
            api: The server.
            recorder: Takes Events.
            may_write: Whether this process is the leader, beyond doubt.
        """
        self._api = api
        self._recorder = recorder
        self._may_write = may_write
        self._queue: WorkQueue[str] = WorkQueue()
        self._claims = _Claims()
        self._told: dict[str, set[tuple[str, str]]] = {}  # what was said of a pod, by its key

    async def run(self) -> None:
        """Open gates until cancelled."""
        await self._queue.run(WORKERS, self._look_after)

    def claims(self, job: QuantumCircuitJob) -> bool:
        """Whether a pod waits for this job's slot."""
        return bool(self._claims.by_job) and _key(job) in self._claims.by_job

    def open(self, job: QuantumCircuitJob, backend: str) -> None:
        """Let the pods start that wait for a job: its slot opens soon."""
        for key in self._claims.by_job.get(_key(job), ()):
            pod = self._claims.pods[key]
            if pod.early != backend:
                pod.early = backend
                self._queue.add(key)

    def seen(self, key: str, pod: PodObject) -> None:
        """Take in a pod that no job of ours made."""
        if pod.annotated is None:
            self._claims.remove(key)
            if pod.asks_for_qpu and not pod.ended:
                self.warn(
                    pod,
                    "NoJob",
                    f"it asks for {QPU} and names no job, so that nothing can be reserved for it: annotate "
                    "it with qsched.io/job: <a QuantumCircuitJob of its namespace>",
                )
            return
        before = self._claims.pods.get(key)
        self._claims.remove(key)
        if pod.ended or pod.going or (pod.backend is not None and not pod.gated):
            return
        if not _is_name(pod.annotated):
            self.warn(
                pod,
                "NoSuchJob",
                "its annotation qsched.io/job is no name of a QuantumCircuitJob: write the name alone, "
                "of a job in the pod's own namespace",
            )
            return
        job = f"{pod.metadata.namespace}/{pod.annotated}"
        early = before.early if before is not None and before.job == job else None
        self._claims.add(key, _Brought(pod, job, early))
        self._queue.add(key)

    def gone(self, key: str) -> None:
        """Forget a pod."""
        self._claims.remove(key)
        self._told.pop(key, None)

    def job_changed(self, change: Change[JobObject]) -> None:
        """Look again at the pods that wait for a job."""
        if isinstance(change, Seen):
            for key in self._claims.by_job.get(change.key, ()):
                self._queue.add(key)

    def warn(self, pod: PodObject, reason: str, message: str) -> None:
        """Say something of a pod, once."""
        metadata = pod.metadata
        told = self._told.setdefault(f"{metadata.namespace}/{metadata.name}", set())
        if (metadata.uid or "", reason) in told:
            return
        told.add((metadata.uid or "", reason))
        subject = Subject("v1", "Pod", metadata.namespace, metadata.name, metadata.uid or "")
        self._recorder.record(subject, reason, message)

    async def _look_after(self, key: str) -> None:
        pod = self._claims.pods.get(key)
        if pod is None:
            return
        if not self._may_write():
            self._queue.add_after(key, AGAIN_S)
            return
        backend = pod.early or await self._backend(pod)
        if backend is not None:
            await lift_gate(self._api, pod.seen, backend)

    async def _backend(self, pod: _Brought) -> str | None:
        """The backend of a pod's job once the job has a slot; None before."""
        namespace, _, name = pod.job.partition("/")
        try:
            job = _jobs.decode(await self._api.get(job_path(namespace, name)))
        except Absent:
            message = f"it waits for the QuantumCircuitJob {name}, which is not there yet in {namespace}"
            self.warn(pod.seen, "NoSuchJob", message)
            return None
        if job.status.phase in _OVER:
            message = (
                f"its job {name} has ended without a result, so that the gate {GATE} stays; delete the pod, "
                "or annotate it with another job"
            )
            self.warn(pod.seen, "JobFailed", message)
        if job.status.phase not in _OPEN or not bytes(job.status.placement):
            return None
        return msgspec.json.decode(job.status.placement, type=_Placement).backend


def _key(job: QuantumCircuitJob) -> str:
    return f"{job.metadata.namespace}/{job.metadata.name}"


def _is_name(text: str) -> bool:
    """Whether a job may have this name."""
    try:
        msgspec.convert(text, Name)
    except msgspec.ValidationError:
        return False
    return True
