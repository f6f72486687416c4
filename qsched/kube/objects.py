"""What the controller reads of the objects that it watches, and where they are."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads it
from typing import Any
from urllib.parse import quote

import msgspec

from qsched.api.base import API_VERSION
from qsched.kube.reflector import Metadata

JOBS = f"/apis/{API_VERSION}/quantumcircuitjobs"
BACKENDS = f"/apis/{API_VERSION}/quantumbackends"

FINALIZER = "qsched.io/cancel"
"""Keeps a deleted job until no task of it can live."""

CANCEL = "qsched.io/cancel"
"""The annotation with which a user cancels a job without deleting it."""


def job_path(namespace: str, name: str) -> str:
    """The path of one job; a name may come from an annotation, which can hold anything."""
    namespace, name = quote(namespace, safe=""), quote(name, safe="")
    return f"/apis/{API_VERSION}/namespaces/{namespace}/quantumcircuitjobs/{name}"


def backend_path(name: str) -> str:
    """The path of one backend."""
    return f"{BACKENDS}/{name}"


class FullMetadata(Metadata, frozen=True, kw_only=True, rename="camel", gc=False):
    """The metadata that decides something about a job, a backend or a pod."""

    generation: int | None = None
    creation_timestamp: dt.datetime | None = None
    deletion_timestamp: dt.datetime | None = None
    finalizers: list[str] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[dict[str, Any]] | None = None


class SeenCondition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A condition as it stands in a status."""

    type: str
    status: str
    last_transition_time: dt.datetime


class SeenStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of a job's status that a new controller goes on from."""

    lifecycle: str | None = None
    phase: str | None = None
    finished_at: dt.datetime | None = None
    observed_generation: int | None = None
    conditions: list[SeenCondition] = []
    placement: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()


class JobObject(msgspec.Struct, frozen=True, kw_only=True):
    """A ``QuantumCircuitJob``; its spec is decoded when it is new or has changed."""

    metadata: FullMetadata
    spec: msgspec.Raw
    status: SeenStatus = SeenStatus()


class BackendObject(msgspec.Struct, frozen=True, kw_only=True):
    """A ``QuantumBackend``."""

    metadata: FullMetadata
    spec: msgspec.Raw
