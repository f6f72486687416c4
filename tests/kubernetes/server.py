"""Questions to an API server, one after the other, through the project's own client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from qsched.api.base import API_VERSION
from qsched.kube.api import Api
from qsched.kube.errors import Absent
from qsched.kube.objects import BACKENDS, backend_path, job_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from tests.kubernetes.rig import Cluster

T = TypeVar("T")
Object = dict[str, Any]

NAMESPACE = "default"
COLLECTIONS = {
    "QuantumCircuitJob": f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/quantumcircuitjobs",
    "QuantumBackend": BACKENDS,
}


def path_of(manifest: Mapping[str, Any]) -> str:
    """The path of the object that a manifest declares."""
    name = manifest["metadata"]["name"]
    return job_path(NAMESPACE, name) if manifest["kind"] == "QuantumCircuitJob" else backend_path(name)


class Server:
    """An API server, asked as admin; ``api`` is the connection."""

    def __init__(self, cluster: Cluster) -> None:
        self._runner = asyncio.Runner()
        self.api = self.run(Api.connect(cluster.kubeconfig()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.api.aclose())
        self._runner.close()

    def run(self, call: Awaitable[T]) -> T:
        """What comes of a call of ``api``."""

        async def wait() -> T:
            return await call

        return self._runner.run(wait())

    def create(self, manifest: Mapping[str, Any], **params: str) -> Object:
        """Create an object, validated as strictly as kubectl asks for."""
        path = COLLECTIONS[manifest["kind"]]
        created = self.run(self.api.create(path, manifest, fieldValidation="Strict", **params))
        return msgspec.json.decode(created, type=Object)

    def try_to_create(self, manifest: Mapping[str, Any]) -> bytes:
        """The object as it would be stored; raises what the server says against it."""
        path = COLLECTIONS[manifest["kind"]]
        return self.run(self.api.create(path, manifest, fieldValidation="Strict", dryRun="All"))

    def get(self, manifest: Mapping[str, Any]) -> Object:
        """The object that a manifest declares, as it is stored."""
        return msgspec.json.decode(self.run(self.api.get(path_of(manifest))), type=Object)

    def exists(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        try:
            self.get({"kind": kind, "metadata": {"name": name}})
        except Absent:
            return False
        return True
