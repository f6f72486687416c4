"""What every declared type has in common, and the vocabulary that several of them share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

API_VERSION: Literal["qsched.io/v1alpha1"] = "qsched.io/v1alpha1"
GROUP, VERSION = API_VERSION.split("/")

# Patterns end in \Z because Python's $ would let a final line break pass; the CRDs say $ (RE2), which means
# the same. A title says what a value of the type looks like: messages quote it.
Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+(?:(?:-+|\.)[a-z0-9]+)*\Z",
        max_length=253,
        title="a name of lower-case letters, digits, '-' and '.' that begins and ends with a letter or digit",
    ),
]
Namespace = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+(?:-+[a-z0-9]+)*\Z",
        max_length=63,
        title="a namespace of lower-case letters, digits and '-'",
    ),
]
CircuitName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?\Z",
        max_length=63,
        title="a name of letters, digits, '-', '_' and '.' that begins and ends with a letter or digit",
    ),
]
LabelValue = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?\Z",
        max_length=63,
        title="a label value of letters, digits, '-', '_' and '.'",
    ),
]
Text = Annotated[str, Meta(max_length=1024)]
Uri = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^[a-z][a-z0-9+.-]*://.+\Z",
        title="a location with its scheme, such as file:///tmp/results or s3://bucket/key",
    ),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Time = Annotated[dt.datetime, Meta(tz=True, title="a time with its zone, such as 2030-01-31T12:00:00Z")]
Labels = Annotated[dict[str, LabelValue], Meta(max_length=64)]
Json = Annotated[dict[str, Any], Meta(max_length=64)]


def manifest_name(field: str) -> str:
    """The name that a field has in manifests: camelCase, with ``_s`` spelled out as ``Seconds``."""
    first, *rest = re.sub("_s$", "_seconds", field).split("_")
    return first + "".join(word.capitalize() for word in rest)


class Declared(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename=manifest_name,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """The base of every type that a manifest or a status can hold.

    Fields are snake_case in Python and camelCase in manifests; a field at its default is left out when
    written; an unknown field is refused.
    """


class ObjectMeta(Declared, frozen=True, kw_only=True):
    """The part of Kubernetes object metadata that qsched reads or writes."""

    name: Name
    generate_name: Text | None = None
    namespace: Namespace | None = None
    uid: Annotated[str, Meta(max_length=64)] | None = None
    labels: Labels = {}
    annotations: Annotated[dict[str, str], Meta(max_length=256)] = {}
    resource_version: Text | None = None
    generation: int | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    deletion_grace_period_seconds: int | None = None
    self_link: Text | None = None
    finalizers: Annotated[list[str], Meta(max_length=32)] = []
    managed_fields: Annotated[list[Json], Meta(max_length=1024)] = []
    owner_references: Annotated[list[Json], Meta(max_length=256)] = []


class Condition(Declared, frozen=True, kw_only=True):
    """One aspect of an object's state, as in the Kubernetes API conventions."""

    type: Annotated[str, Meta(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Meta(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?\Z")]
    message: Annotated[str, Meta(max_length=32768)] = ""
    last_transition_time: Time
    observed_generation: int | None = None


Conditions = Annotated[
    list[Condition],
    Meta(
        max_length=16,
        extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
