"""Where probes and Prometheus ask: a small HTTP server in a loop that has other work to do.

=============  ==============================================================================
GET /healthz   200, or 503 if the process should be started anew
GET /readyz    200, or 503 as long as it has no use; a controller that waits to lead is ready
GET /metrics   what Prometheus reads
=============  ==============================================================================

The body of the first two has a line for each check, and one for the role of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import uvicorn
from msgspec import Struct
from prometheus_client.exposition import choose_encoder

from qsched.errors import InvalidInput

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping

    from prometheus_client import CollectorRegistry

    Scope: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

    Check: TypeAlias = Callable[[], str]
    """Says what is wrong, in words; an empty text if nothing is."""

TEXT = b"text/plain; charset=utf-8"
_STOP_S = 2
"""How long answers that are under way may take when the server stops."""


class Address(Struct, frozen=True):
    """A host and a port; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``HOST:PORT``; an IPv6 address stands in brackets.

        Raises:
            InvalidInput: If it is something else.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            raise InvalidInput(
                f"{text!r} is no address to listen on; write HOST:PORT, such as 127.0.0.1:8080"
            )
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine, or this pod, can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def bind(self) -> socket.socket:
        """Take the address.

        Raises:
            InvalidInput: If it cannot be had.
        """
        try:
            family, *_, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return socket.create_server(address[:2], family=family, backlog=128)
        except OSError as error:
            raise InvalidInput(
                f"{self.host}:{self.port} cannot be listened on: {error.strerror}; name another address"
            ) from error


class Server(uvicorn.Server):
    """uvicorn as a guest: it leaves the process's signals, its logs and its event loop alone."""

    def __init__(
        self, app: Any, *, security: ssl.SSLContext | None = None, keep_alive_s: int = 75, stop_s: int = 5
    ) -> None:
        """Listen nowhere yet; ``serve`` takes the sockets.

        Args:
            app: An ASGI application without a lifespan.
            security: Speaks TLS with this.
            keep_alive_s: How long a connection may be idle.
            stop_s: How long answers that are under way may take when the server stops.
        """
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=stop_s,
        )
        config.load()
        config.ssl = security
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not."""
        yield


class Probes:
    """The application that answers them."""

    def __init__(
        self,
        *,
        health: Mapping[str, Check],
        ready: Mapping[str, Check],
        registry: CollectorRegistry,
        role: Callable[[], str] | None = None,
    ) -> None:
        """Ask no check yet.

        Args:
            health: What must be well for the process to be left alive, by name. That it answers at all
                shows that its event loop turns.
            ready: What must be well for it to be of use, by name.
            registry: What Prometheus is told.
            role: What the process is at present, such as ``leader``.
        """
        self._checks = {"/healthz": health, "/readyz": ready}
        self._registry = registry
        self._role = role

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        del receive  # none of them has a body
        path = scope["path"]
        if path not in self._checks and path != "/metrics":
            await answer(send, 404, b"ask for /healthz, /readyz or /metrics\n")
        elif scope["method"] not in {"GET", "HEAD"}:
            await answer(send, 405, b"ask with GET\n")
        elif path == "/metrics":
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            encode, kind = choose_encoder(accept)
            await answer(send, 200, encode(self._registry), kind.encode())
        else:
            await answer(send, *self._look(self._checks[path]))

    def _look(self, checks: Mapping[str, Check]) -> tuple[int, bytes]:
        """The status and body that the checks amount to."""
        found = {name: check() for name, check in checks.items()}
        well = not any(found.values())
        lines = ["ok" if well else "failing", *(f"{name}: {wrong or 'ok'}" for name, wrong in found.items())]
        if self._role is not None:
            lines.append(f"role: {self._role()}")
        return (200 if well else 503), "".join(f"{line}\n" for line in lines).encode(errors="replace")


@asynccontextmanager
async def serving(
    address: Address,
    *,
    health: Mapping[str, Check],
    ready: Mapping[str, Check],
    registry: CollectorRegistry,
    role: Callable[[], str] | None = None,
) -> AsyncIterator[Address]:
    """Answer probes while inside, from the first moment on.

    Args:
        address: Where to listen.
        health: As for ``Probes``.
        ready: Likewise.
        registry: Likewise.
        role: Likewise.

    Yields:
        Where it listens, with the port that it got.

    Raises:
        InvalidInput: If the address cannot be had.
    """
    with address.bind() as sock:
        server = Server(Probes(health=health, ready=ready, registry=registry, role=role), stop_s=_STOP_S)
        running = asyncio.create_task(server.serve([sock]))
        try:
            yield Address(address.host, sock.getsockname()[1])
        finally:
            server.should_exit = True
            await running


async def answer(send: Send, status: int, body: bytes, kind: bytes = TEXT, *, close: bool = False) -> None:
    """Send a whole answer.

    Args:
        send: Of the ASGI application.
        status: The HTTP status.
        body: The body.
        kind: Its content type.
        close: Whether to end the connection with it.
    """
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
