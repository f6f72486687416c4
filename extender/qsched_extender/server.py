"""The server: where it listens, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from typing import TYPE_CHECKING

import structlog
import uvicorn
from msgspec import Struct

from qsched.errors import InvalidInput
from qsched.kube.api import Api
from qsched_extender.app import VERBS, Extender, Health
from qsched_extender.cache import Cache
from qsched_extender.decisions import Decisions, Limits
from qsched_extender.metrics import Metrics
from qsched_extender.watch import Watch

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from qsched_extender.tls import Tls

log = structlog.get_logger(__name__)

KEEP_ALIVE_S = 150
"""Longer than the 90 s for which the scheduler keeps idle connections, so that it never uses a closed one."""


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
                f"{text!r} is no address to listen on; write HOST:PORT, such as 127.0.0.1:8888"
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


class Settings(Struct, frozen=True, kw_only=True):
    """How the extender runs.

    Attributes:
        listen: Where the scheduler finds it.
        health: Where probes and metrics are answered too, without TLS; None only where it listens anyway.
        tls: The files for TLS; None speaks plain HTTP.
        insecure: Whether it may be reached from elsewhere without TLS and clients' certificates.
        kubeconfig: A kubeconfig file; None looks for the usual ones and the pod's service account.
        context: The context in it; None is its current one.
        limits: How many nodes filter answers with.
        body_limit: The longest request that is read, in bytes.
    """

    listen: Address
    health: Address | None = None
    tls: Tls | None = None
    insecure: bool = False
    kubeconfig: Path | None = None
    context: str | None = None
    limits: Limits = Limits()
    body_limit: int = 64 * 2**20

    def check(self) -> None:
        """Refuse what would let anybody in.

        Raises:
            InvalidInput: If it listens off loopback without knowing its clients.
        """
        if self.listen.loopback or self.insecure:
            return
        if self.tls is None or self.tls.client_ca is None:
            raise InvalidInput(
                f"{self.listen.host} can be reached from other machines: give --tls-cert, --tls-key and "
                "--client-ca, or listen on 127.0.0.1, or say --insecure"
            )


async def serve(settings: Settings, started: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM; requests under way are answered first.

    Args:
        settings: How.
        started: Told the URL as soon as it answers; its cache is cold then.

    Raises:
        InvalidInput: If a setting, a file or the cluster's configuration is wrong.
    """
    settings.check()
    security = settings.tls.context() if settings.tls else None
    cache, metrics = Cache(), Metrics(VERBS)
    health = Health(cache, metrics)
    extender = Extender(Decisions(cache, settings.limits), health, metrics, body_limit=settings.body_limit)
    async with contextlib.AsyncExitStack() as closing:
        sock = closing.enter_context(settings.listen.bind())
        servers = {_Server(extender, security): sock}
        if settings.health is not None:
            servers[_Server(health)] = closing.enter_context(settings.health.bind())
        api = await Api.connect(settings.kubeconfig, settings.context, agent="qsched-extender")
        closing.push_async_callback(api.aclose)
        watch = Watch(api, cache)
        metrics.follow(cache, watch)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(watch.run())]
            if settings.tls and security:
                background.append(tasks.create_task(settings.tls.renew(security)))
            serving = [tasks.create_task(server.serve([sock])) for server, sock in servers.items()]
            with _signals() as ending:
                started(_url(sock, secure=security is not None))
                await ending.wait()
            for server in servers:
                server.should_exit = True
            await asyncio.wait(serving)
            for task in background:
                task.cancel()


class _Server(uvicorn.Server):
    """uvicorn without its handling of signals, which is not meant for two servers in a loop."""

    def __init__(self, app: Any, security: ssl.SSLContext | None = None) -> None:
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
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=5,
        )
        config.load()
        config.ssl = security
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    try:
        yield ending
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _url(sock: socket.socket, *, secure: bool) -> str:
    host, port = sock.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
