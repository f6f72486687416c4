"""The pods of a hybrid job, made from its ``classical.template``.

What the user declared stays as it is; added is what the pod needs to be found, to wait for its QPU slot, to
be scheduled near its backend, and to let ``Client.from_environment()`` find its job.
"""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.api.base import API_VERSION
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsched.api.job import QuantumCircuitJob

GATE = "qsched.io/quantum"
"""The scheduling gate that waits for the job's slot."""

SCHEDULER = "qsched-scheduler"
QPU = "qsched.io/qpu"
"""The extended resource that brings a pod to the scheduler extender."""

JOB = "qsched.io/job"
"""The annotation that names a pod's job."""

BACKEND = "qsched.io/backend"
"""The annotation that names the backend of a pod's job, once the gate is lifted."""

JOB_UID = "qsched.io/job-uid"
JOB_NAME = "qsched.io/job-name"
ROUND = "qsched.io/round"
INDEX = "qsched.io/index"

FOLDER = "/var/run/secrets/qsched.io"
"""Where the containers find ``token``, ``ca.crt`` and ``namespace``."""

VOLUME = "qsched-token"
TOKEN_S = 3600

_MAX_NAME = 63
_WHERE = "spec.classical.template"


class _Named(msgspec.Struct):
    name: str


class _Mount(msgspec.Struct, rename="camel"):
    mount_path: str


class _Resources(msgspec.Struct):
    requests: dict[str, Any] | None = None
    limits: dict[str, Any] | None = None


class _Container(msgspec.Struct, rename="camel"):
    env: list[_Named] | None = None
    volume_mounts: list[_Mount] | None = None
    resources: _Resources | None = None


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container]
    init_containers: list[_Container] | None = None
    restart_policy: str | None = None
    scheduling_gates: list[_Named] | None = None
    volumes: list[_Named] | None = None


class _Metadata(msgspec.Struct):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Template(msgspec.Struct):
    """The parts of a PodTemplateSpec that are added to; the API server checks all the rest."""

    spec: _Spec
    metadata: _Metadata | None = None


def pod_names(job: QuantumCircuitJob, number: int) -> list[str]:
    """The names of a round's pods, by index.

    They follow from the job's uid, so that a second try finds the first one's pods, and a job that was
    deleted and made again does not meet those of the old one.
    """
    return [_pod_name(job, number, index) for index in range(completions(job))]


def completions(job: QuantumCircuitJob) -> int:
    """How many pods a round of a hybrid job has."""
    assert job.spec.classical is not None
    return job.spec.classical.completions


def make_pod(job: QuantumCircuitJob, number: int, index: int) -> dict[str, Any]:
    """A pod of a hybrid job, gated.

    Args:
        job: The job.
        number: The round.
        index: Which pod of the round, from 0.

    Raises:
        InvalidInput: If the template is none.
    """
    assert job.spec.classical is not None
    template = job.spec.classical.template
    declared = _checked(template)
    spec: dict[str, Any] = copy.deepcopy(template["spec"])
    given = declared.metadata or _Metadata()
    meta = job.metadata
    _add_gate(spec, declared.spec)
    spec.setdefault("schedulerName", SCHEDULER)
    # Nodes that are dedicated to a backend: the extender sees to it that only its own pods come there.
    spec["tolerations"] = [*(spec.get("tolerations") or ()), {"key": BACKEND, "operator": "Exists"}]
    if not spec.get("serviceAccount"):  # the old name of the same field
        spec.setdefault("serviceAccountName", "default")
    spec["restartPolicy"] = declared.spec.restart_policy or "Never"
    if not any(_asks_for_qpu(each) for each in declared.spec.containers):
        _add_qpu(spec["containers"][0])
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        _add_surroundings(container, _environment(job, index))
    if VOLUME not in {each.name for each in declared.spec.volumes or ()}:
        spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": _pod_name(job, number, index),
            "namespace": meta.namespace,
            "labels": {
                **(given.labels or {}),
                JOB_UID: meta.uid,
                JOB_NAME: _shortened(meta.name, meta.name),
                ROUND: str(number),
                INDEX: str(index),
            },
            "annotations": {**(given.annotations or {}), JOB: meta.name},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "QuantumCircuitJob",
                    "name": meta.name,
                    "uid": meta.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }


def _checked(template: dict[str, Any]) -> _Template:
    try:
        declared = msgspec.convert(template, _Template)
    except msgspec.ValidationError as error:
        raise InvalidInput(Problem(_WHERE, f"is not a pod template: {error}")) from error
    if not declared.spec.containers:
        raise InvalidInput(Problem(f"{_WHERE}.spec.containers", "names no container"))
    if declared.spec.restart_policy == "Always":
        raise InvalidInput(
            Problem(
                f"{_WHERE}.spec.restartPolicy", "is Always, with which no pod ends; use Never or OnFailure"
            )
        )
    return declared


def _pod_name(job: QuantumCircuitJob, number: int, index: int) -> str:
    suffix = f"{number}-{index}" if completions(job) > 1 else f"{number}"
    return _shortened(f"{job.metadata.name}-{suffix}", f"{job.metadata.uid}/{suffix}", always=True)


def _shortened(name: str, identity: str, *, always: bool = False) -> str:
    """A name that a label may hold and a pod have as its host name; with a hash if it was cut, or always."""
    if len(name) <= _MAX_NAME and not always:
        return name
    tail = hashlib.sha256(identity.encode()).hexdigest()[:6]
    return f"{name[: _MAX_NAME - len(tail) - 1].rstrip('-.')}-{tail}"


def _add_gate(spec: dict[str, Any], declared: _Spec) -> None:
    if GATE not in {each.name for each in declared.scheduling_gates or ()}:
        spec["schedulingGates"] = [*(spec.get("schedulingGates") or ()), {"name": GATE}]


def _asks_for_qpu(container: _Container) -> bool:
    resources = container.resources or _Resources()
    return QPU in {*(resources.requests or ()), *(resources.limits or ())}


def _add_qpu(container: dict[str, Any]) -> None:
    """One for the pod as a whole; of an extended resource the request must be the limit."""
    resources = container.get("resources") or {}
    for kind in ("requests", "limits"):
        resources[kind] = {**(resources.get(kind) or {}), QPU: "1"}
    container["resources"] = resources


def _environment(job: QuantumCircuitJob, index: int) -> Iterator[dict[str, Any]]:
    """What the SDK reads in the pod, and what programs of indexed sets are used to."""
    fixed = {
        "QSCHED_JOB": job.metadata.name,
        "QSCHED_NAMESPACE": job.metadata.namespace,
        "QSCHED_JOB_UID": job.metadata.uid,
    }
    if completions(job) > 1:
        fixed |= {"QSCHED_INDEX": str(index), "JOB_COMPLETION_INDEX": str(index)}
    yield from ({"name": name, "value": value} for name, value in fixed.items())
    path = f"metadata.annotations['{BACKEND}']"
    yield {"name": "QSCHED_BACKEND", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _add_surroundings(container: dict[str, Any], environment: Iterator[dict[str, Any]]) -> None:
    """Environment and token, unless the user has put something in their place."""
    env = container.get("env") or []
    taken = {each["name"] for each in env}
    # In front, so that the user's own variables may refer to them.
    container["env"] = [*(each for each in environment if each["name"] not in taken), *env]
    mounts = container.get("volumeMounts") or []
    if FOLDER not in {each["mountPath"].rstrip("/") for each in mounts}:
        mount = {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}
        container["volumeMounts"] = [*mounts, mount]


def _token_volume() -> dict[str, Any]:
    """A token of the pod's own ServiceAccount for the API server, which the kubelet keeps fresh."""
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_S}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    return {"name": VOLUME, "projected": {"sources": sources}}
