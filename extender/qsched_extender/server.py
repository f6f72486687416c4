"""The server: where it listens, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from typing import TYPE_CHECKING

from msgspec import Struct

from qsched.errors import InvalidInput
from qsched.kube.api import Api
from qsched_extender.app import VERBS, Extender, Health
from qsched_extender.cache import Cache
from qsched_extender.connection import Listener
from qsched_extender.decisions import Decisions, Limits
from qsched_extender.metrics import Metrics
from qsched_extender.watch import Watch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qsched.kube.serving import Address
    from qsched_extender.tls import Tls


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
    """Answer until SIGINT or SIGTERM.

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
    extender = Extender(Decisions(cache, settings.limits), health, metrics)
    async with contextlib.AsyncExitStack() as closing:
        sock = closing.enter_context(settings.listen.bind())
        listeners = [Listener(extender.answer, sock, security, body_limit=settings.body_limit)]
        if settings.health is not None:
            bound = closing.enter_context(settings.health.bind())
            listeners.append(Listener(health.answer, bound, None, body_limit=0))
        api = await Api.connect(settings.kubeconfig, settings.context, agent="qsched-extender")
        closing.push_async_callback(api.aclose)
        watch = Watch(api, cache)
        metrics.follow(cache, watch)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(watch.run())]
            if settings.tls and security:
                background.append(tasks.create_task(settings.tls.renew(security)))
            serving = [tasks.create_task(listener.run()) for listener in listeners]
            # What the libraries made at import stays; to walk through it again takes 20 ms, answers waiting.
            gc.freeze()
            with _signals() as ending:
                started(_url(sock, secure=security is not None))
                await ending.wait()
            for listener in listeners:
                listener.ending.set()
            await asyncio.wait(serving)
            for task in background:
                task.cancel()


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
