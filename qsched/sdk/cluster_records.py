"""Job objects of a cluster as the records that ``Job`` reads.

What a user may know of a job is in its public status; the controller's own notes are left alone, so that a
program in a pod need not be of the controller's version.
"""

from __future__ import annotations

from typing import Any

import msgspec

from qsched.api.base import ObjectMeta
from qsched.api.job import JobSpec, JobStatus, QuantumCircuitJob
from qsched.api.manifest import to_plain
from qsched.errors import StoreError
from qsched.kube.objects import FullMetadata  # noqa: TC001 - msgspec reads it
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.types import Attempt, State, policy_of
from qsched.store.protocol import HistoryEvent, JobRecord

_CONDITIONS = {"Complete": "Complete", "Failed": "Failed", "Cancelled": "Failed", "Suspended": "Suspended"}
"""The condition that says why a job is in a phase; for the others it is ``Scheduled``."""

_DECLARED = frozenset({"name", "namespace", "labels", "annotations"})
"""The metadata that a user declares."""


class JobView(msgspec.Struct, frozen=True):
    """A job object; spec and status are decoded when somebody asks for them."""

    metadata: FullMetadata
    spec: msgspec.Raw
    status: msgspec.Raw = msgspec.Raw(b"{}")


views = msgspec.json.Decoder(JobView)
_specs = msgspec.json.Decoder(JobSpec)
_statuses = msgspec.json.Decoder(JobStatus)


def new_object(job: QuantumCircuitJob) -> dict[str, Any]:
    """A job as it is sent to be created: without what another server said of it, should it come from one."""
    body = to_plain(job)
    body.pop("status", None)
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key in _DECLARED}
    return body


def status_of(view: JobView) -> JobStatus:
    """A job's status.

    Raises:
        StoreError: If it is that of another version of qsched.
    """
    try:
        return _statuses.decode(view.status)
    except msgspec.ValidationError as error:
        raise _other_version(view, error) from error


def record_of(view: JobView) -> JobRecord:
    """The record of a job.

    Raises:
        StoreError: If it was written by another version of qsched.
    """
    try:
        spec = _specs.decode(view.spec)
    except msgspec.ValidationError as error:
        raise _other_version(view, error) from error
    status = status_of(view)
    meta = view.metadata
    job = QuantumCircuitJob(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            labels=meta.labels or {},
            annotations=meta.annotations or {},
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=spec,
    )
    state = _state(view, spec, status)
    return JobRecord(
        number=0,
        uid=state.uid,
        namespace=meta.namespace or "default",
        name=meta.name,
        job=job,
        phase=state.phase,
        state=encode_state(state),
        placement=status.placement,
        result=status.result,
        submitted_at=state.created_at,
        finished_at=state.finished_at,
        seq=0,
    )


def history_of(view: JobView) -> list[HistoryEvent]:
    """What a job's conditions tell of its history, oldest first; the rest is in the cluster's Events."""
    lines = [
        HistoryEvent(each.last_transition_time.timestamp(), each.reason, each.message)
        for each in status_of(view).conditions
    ]
    return sorted(lines, key=lambda line: line.at)


def _state(view: JobView, spec: JobSpec, status: JobStatus) -> State:
    created = view.metadata.creation_timestamp
    created_at = 0.0 if created is None else created.timestamp()
    conditions = {each.type: each for each in status.conditions}
    accepted = conditions.get("Accepted")
    why = conditions.get(_CONDITIONS.get(status.phase, "Scheduled")) or accepted
    placement, result = status.placement, status.result
    attempts = tuple(
        Attempt(
            number=each.number,
            token=each.token,
            backend=each.backend,
            state=each.state,
            dispatched_at=created_at,
            remote_id=each.remote_id,
            started_at=None if each.started_at is None else each.started_at.timestamp(),
            finished_at=None if each.finished_at is None else each.finished_at.timestamp(),
            reason=each.reason,
        )
        for each in status.attempts
    )
    return State(
        uid=view.metadata.uid or "",
        policy=policy_of(spec),
        created_at=created_at,
        since=created_at if why is None else why.last_transition_time.timestamp(),
        phase=status.phase,
        reason="Submitted" if why is None else why.reason,
        message="waits for the controller" if why is None else why.message,
        active_since=created_at if accepted is not None and accepted.status == "True" else None,
        backend=None if placement is None else placement.backend,
        intended_backend=None if result is None else result.intended_backend,
        attempts=attempts,
        started_at=None if status.started_at is None else status.started_at.timestamp(),
        finished_at=None if status.finished_at is None else status.finished_at.timestamp(),
    )


def _other_version(view: JobView, error: Exception) -> StoreError:
    return StoreError(
        f"the job {view.metadata.name} was written by another version of qsched ({error}); use the "
        "controller's version here too",
        lasting=True,
    )
