"""What the Aer driver asks of a cluster, so that it need not know how one is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["jobs", "pods", "roles", "rolebindings", "secrets", "serviceaccounts"]


class TaskCluster(Protocol):
    """The objects of one namespace, as JSON.

    Every method raises ``Unavailable`` or ``RateLimited`` when the same call may succeed later,
    ``Unauthenticated`` when the caller may not do this, and ``Rejected`` when the server will never take it.
    """

    @property
    def namespace(self) -> str:
        """Where tasks run: the controller's own namespace."""
        ...

    @property
    def image(self) -> str:
        """The image of tasks whose backend names none; empty if there is none."""
        ...

    async def create(self, kind: Kind, body: Mapping[str, Any]) -> bytes | None:
        """Create an object; None if one of that name is there.

        Raises:
            NotFound: If what it refers to is not there.
        """
        ...

    async def read(self, kind: Kind, name: str) -> bytes | None:
        """An object; None if there is none."""
        ...

    async def select(self, kind: Kind, labels: str, fields: str = "") -> bytes:
        """The list of the objects that a label selector and a field selector choose."""
        ...

    async def change(self, kind: Kind, name: str, change: Mapping[str, Any]) -> bytes | None:
        """Merge a change into an object (RFC 7386); None if there is none."""
        ...
