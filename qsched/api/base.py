"""What every declared type has in common, and the vocabulary that several of them share."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

GROUP = "qsched.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
        max_length=253,
        description="A DNS subdomain name: lower case letters, digits, '-' and '.'.",
    ),
]
CircuitName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
        max_length=63,
        description="A name that is unique within the job.",
    ),
]
LabelValue = Annotated[str, Meta(max_length=63)]
Text = Annotated[str, Meta(max_length=1024)]
Uri = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^[a-z][a-z0-9+.-]*://.+$",
        description="A location that fsspec understands, such as file:///tmp/results or s3://bucket/key.",
    ),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Time = Annotated[dt.datetime, Meta(tz=True, description="An RFC 3339 time.")]
Labels = Annotated[dict[str, LabelValue], Meta(max_length=64)]
Json = dict[str, Any]


class Declared(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """The base of every type that a manifest or a status can hold.

    Fields are snake_case in Python and camelCase in manifests; a field at its default is left out when
    written; an unknown field is refused.
    """


class ObjectMeta(Declared, kw_only=True):
    """The part of Kubernetes object metadata that qsched reads or writes."""

    name: Name
    namespace: Annotated[str, Meta(max_length=63)] | None = None
    uid: Annotated[str, Meta(max_length=64)] | None = None
    labels: Labels = {}
    annotations: Annotated[dict[str, str], Meta(max_length=256)] = {}
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    finalizers: Annotated[list[str], Meta(max_length=32)] = []
    managed_fields: list[Json] = []
    owner_references: list[Json] = []


class Condition(Declared, kw_only=True):
    """One aspect of an object's state, as in the Kubernetes API conventions."""

    type: Annotated[str, Meta(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Meta(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Meta(max_length=32768)] = ""
    last_transition_time: Time
    observed_generation: int | None = None
