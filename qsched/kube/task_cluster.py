"""The objects of drivers that run their tasks in the cluster, over the controller's connection.

A driver knows nothing of API servers: here paths are made, and errors become those that drivers raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qsched.drivers import DriverError, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched.kube.errors import Absent, AlreadyExists, ApiError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.kube.api import Api

Kind = Literal["jobs", "pods", "roles", "rolebindings", "secrets", "serviceaccounts"]

_GROUPS: dict[Kind, str] = {
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "secrets": "/api/v1",
    "serviceaccounts": "/api/v1",
}

_QUOTA_S = 15.0
"""When to try again after a quota was reached: tasks have to end first."""


class ApiTaskCluster:
    """The objects of one namespace; what the Aer driver's ``TaskCluster`` asks for.

    Args:
        api: The connection; it is the caller's to close.
        namespace: Where tasks run: the controller's own namespace.
        image: The image of tasks whose backend names none; empty if there is none.
    """

    def __init__(self, api: Api, namespace: str, *, image: str = "") -> None:
        self._api = api
        self._namespace = namespace
        self._image = image

    @property
    def namespace(self) -> str:
        """Where tasks run."""
        return self._namespace

    @property
    def image(self) -> str:
        """The image of tasks whose backend names none; empty if there is none."""
        return self._image

    async def create(self, kind: Kind, body: Mapping[str, Any]) -> bytes | None:
        """Create an object, unknown fields being refused; None if one of that name is there.

        Raises:
            NotFound: If what it refers to is not there, as a binding's role.
            DriverError: As ``driver_error`` says; the same holds for every method here.
        """
        try:
            return await self._api.create(self._path(kind), body, fieldValidation="Strict")
        except AlreadyExists:
            return None
        except Absent as error:
            raise NotFound(str(error)) from error
        except ApiError as error:
            raise driver_error(error) from error

    async def read(self, kind: Kind, name: str) -> bytes | None:
        """An object; None if there is none."""
        try:
            return await self._api.get(self._path(kind, name))
        except Absent:
            return None
        except ApiError as error:
            raise driver_error(error) from error

    async def select(self, kind: Kind, labels: str, fields: str = "") -> bytes:
        """The list of the objects that a label selector and a field selector choose."""
        chosen = {"labelSelector": labels, "fieldSelector": fields}
        try:
            return await self._api.get(self._path(kind), **{key: it for key, it in chosen.items() if it})
        except ApiError as error:
            raise driver_error(error) from error

    async def change(self, kind: Kind, name: str, change: Mapping[str, Any]) -> bytes | None:
        """Merge a change into an object (RFC 7386); None if there is none."""
        try:
            return await self._api.merge(self._path(kind, name), change)
        except Absent:
            return None
        except ApiError as error:
            raise driver_error(error) from error

    def _path(self, kind: Kind, name: str = "") -> str:
        return f"{_GROUPS[kind]}/namespaces/{self._namespace}/{kind}" + (f"/{name}" if name else "")


def driver_error(error: ApiError) -> DriverError:
    """What an API server's refusal means to the user of a driver.

    - ``RateLimited``: a quota is used up or not counted yet, or the server asks for patience.
    - ``Unauthenticated``: the controller's account is not known, or may not do this.
    - ``Rejected``: the server takes no such object, ever.
    - ``Unavailable``: anything else; the same call may succeed later.
    """
    words = str(error)
    if error.status == 403 and "quota" in words:
        return RateLimited(words, error.retry_after_s or _QUOTA_S)
    if error.status == 403 and "is being terminated" in words:
        return Unavailable(words)
    if error.status == 401 or (error.status == 403 and " cannot " in words):
        return Unauthenticated(f"{words}; the chart's Role qsched-controller allows what drivers need")
    if isinstance(error, Refused):
        return Rejected(words)
    if error.retry_after_s is not None:
        return RateLimited(words, error.retry_after_s)
    return Unavailable(words)
