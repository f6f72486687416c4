"""The API server's audit log: who asked for what, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class Entry(msgspec.Struct, frozen=True):
    """One request that was answered.

    Attributes:
        user: Such as ``system:serviceaccount:qsched-system:qsched-controller``.
        verb: Kubernetes' word: get, list, watch, create, update, patch, delete, deletecollection.
        resource: Plural; empty for paths such as ``/readyz``.
        subresource: Such as ``status``; empty if none.
        namespace: Empty for what has none.
        name: Empty for collections.
        code: The HTTP status of the answer.
        agent: The client's ``User-Agent``.
        at: When the answer was complete, RFC 3339.
    """

    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    agent: str
    at: str


class _User(msgspec.Struct):
    username: str = ""


class _Object(msgspec.Struct):
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class _Answer(msgspec.Struct):
    code: int = 0


class _Event(msgspec.Struct, rename="camel"):
    verb: str
    stage_timestamp: str
    user: _User = msgspec.field(default_factory=_User)
    user_agent: str = ""
    object_ref: _Object = msgspec.field(default_factory=_Object)
    response_status: _Answer = msgspec.field(default_factory=_Answer)


_event = msgspec.json.Decoder(_Event)


def read_audit(log: Path) -> list[Entry]:
    """Every request answered so far, oldest first; a line that is half written is left for the next time."""
    if not log.exists():
        return []
    whole = log.read_bytes().rpartition(b"\n")[0]
    return [_entry(_event.decode(line)) for line in whole.splitlines()]


def _entry(event: _Event) -> Entry:
    asked = event.object_ref
    return Entry(
        user=event.user.username,
        verb=event.verb,
        resource=asked.resource,
        subresource=asked.subresource,
        namespace=asked.namespace,
        name=asked.name,
        code=event.response_status.code,
        agent=event.user_agent,
        at=event.stage_timestamp,
    )
