"""A proxy before the API server that delays, refuses, loses answers and cuts watches."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import aiohttp
from aiohttp import web

from tests.kubernetes.rig.kubeconfig import write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

    from tests.kubernetes.rig.cluster import Cluster

_T = TypeVar("_T")

_REASONS = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 504: "Timeout"}
_NOT_FORWARDED = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "te", "trailer", "upgrade"}
)
_RETRY_AFTER_S = 1
_STOP_WITHIN_S = 10.0


@dataclass(frozen=True)
class Faults:
    """What happens to requests.

    Attributes:
        share: The share of requests that fail, in [0, 1].
        statuses: With what they fail, each as likely as the others. 409 spares reads; 429 comes with
            ``Retry-After``.
        performed: The share of the 500s and 504s whose request was carried out all the same, in [0, 1].
        delay_s: The longest time that a request is held back, in seconds; evenly distributed from 0.
    """

    share: float = 0.0
    statuses: tuple[int, ...] = (409, 429, 500, 504)
    performed: float = 0.5
    delay_s: float = 0.0


class FaultProxy:
    """An API server's address at which things go wrong, for one ServiceAccount.

    ```python
    with FaultProxy(cluster, "qsched-system:qsched-controller", seed=1) as proxy:
        proxy.faults = Faults(share=0.1)
    ```

    Args:
        cluster: Whose API server.
        account: As whom, as ``namespace:name``; the client's own token is passed on.
        seed: Of the choice of requests.

    Attributes:
        faults: What happens to the requests from now on; nothing at first.
        injected: How many requests failed, by status; cut watches as ``"cut"``.
        kubeconfig: Leads to the proxy.
        port: Where it listens on 127.0.0.1, with a certificate of the cluster's authority.
    """

    def __init__(self, cluster: Cluster, account: str, *, seed: int) -> None:
        self.faults = Faults()
        self.injected: Counter[int | str] = Counter()
        self._cluster = cluster
        self._account = account
        self._random = random.Random(seed)
        self._watches: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    kubeconfig: Path
    port: int

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._call(self._start())
        self.kubeconfig = write_kubeconfig(
            self._cluster.folder / "kubeconfigs" / f"proxy-{self.port}.yaml",
            server=f"https://127.0.0.1:{self.port}",
            authority=self._cluster.authority.certificate,
            user=self._account,
            proof=self._cluster.token(self._account),
            namespace=self._account.partition(":")[0],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_WITHIN_S)
        self._loop.close()

    def cut_watches(self) -> int:
        """Break the connection of every watch, in the middle of its stream.

        Returns:
            How many.
        """

        async def cut() -> int:
            watches = list(self._watches)
            for transport in watches:
                transport.abort()
            self.injected["cut"] += len(watches)
            return len(watches)

        return self._call(cut())

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_WITHIN_S)

    async def _start(self) -> int:
        authority = self._cluster.authority
        serving = authority.issue("proxy", "localhost", "127.0.0.1", user="proxy")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(serving.certificate, serving.key)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=authority.context()),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        server = web.Application(client_max_size=2**26)
        server.router.add_route("*", "/{path:.*}", self._answer)
        # A client that gives up ends its request at the API server too.
        self._runner = web.AppRunner(server, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        if self._runner is not None:
            # Not with the good manners of TLS, for which the loop would have to go on a while.
            for served in self._runner.server.connections if self._runner.server else ():
                if served.transport is not None:
                    served.transport.abort()
            await self._runner.cleanup()
        if self._session is not None and self._session.connector is not None:
            await self._session.connector.close(abort_ssl=True)
            await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        faults = self.faults
        await asyncio.sleep(self._random.uniform(0, faults.delay_s))
        status = self._status_for(request, faults)
        if status is not None:
            if status >= 500 and self._random.random() < faults.performed:
                await self._forward(request)
            self.injected[status] += 1
            return _failure(status)
        try:
            return await self._forward(request)
        except aiohttp.ClientError:
            # The API server is away; a client without a proxy would see its connection break.
            assert request.transport is not None
            request.transport.abort()
            raise

    def _status_for(self, request: web.Request, faults: Faults) -> int | None:
        """The status that this request fails with, if it is one that does."""
        if self._random.random() >= faults.share:
            return None
        statuses = [each for each in faults.statuses if each != 409 or request.method != "GET"]
        return self._random.choice(statuses)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _NOT_FORWARDED}
        body = await request.read()
        async with self._session.request(
            request.method,
            f"{self._cluster.url}{request.raw_path}",
            headers=headers,
            data=body or None,
            allow_redirects=False,
        ) as answer:
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in _NOT_FORWARDED}
            if request.query.get("watch") not in {"true", "1"}:
                return web.Response(status=answer.status, headers=kept, body=await answer.read())
            try:
                return await self._stream(
                    request, answer, web.StreamResponse(status=answer.status, headers=kept)
                )
            finally:
                # A broken watch: without TLS's good manners here too, which might outlast the loop.
                if answer.connection is not None and answer.connection.transport is not None:
                    answer.connection.transport.abort()

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, stream: web.StreamResponse
    ) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        self._watches.add(transport)
        try:
            await stream.prepare(request)
            async for chunk in answer.content.iter_any():
                await stream.write(chunk)
            await stream.write_eof()
        finally:
            self._watches.discard(transport)
        return stream


def _failure(status: int) -> web.Response:
    """As the API server words it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "injected by the fault proxy",
        "reason": _REASONS[status],
        "code": status,
    }
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if status == 429 else {}
    return web.Response(
        status=status, headers=headers, body=json.dumps(body).encode(), content_type="application/json"
    )
