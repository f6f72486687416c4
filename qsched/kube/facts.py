"""Small values for the next leader, such as what was learnt of waits, in ConfigMaps beside the controller."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, NoReturn

import msgspec
import structlog

from qsched.kube.errors import Absent, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.kube.api import Api

log = structlog.get_logger(__name__)


class _ConfigMap(msgspec.Struct, rename="camel"):
    binary_data: dict[str, str] | None = None


class Facts:
    """ConfigMaps named ``qsched-<kind>``, written behind; what a crash takes is learnt anew."""

    def __init__(self, api: Api, namespace: str) -> None:
        """Touch nothing yet.

        Args:
            api: The server.
            namespace: The controller's own.
        """
        self._api = api
        self._namespace = namespace
        self._wanted: dict[str, Mapping[str, bytes]] = {}
        self._signal = asyncio.Event()

    async def load(self, kind: str) -> dict[str, bytes]:
        """What an earlier leader kept; empty if there is nothing, or it cannot be read."""
        try:
            found = msgspec.json.decode(await self._api.get(self._path(kind)), type=_ConfigMap)
            return {key: base64.b64decode(value) for key, value in (found.binary_data or {}).items()}
        except Absent:
            return {}
        except (ApiError, msgspec.MsgspecError, ValueError) as error:
            log.warning("what an earlier leader kept cannot be read", kind=kind, error=str(error))
            return {}

    def keep(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Keep values from now on."""
        self._wanted[kind] = values
        self._signal.set()

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        while True:
            await self._signal.wait()
            self._signal.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what was not written yet."""
        while self._wanted:
            kind, values = self._wanted.popitem()
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"qsched-{kind}", "namespace": self._namespace},
                "binaryData": {key: base64.b64encode(value).decode() for key, value in values.items()},
            }
            try:
                await self._api.apply(self._path(kind), body)
            except ApiError as error:
                log.warning("what was learnt cannot be kept", kind=kind, error=str(error))

    def _path(self, kind: str) -> str:
        return f"/api/v1/namespaces/{self._namespace}/configmaps/qsched-{kind}"
