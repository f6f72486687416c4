"""The cluster's objects, each with the few fields that decide anything here."""

from __future__ import annotations

from msgspec import Struct

from qsched.kube.reflector import Metadata


class Labelled(Metadata, frozen=True, kw_only=True, gc=False):
    """The metadata of an object whose labels count."""

    labels: dict[str, str] | None = None


class Taint(Struct, frozen=True, gc=False):
    """A taint of a node."""

    key: str
    effect: str
    value: str = ""


class NodeSpec(Struct, frozen=True, gc=False):
    """The part of a node's spec that says whom it takes."""

    taints: list[Taint] | None = None


class Node(Struct, frozen=True, gc=False):
    """A node. Whether it is ready and has room is the scheduler's business."""

    metadata: Labelled
    spec: NodeSpec = NodeSpec()


class BackendSpec(Struct, frozen=True, gc=False):
    """The part of a backend's spec that says where it stands."""

    location: str | None = None


class Backend(Struct, frozen=True, gc=False):
    """A QuantumBackend. Whether it is online or paused matters to placement, which is late, and not here."""

    metadata: Labelled
    spec: BackendSpec = BackendSpec()


class Placement(Struct, frozen=True, gc=False):
    """The place of a job."""

    backend: str


class JobStatus(Struct, frozen=True, gc=False):
    """The part of a job's status that says where it goes."""

    placement: Placement | None = None


class Job(Struct, frozen=True, gc=False):
    """A QuantumCircuitJob."""

    metadata: Metadata
    status: JobStatus = JobStatus()
