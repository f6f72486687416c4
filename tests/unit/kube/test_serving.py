"""Probes and metrics over a real socket, as the kubelet and Prometheus ask for them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from qsched.errors import InvalidInput
from qsched.kube.serving import Address, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LOOPBACK = Address("127.0.0.1", 0)


class Asking:
    """Somebody who asks a server that listens somewhere."""

    def __init__(self, session: aiohttp.ClientSession, address: Address) -> None:
        self._session = session
        self.base = f"http://{address.host}:{address.port}"

    async def __call__(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        async with self._session.request(method, self.base + path, headers=headers) as got:
            return got.status, await got.text()

    async def kind(self, path: str, **headers: str) -> str:
        async with self._session.get(self.base + path, headers=headers) as got:
            return got.headers["Content-Type"]


@asynccontextmanager
async def asking(
    *,
    health: dict[str, Callable[[], str]] | None = None,
    ready: dict[str, Callable[[], str]] | None = None,
    registry: CollectorRegistry | None = None,
    role: Callable[[], str] | None = None,
) -> AsyncIterator[Asking]:
    registry = registry or CollectorRegistry()
    async with (
        serving(LOOPBACK, health=health or {}, ready=ready or {}, registry=registry, role=role) as address,
        aiohttp.ClientSession() as session,
    ):
        yield Asking(session, address)


async def test_a_probe_fails_as_soon_as_a_check_does_and_says_which() -> None:
    wrong = {"health": "", "ready": "the jobs are not listed yet"}
    async with asking(
        health={"loops": lambda: wrong["health"]},
        ready={"jobs": lambda: wrong["ready"], "fleet": str},
    ) as ask:
        assert await ask("/healthz") == (200, "ok\nloops: ok\n")
        assert await ask("/readyz") == (503, "failing\njobs: the jobs are not listed yet\nfleet: ok\n")
        wrong.update(health="the writer has stopped", ready="")
        assert await ask("/healthz") == (503, "failing\nloops: the writer has stopped\n")
        assert await ask("/readyz") == (200, "ok\njobs: ok\nfleet: ok\n")


async def test_a_standby_is_ready_and_says_what_it_is() -> None:
    role = "standby"
    async with asking(role=lambda: role) as ask:
        assert await ask("/readyz") == (200, "ok\nrole: standby\n")
        role = "leader"
        assert await ask("/readyz") == (200, "ok\nrole: leader\n")


async def test_prometheus_gets_what_the_registry_holds_in_the_format_that_it_asks_for() -> None:
    registry = CollectorRegistry()
    Gauge("qsched_test", "A figure.", registry=registry).set(42)
    async with asking(registry=registry) as ask:
        status, text = await ask("/metrics")
        assert status == 200
        assert "qsched_test 42.0\n" in text
        assert (await ask.kind("/metrics")).startswith("text/plain; version=0.0.4")
        openmetrics = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
        assert (await ask.kind("/metrics", Accept=openmetrics)).startswith("application/openmetrics-text")
        assert (await ask("/metrics", Accept=openmetrics))[1].endswith("# EOF\n")


async def test_what_is_no_proper_question_gets_a_sentence() -> None:
    async with asking() as ask:
        assert await ask("/") == (404, "ask for /healthz, /readyz or /metrics\n")
        assert await ask("/healthz", "POST") == (405, "ask with GET\n")
        assert await ask("/healthz", "HEAD") == (200, "")


async def test_it_answers_at_once_stops_at_once_and_leaves_signals_alone() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    async with serving(LOOPBACK, health={}, ready={}, registry=CollectorRegistry()) as address:
        assert address.port > 0
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert {number: signal.getsignal(number) for number in before} == before
    # The connection was kept alive; it is closed now, and nobody listens any more.
    await reader.read()
    assert reader.at_eof()
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)


async def test_it_stops_when_what_it_serves_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serving(LOOPBACK, health={}, ready={}, registry=CollectorRegistry()) as address:
            raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)


async def test_a_port_that_is_taken_is_said_so() -> None:
    async with serving(LOOPBACK, health={}, ready={}, registry=CollectorRegistry()) as address:
        with pytest.raises(InvalidInput, match=rf"127.0.0.1:{address.port} cannot be listened on: Address"):
            async with serving(address, health={}, ready={}, registry=CollectorRegistry()):
                raise AssertionError("two servers on one port")


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("[::1]:0", "::1", 0, True),
        ("localhost:1", "localhost", 1, True),
        ("qsched.example:443", "qsched.example", 443, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:  # noqa: FBT001
    address = Address.parse(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)


@pytest.mark.parametrize("text", ["8080", ":8080", "host:", "host:http", "host:70000", "host:-1", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="write HOST:PORT"):
        Address.parse(text)
