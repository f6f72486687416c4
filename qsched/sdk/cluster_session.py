"""The session of a hybrid program: its circuits run as jobs of their own, on the slot of the pod's job."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.api.base import API_VERSION
from qsched.engine.live import SESSION
from qsched.errors import JobFailed, NotFound, StoreError
from qsched.sdk.cluster_records import new_object, status_of

if TYPE_CHECKING:
    from qsched.api.job import JobStatus, QuantumCircuitJob
    from qsched.sdk.cluster_pod import Surroundings
    from qsched.sdk.cluster_records import JobView
    from qsched.sdk.cluster_store import ClusterStore

_LIVE = frozenset({"Submitting", "Queued", "Running", "Collecting"})
_LONGEST_NAME = 253


class _Own(msgspec.Struct):
    """What a child takes over from its parent's spec."""

    priority: int = 0


class Session:
    """Makes jobs the children of the pod's job."""

    def __init__(self, store: ClusterStore, pod: Surroundings) -> None:
        """Find the pod's job.

        Args:
            store: The cluster's jobs.
            pod: What the pod tells.

        Raises:
            NotFound: If the job was deleted.
            JobFailed: If it has ended.
            StoreError: If the pod's ServiceAccount may not read it.
        """
        self._store = store
        self._pod = pod
        self._parent()

    @property
    def backend(self) -> str:
        """The backend on which the job has its slot now; it may have moved since the pod started.

        Raises:
            StoreError: If it has none at present.
        """
        return self._backend(self._parent()[1])

    def name(self) -> str:
        """A name for a child."""
        tail = secrets.token_hex(3)
        return f"{self._pod.job[: _LONGEST_NAME - len(tail) - 1].rstrip('-.')}-{tail}"

    def adopt(self, jobs: list[QuantumCircuitJob]) -> list[dict[str, Any]]:
        """The bodies of children: owned by the job, on its backend, with its priority unless they have one.

        Raises:
            QschedError: As ``__init__`` and ``backend`` say.
        """
        parent, status = self._parent()
        backend = self._backend(status)
        own = msgspec.json.decode(parent.spec, type=_Own)
        return [self._child(job, parent, backend, own.priority) for job in jobs]

    def _child(self, job: QuantumCircuitJob, parent: JobView, backend: str, priority: int) -> dict[str, Any]:
        body = new_object(job)
        metadata, spec = body["metadata"], body["spec"]
        uid = parent.metadata.uid
        metadata["annotations"] = {**metadata.get("annotations", {}), SESSION: uid}
        metadata["ownerReferences"] = [
            {"apiVersion": API_VERSION, "kind": "QuantumCircuitJob", "name": parent.metadata.name, "uid": uid}
        ]
        requirements = spec.setdefault("requirements", {})
        requirements.setdefault("backends", [backend])
        spec.setdefault("priority", priority)
        return body

    def _parent(self) -> tuple[JobView, JobStatus]:
        pod = self._pod
        view = self._store.find(pod.job, pod.namespace)
        if pod.uid is not None and view.metadata.uid != pod.uid:
            raise NotFound(f"the job {pod.job} of this pod was deleted, and another one has its name")
        status = status_of(view)
        if status.phase in {"Failed", "Cancelled"}:
            why = next((each.message for each in status.conditions if each.type == "Failed"), "")
            raise JobFailed(f"the job {pod.job} of this pod is {status.phase}: {why or 'no reason given'}")
        return view, status

    def _backend(self, status: JobStatus) -> str:
        live = [attempt.backend for attempt in status.attempts if attempt.state in _LIVE]
        placed = [status.placement.backend] if status.placement is not None else []
        told = [self._pod.backend] if self._pod.backend is not None else []
        known = [*live[-1:], *placed, *told]
        if not known:
            raise StoreError(
                f"the job {self._pod.job} of this pod has no backend at present; try again later"
            )
        return known[0]
