"""The connection to an API server: raw JSON out and in, typed errors, watches.

The official client reads the configuration (kubeconfig files, exec plugins, the service account inside a
cluster) and keeps its tokens fresh. Its models and its copying of every answer are left aside: the bodies
stay bytes, which the callers decode with msgspec to the few fields that they need.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec

from qsched.errors import InvalidInput
from qsched.kube.errors import Absent, Unreachable, error_of
from qsched.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import aiohttp
    from kubernetes.aio.client.configuration import Configuration

MANAGER = "qsched-controller"
"""The field manager of everything that the controller applies."""

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_ANSWER_S = 30.0
_CONNECT_S = 5.0
_WATCH_MARGIN_S = 15.0
_LINE_LIMIT = 2**23
"""The longest event of a watch; etcd itself refuses objects above 1.5 MB."""

_NOT_IN_YAML = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xef\xbf[\xbe\xbf]")
"""Delete, the C1 controls and two that are no characters, in UTF-8."""

_encode = msgspec.json.Encoder().encode


class Api:
    """One API server, over a pool of kept connections. Make it with ``connect``; close it."""

    def __init__(
        self, session: aiohttp.ClientSession, configuration: Configuration, namespace: str | None
    ) -> None:
        """Connect parts; see ``connect``."""
        self.host = cast("str", configuration.host).rstrip("/")
        self.namespace = namespace
        self._session = session
        self._configuration = configuration

    @classmethod
    async def connect(
        cls,
        kubeconfig: str | os.PathLike[str] | None = None,
        context: str | None = None,
        *,
        connections: int = 64,
        agent: str = "qsched",
    ) -> Self:
        """Read the configuration; nothing is sent yet.

        Args:
            kubeconfig: A kubeconfig file. By default that of ``KUBECONFIG``, else the service account of the
                pod in which this process runs, else the user's own ``~/.kube/config``.
            context: The context in it; its current one by default.
            connections: How many requests may be under way; more wait for their turn.
            agent: The program's name in the server's audit log.

        Raises:
            InvalidInput: If there is no configuration, or it is wrong.
        """
        import aiohttp
        from kubernetes.aio import config
        from kubernetes.aio.client.configuration import Configuration

        configuration = Configuration()
        given = kubeconfig or os.environ.get("KUBECONFIG")
        try:
            if given is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(client_configuration=configuration)
                namespace = _own_namespace()
            else:
                path = None if given is None else os.fspath(given)
                await config.load_kube_config(path, context=context, client_configuration=configuration)
                namespace = _context_namespace(config.list_kube_config_contexts(path), context)
            security = _security(configuration)
        except Exception as error:  # the client raises many kinds, none of them typed
            raise InvalidInput(
                f"the cluster's configuration cannot be read: {str(error) or type(error).__name__}; "
                "name a kubeconfig file with --kubeconfig, or in KUBECONFIG"
            ) from error
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=security),
            headers={"User-Agent": f"{agent}/{VERSION}", "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S),
            read_bufsize=2**18,
            trust_env=False,
            raise_for_status=False,
        )
        api = cls(session, configuration, namespace)
        api._turn = asyncio.Semaphore(connections)
        return api

    _turn: asyncio.Semaphore

    async def get(self, path: str, **params: str | int) -> bytes:
        """Read an object or a list.

        Args:
            path: From the server's root: ``/api/v1/nodes``.
            **params: The query, such as ``labelSelector=``.

        Raises:
            ApiError: As its kinds say; the same holds for every method here.
        """
        return await self.request("GET", path, params=params)

    async def create(self, path: str, body: object, **params: str | int) -> bytes:
        """Create an object in the collection ``path``."""
        return await self.request("POST", path, body, params=params)

    async def replace(self, path: str, body: object, **params: str | int) -> bytes:
        """Replace an object; the body's ``metadata.resourceVersion`` must be the present one."""
        return await self.request("PUT", path, body, params=params)

    async def apply(self, path: str, body: object, *, manager: str = MANAGER, force: bool = True) -> bytes:
        """Server-side apply: the fields of ``body`` are the manager's from now on, those it left out go."""
        params: dict[str, str | int] = {"fieldManager": manager, "force": str(force).lower()}
        data = _for_yaml(body if isinstance(body, bytes) else _encode(body))
        return await self.request("PATCH", path, data, params=params, kind="application/apply-patch+yaml")

    async def merge(self, path: str, body: object, **params: str | int) -> bytes:
        """JSON merge patch: null removes a field, lists are replaced whole."""
        return await self.request("PATCH", path, body, params=params, kind="application/merge-patch+json")

    async def patch(self, path: str, operations: Sequence[Mapping[str, Any]], **params: str | int) -> bytes:
        """JSON patch: ``[{"op": "test", "path": ..., "value": ...}, ...]``, all or nothing."""
        return await self.request(
            "PATCH", path, operations, params=params, kind="application/json-patch+json"
        )

    async def delete(
        self,
        path: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
        grace_s: int | None = None,
    ) -> None:
        """Delete an object; one that is gone already is passed over.

        Args:
            path: The object.
            uid: Delete it only if it is still this one.
            propagation: What becomes of the objects that it owns.
            grace_s: How long a pod may take to end; its own ``terminationGracePeriodSeconds`` by default.
        """
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            await self.request("DELETE", path, options)
        except Absent:
            return

    async def watch(self, path: str, *, timeout_s: int = 300, **params: str | int) -> AsyncIterator[bytes]:
        """The events of a watch, a line each, until the server or the connection ends it.

        Args:
            path: The collection.
            timeout_s: When the server is to end the watch, so that the caller begins another.
            **params: The query; ``resourceVersion`` above all.

        Raises:
            Gone: If the resource version is too old (when the server says so at once).
            Unreachable: If the connection breaks, or stays silent beyond its time.
        """
        import aiohttp

        query = {**params, "watch": "true", "timeoutSeconds": timeout_s}
        limit = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_S, sock_read=timeout_s + _WATCH_MARGIN_S
        )
        asked = f"GET {path}?watch"
        try:
            async with self._session.get(
                self.host + path, params=query, headers=await self._headers(), timeout=limit
            ) as answer:
                if answer.status >= 400:
                    body = await answer.read()
                    raise error_of(answer.status, body, asked=asked, retry_after_s=_retry_after(answer))
                try:
                    async for line in _lines(answer, asked):
                        yield line
                finally:
                    _abort(answer)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{asked}: {_words(error)}") from error

    async def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        *,
        params: Mapping[str, str | int] | None = None,
        kind: str = "application/json",
    ) -> bytes:
        """Send a request and read its whole answer.

        Args:
            method: The HTTP method.
            path: From the server's root.
            body: Bytes as they are, anything else as JSON.
            params: The query.
            kind: The body's content type.
        """
        import aiohttp

        headers = await self._headers()
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else _encode(body)
            headers["Content-Type"] = kind
        try:
            async with (
                self._turn,
                self._session.request(
                    method, self.host + path, params=params or None, data=data, headers=headers
                ) as answer,
            ):
                read = await answer.read()
                if answer.status >= 400:
                    asked = f"{method} {path}"
                    raise error_of(answer.status, read, asked=asked, retry_after_s=_retry_after(answer))
                return read
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{method} {path}: {_words(error)}") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def _headers(self) -> dict[str, str]:
        """The authorization, refreshed by the official client when it is due."""
        settings = await self._configuration.auth_settings()
        return {each["key"]: each["value"] for each in settings.values() if each["in"] == "header"}


async def _lines(answer: aiohttp.ClientResponse, asked: str) -> AsyncIterator[bytes]:
    """The lines of an answer that does not end."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in lines:
            if line:
                yield line
        if len(rest) > _LINE_LIMIT:
            raise Unreachable(f"{asked}: an event is longer than {_LINE_LIMIT:,} bytes")


def _abort(answer: aiohttp.ClientResponse) -> None:
    """Cut the connection of a watch: closing it politely would wait for the server to end the watch."""
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _for_yaml(body: bytes) -> bytes:
    """JSON that a YAML parser reads as the same: it takes some characters only when they are escaped."""
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0].decode()):04x}".encode(), body)


def _security(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    # Python 3.13 asks of authorities what many clusters' own ones do not say.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _own_namespace() -> str | None:
    try:
        return _NAMESPACE_FILE.read_text("ascii").strip()
    except OSError:
        return None


def _context_namespace(known: tuple[list[dict[str, Any]], dict[str, Any]], name: str | None) -> str | None:
    contexts, current = known
    chosen = next((each for each in contexts if each["name"] == name), current)
    return cast("str | None", (chosen.get("context") or {}).get("namespace"))


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    try:
        return max(0.0, float(answer.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
