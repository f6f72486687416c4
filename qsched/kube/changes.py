"""What a reflector tells of a collection's objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """What the reflector reads of an object's metadata; subclasses add what their users need."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None


class Identified(Protocol):
    """What ``Metadata`` and ``qsched.api``'s own ``ObjectMeta`` have in common."""

    @property
    def name(self) -> str: ...  # noqa: D102 - as in Kubernetes
    @property
    def namespace(self) -> str | None: ...  # noqa: D102
    @property
    def uid(self) -> str | None: ...  # noqa: D102
    @property
    def resource_version(self) -> str | None: ...  # noqa: D102


class Object(Protocol):
    """A Struct with the object's ``metadata``, and the other fields that its users need."""

    @property
    def metadata(self) -> Identified:
        """The object's metadata."""
        ...


T = TypeVar("T", bound=Object)


class Seen(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An object is there, or has changed.

    Attributes:
        key: ``namespace/name``, or ``name`` where there are no namespaces.
        object: Its present state.
        listed: Whether a list showed it, and so perhaps long after the change.
    """

    key: str
    object: T
    listed: bool


class Deleted(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An object is gone.

    Attributes:
        key: As in ``Seen``.
        uid: Which object of that name it was; another one may be there by now.
        last: Its last state; None if nobody watched when it went, or it could not be decoded.
    """

    key: str
    uid: str
    last: T | None


class Undecodable(msgspec.Struct, frozen=True, gc=False):
    """An object is there, or has changed, but a field of it is not what its type says.

    Attributes:
        key: As in ``Seen``.
        uid: The object.
        problem: Which field, and what is wrong with it.
    """

    key: str
    uid: str
    problem: str


Change: TypeAlias = Seen[T] | Deleted[T] | Undecodable
Handler: TypeAlias = Callable[[Change[T]], None]
