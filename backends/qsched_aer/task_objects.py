"""The objects of a task in a cluster: a Job, and what it owns.

All have the task's remote id as their name. The Job comes first, suspended, so that it can own the others and
garbage collection removes them with it; it is let go when all are there. Its ServiceAccount may patch its own
Secret, which carries the task in and the result out, and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsched.drivers import Task
    from qsched_aer.task_cluster import Kind

TASK_LABEL = "qsched.io/task"
DEVICE_LABEL = "qsched.io/device"
FOR_ANNOTATION = "qsched.io/for"
STOPPED = "qsched.io/stopped"
"""Annotation of a Job that this driver ended: ``Cancelled``, or why the task failed."""

TASK_KEY, RESULT_KEY = "task", "result"
"""Keys of the Secret; writing the result removes the task."""

_PREFIX = "aer-"
_KEPT_S = 600
"""How long a Job stays after it ended: the engine has so long to fetch the result."""

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
LABELS = {"app.kubernetes.io/name": "aer-task", "app.kubernetes.io/managed-by": "qsched"}
"""On every object of every task."""


def remote_id_of(token: str) -> str:
    """The remote id of a token's task: the name of its objects."""
    return _PREFIX + token


def token_of(remote_id: str) -> str | None:
    """The token of a remote id; None for one that this driver never gave."""
    return remote_id.removeprefix(_PREFIX) if remote_id.startswith(_PREFIX) else None


def device_label(device: str) -> str:
    """The value that stands for a device in ``qsched.io/device``: its name, or a hash of a path."""
    if _LABEL_VALUE.fullmatch(device):
        return device
    return hashlib.sha256(device.encode()).hexdigest()[:16]


def job(token: str, task: Task, pod: dict[str, Any]) -> dict[str, Any]:
    """The Job of a task, suspended.

    It never starts a failed pod again, since the engine does that, and counts it against the user's
    ``backoffLimit``; but a pod that was evicted, preempted or drained is replaced and costs no attempt.

    Args:
        token: The task's.
        task: What was submitted.
        pod: The PodTemplateSpec of its pod.
    """
    name = remote_id_of(token)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {**LABELS, TASK_LABEL: token, DEVICE_LABEL: device_label(task.device)},
            "annotations": {FOR_ANNOTATION: task.tags.get("qsched-job", "")},
        },
        "spec": {
            "suspend": True,
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": _KEPT_S,
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            "template": pod,
        },
    }


def owned(name: str, uid: str, namespace: str, data: bytes) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """What a task's Job owns, each with its kind; the last can be made once the others are there.

    Args:
        name: The Job's.
        uid: The Job's.
        namespace: Where all of it is.
        data: The packed task.
    """
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
    metadata = {"name": name, "labels": LABELS, "ownerReferences": [owner]}
    rbac = "rbac.authorization.k8s.io"
    yield (
        "serviceaccounts",
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata,
            "automountServiceAccountToken": False,
        },
    )
    yield (
        "roles",
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["patch"]}
            ],
        },
    )
    yield (
        "secrets",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "qsched.io/task",
            "data": {TASK_KEY: data},
        },
    )
    yield (
        "rolebindings",
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )


def release() -> dict[str, Any]:
    """The change that lets a Job go."""
    return {"spec": {"suspend": False}}


def stop(why: str) -> dict[str, Any]:
    """The change that ends a Job at once, and its pod, and keeps it until its time is over.

    A deleted Job could be made again by a submission that is still on its way; this one stays ended.
    """
    return {
        "metadata": {"annotations": {STOPPED: why}},
        "spec": {"suspend": False, "activeDeadlineSeconds": 0},
    }
