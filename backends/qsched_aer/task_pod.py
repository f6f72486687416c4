"""The pod of a task in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.errors import InvalidInput, Problem
from qsched_aer.pod_template import CONTAINER, overlay
from qsched_aer.task_objects import LABELS, TASK_KEY, TASK_LABEL, remote_id_of

if TYPE_CHECKING:
    from qsched_aer.parameters import AerParameters

TASK_FOLDER = "/var/run/qsched/task"
API_FOLDER = "/var/run/qsched/api"

_TOKEN_S = 600
"""The least that Kubernetes issues; the kubelet renews it while the pod runs."""


def task_pod(token: str, memory_mb: int, parameters: AerParameters, image: str) -> dict[str, Any]:
    """The PodTemplateSpec of a task.

    It keeps to the Pod Security level ``restricted``, as long as the backend's ``podTemplate`` does.

    Args:
        token: The task's.
        memory_mb: Mebibytes that it may come to use.
        parameters: The backend's.
        image: Where the parameters name none.

    Raises:
        InvalidInput: If ``podTemplate`` cannot be laid over it, or nothing names an image.
    """
    it, name = parameters.cluster, remote_id_of(token)
    threads = str(parameters.pod_threads())
    memory = f"{memory_mb}Mi"
    pod: dict[str, Any] = {
        "metadata": {"labels": {**LABELS, TASK_LABEL: token}},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # A simulation holds the interpreter's lock and hears no signal.
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": CONTAINER,
                    "image": it.image or image,
                    "command": ["python", "-m", "qsched_aer.task"],
                    "args": [name],
                    "env": [
                        {"name": "HOME", "value": "/tmp"},  # noqa: S108 - the pod's own
                        # Aer's own threads are set by an option; this keeps others from starting theirs.
                        {"name": "OMP_NUM_THREADS", "value": threads},
                        {"name": "OPENBLAS_NUM_THREADS", "value": threads},
                    ],
                    "resources": {
                        "requests": {"cpu": f"{round(it.cpu * 1000)}m", "memory": memory},
                        # Processors are shared when idle; memory that is not there ends some other pod.
                        "limits": {"memory": memory},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "volumeMounts": [
                        {"name": "task", "mountPath": TASK_FOLDER, "readOnly": True},
                        {"name": "api", "mountPath": API_FOLDER, "readOnly": True},
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - likewise
                    ],
                }
            ],
            "volumes": [
                {
                    "name": "task",
                    # Optional, because the pod that stands in for an evicted one may find the result written.
                    "secret": {"secretName": name, "optional": True, "items": _items(TASK_KEY)},
                },
                {"name": "api", "projected": {"sources": _api()}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            ],
        },
    }
    if it.active_deadline_s is not None:
        # The pod's, not the Job's: what it waits for a node does not count.
        pod["spec"]["activeDeadlineSeconds"] = it.active_deadline_s
    pod = overlay(pod, it.pod_template)
    if not all(container.get("image") for container in pod["spec"]["containers"]):
        problem = "names no image for the pods of tasks, and the controller was given none"
        raise InvalidInput(Problem("spec.parameters.cluster.image", problem))
    return pod


def _items(key: str) -> list[dict[str, str]]:
    return [{"key": key, "path": key}]


def _api() -> list[dict[str, Any]]:
    """What the pod needs to reach the API server: what Kubernetes mounts too, with a token of short life."""
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_S}},
        {"configMap": {"name": "kube-root-ca.crt", "items": _items("ca.crt")}},
        {"downwardAPI": {"items": [namespace]}},
    ]
