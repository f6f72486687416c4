"""Pods as they are seen: whose they are, how far they came, and what became of them, in words."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from qsched.api.base import API_VERSION
from qsched.kube.objects import FullMetadata  # noqa: TC001 - msgspec reads it
from qsched.kube.pods_template import BACKEND, GATE, INDEX, JOB, JOB_UID, QPU, ROUND

_DISRUPTIONS = {
    "PreemptionByScheduler": "was preempted",
    "EvictionByEvictionAPI": "was evicted",
    "DeletionByTaintManager": "was evicted from its node",
    "DeletionByPodGC": "was lost with its node",
    "TerminationByKubelet": "was ended by its node",
}
"""The reasons of the condition ``DisruptionTarget``."""


class _Gate(msgspec.Struct, frozen=True, gc=False):
    name: str


class _Resources(msgspec.Struct, frozen=True):
    limits: dict[str, Any] | None = None


class _Container(msgspec.Struct, frozen=True):
    resources: _Resources | None = None


class _PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    containers: list[_Container] = []
    scheduling_gates: list[_Gate] | None = None


_REFUSALS = ("OutOf", "NodeAffinity", "UnexpectedAdmissionError")
"""How a kubelet's reasons begin for a pod that it does not take."""


class _Terminated(msgspec.Struct, frozen=True, rename="camel", gc=False):
    exit_code: int = 0
    reason: str | None = None
    message: str | None = None


class _ContainerState(msgspec.Struct, frozen=True):
    terminated: _Terminated | None = None


class _ContainerStatus(msgspec.Struct, frozen=True):
    name: str
    state: _ContainerState | None = None


class _Condition(msgspec.Struct, frozen=True, gc=False):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class _PodStatus(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = "Pending"
    reason: str | None = None
    message: str | None = None
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None


class PodObject(msgspec.Struct, frozen=True):
    """A pod, in the fields that matter here."""

    metadata: FullMetadata
    spec: _PodSpec
    status: _PodStatus = _PodStatus()

    @property
    def job_uid(self) -> str | None:
        """The uid of the job that owns it; None for a pod that no job of ours made."""
        uid = (self.metadata.labels or {}).get(JOB_UID)
        return uid if uid is not None and any(each.get("uid") == uid for each in self._owners) else None

    @property
    def job_name(self) -> str | None:
        """The name of the job that owns it."""
        return next((each.get("name") for each in self._owners), None)

    @property
    def annotated(self) -> str | None:
        """The name of the job that its annotation names."""
        return (self.metadata.annotations or {}).get(JOB) or None

    @property
    def backend(self) -> str | None:
        """The backend that was written on it when its gate was lifted."""
        return (self.metadata.annotations or {}).get(BACKEND)

    @property
    def number(self) -> int:
        """Its round; 0, which no round has, if its label says none."""
        return _whole((self.metadata.labels or {}).get(ROUND))

    @property
    def index(self) -> int:
        """Which pod of its round it is."""
        return _whole((self.metadata.labels or {}).get(INDEX))

    @property
    def gated(self) -> bool:
        """Whether it waits for a slot."""
        return any(gate.name == GATE for gate in self.spec.scheduling_gates or ())

    @property
    def going(self) -> bool:
        """Whether it was deleted, and is there until its containers have ended."""
        return self.metadata.deletion_timestamp is not None

    @property
    def ended(self) -> bool:
        """Whether all its containers have ended for good."""
        return self.status.phase in {"Succeeded", "Failed"}

    @property
    def turned_away(self) -> bool:
        """Whether its node refused it before a container began: two schedulers gave the same room away."""
        status = self.status
        refused = status.phase == "Failed" and (status.reason or "").startswith(_REFUSALS)
        return refused and not (status.container_statuses or status.init_container_statuses)

    @property
    def asks_for_qpu(self) -> bool:
        """Whether it asks for ``qsched.io/qpu``."""
        return any(
            QPU in (each.resources.limits or ())
            for each in self.spec.containers
            if each.resources is not None
        )

    @property
    def _owners(self) -> list[dict[str, Any]]:
        return [
            each
            for each in self.metadata.owner_references or ()
            if each.get("controller") is True
            and each.get("kind") == "QuantumCircuitJob"
            and str(each.get("apiVersion", "")).startswith(API_VERSION.partition("/")[0] + "/")
        ]


class Outcome(NamedTuple):
    """What became of a pod.

    Attributes:
        succeeded: Whether it did its work.
        message: In words.
    """

    succeeded: bool
    message: str


def outcome(pod: PodObject) -> Outcome | None:
    """What became of a pod; None while it waits or runs.

    A pod that is being deleted counts as failed at once: its node may be out of reach, and then it would seem
    to run for ever.
    """
    if pod.status.phase == "Succeeded":
        return Outcome(succeeded=True, message=f"the pod {pod.metadata.name} has succeeded")
    if pod.turned_away:
        return None  # it did nothing, and another is made
    if pod.status.phase == "Failed" or pod.going:
        return Outcome(succeeded=False, message=f"the pod {pod.metadata.name} {_failure(pod)}")
    return None


def vanished(name: str, last: PodObject | None) -> Outcome:
    """What became of a pod that is gone.

    Args:
        name: The pod.
        last: Its last state, if somebody watched.
    """
    if last is None:
        return Outcome(succeeded=False, message=f"the pod {name} was deleted")
    return outcome(last) or Outcome(succeeded=False, message=f"the pod {name} {_failure(last)}")


def _failure(pod: PodObject) -> str:
    """What went wrong with a pod that has failed, is being deleted, or is gone."""
    status = pod.status
    for condition in status.conditions or ():
        if condition.type == "DisruptionTarget" and condition.status == "True":
            said = _DISRUPTIONS.get(condition.reason or "", f"was disrupted ({condition.reason})")
            said += f" ({status.reason})" if status.reason else ""
            return _with(said, condition.message or status.message)
    if status.reason:
        return _with(f"has failed: {status.reason}", status.message)
    for container in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
        ended = container.state.terminated if container.state is not None else None
        if ended is not None and ended.exit_code != 0:
            why = "" if ended.reason in {None, "Error"} else f" ({ended.reason})"
            said = f"has failed: container {container.name} ended with exit code {ended.exit_code}{why}"
            return _with(said, ended.message)
    return _with("has failed", status.message) if pod.ended else "was deleted"


def _with(said: str, more: str | None) -> str:
    """Some words, and the last line of what a program or component says besides."""
    lines = [line.strip() for line in (more or "").splitlines() if line.strip()]
    return f"{said}: {lines[-1]}" if lines else said


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
