"""The Secrets that backends name."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from qsched.errors import QschedError
from qsched.kube.errors import Absent, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.api.backend import BackendSpec
    from qsched.kube.api import Api


class SecretMissing(QschedError):
    """A Secret that a backend names is not there, or may not be read."""


class _Secret(msgspec.Struct):
    data: dict[str, str] | None = None


_secrets = msgspec.json.Decoder(_Secret)


class Credentials:
    """Reads Secrets when a backend is connected; nothing of them is kept here, logged or raised."""

    def __init__(self, api: Api, namespace: str) -> None:
        """Read nothing yet.

        Args:
            api: The server.
            namespace: The controller's own, in which Secrets are when a backend does not say where.
        """
        self._api = api
        self._namespace = namespace

    async def __call__(self, spec: BackendSpec) -> Mapping[str, str] | None:
        """What a backend's Secret holds; None for a backend that names none.

        Raises:
            SecretMissing: If it is not there, or may not be read.
            Unreachable: If the server does not answer.
        """
        ref = spec.credentials_secret_ref
        if ref is None:
            return None
        namespace = ref.namespace or self._namespace
        try:
            body = await self._api.get(f"/api/v1/namespaces/{namespace}/secrets/{ref.name}")
        except Absent:
            raise SecretMissing(
                f"the Secret {ref.name} is missing in namespace {namespace}; create it"
            ) from None
        except Refused as error:
            raise SecretMissing(
                f"the controller may not read the Secret {ref.name} in namespace {namespace}; "
                "put it into the controller's own namespace, or give it a Role there"
            ) from error
        data = _secrets.decode(body).data or {}
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
