"""Where circuits of a cluster's jobs come from and their results go."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import msgspec

from qsched.engine.places import CircuitMissing
from qsched.engine.results import read_bytes, write_result
from qsched.errors import ResultError
from qsched.kube.errors import Absent, ApiError

if TYPE_CHECKING:
    from qsched.api.job import Circuit, ConfigMapKey, QuantumCircuitJob, Result
    from qsched.kube.api import Api

STATUS_BYTES = 262_144
"""The largest result that is kept in a status when no other place is named; etcd takes 1.5 MB."""

STATUS_COUNTS = 4096
"""What the CRD allows of one circuit."""


class _ConfigMap(msgspec.Struct, rename="camel"):
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None


_config_maps = msgspec.json.Decoder(_ConfigMap)


class ClusterPlaces:
    """ConfigMaps of the job's namespace, and object stores through fsspec; never files of the controller."""

    def __init__(self, api: Api, *, results: str | None = None) -> None:
        """Read nothing yet.

        Args:
            api: The server.
            results: A URI below which results go whose jobs name no place; into their status if None.
        """
        self._api = api
        self._results = results

    async def read(self, circuit: Circuit, namespace: str) -> bytes:
        """See ``Places.read``."""
        if circuit.config_map_ref is not None:
            return await self._config_map(circuit.config_map_ref, namespace)
        if circuit.uri is None:
            return b""
        try:
            return await asyncio.to_thread(read_bytes, circuit.uri)
        except ResultError as error:  # a network may fail for a moment, and a spec cannot be changed
            raise CircuitMissing(f"waits for circuit {circuit.name!r}: {error}") from error

    async def write(self, job: QuantumCircuitJob, result: Result) -> Result:
        """See ``Places.write``."""
        uri = self._uri(job)
        if uri is not None:
            return await asyncio.to_thread(write_result, result, uri)
        size = len(msgspec.json.encode(result))
        widest = max((len(circuit.counts or ()) for circuit in result.circuits), default=0)
        if size > STATUS_BYTES or widest > STATUS_COUNTS:
            raise ResultError(
                f"the result has {size:,} bytes and up to {widest:,} different counts a circuit, a status "
                f"holds {STATUS_BYTES:,} and {STATUS_COUNTS:,}: name a place in spec.result.uri"
            )
        return result

    def trusts(self, uri: str) -> bool:  # noqa: ARG002 - it is the protocol's
        """See ``Places.trusts``: qsched itself writes no circuits here."""
        return False

    def _uri(self, job: QuantumCircuitJob) -> str | None:
        meta, uri = job.metadata, job.spec.result.uri
        if uri is not None:
            return uri if uri.endswith(".json") else f"{uri.rstrip('/')}/{meta.name}.json"
        if self._results is None:
            return None
        return f"{self._results.rstrip('/')}/{meta.namespace}/{meta.name}-{(meta.uid or '')[:8]}.json"

    async def _config_map(self, ref: ConfigMapKey, namespace: str) -> bytes:
        path = f"/api/v1/namespaces/{namespace}/configmaps/{ref.name}"
        try:
            found = _config_maps.decode(await self._api.get(path))
        except Absent:
            raise CircuitMissing(f"waits for the ConfigMap {ref.name} in namespace {namespace}") from None
        except ApiError as error:
            raise CircuitMissing(f"waits for the ConfigMap {ref.name}: {error}") from error
        if found.data is not None and ref.key in found.data:
            return found.data[ref.key].encode()
        if found.binary_data is not None and ref.key in found.binary_data:
            return base64.b64decode(found.binary_data[ref.key])
        raise CircuitMissing(f"waits for the key {ref.key} in the ConfigMap {ref.name}")
