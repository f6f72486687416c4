"""HTTP/1.1 as clients speak it, well and badly."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from qsched_extender.connection import HEAD_LIMIT, TEXT, Answer

if TYPE_CHECKING:
    from tests.unit.extender.conftest import Serve


def echo(method: str, path: str, body: bytes | None) -> Answer:
    """Says what it was asked; 413 without a body, as the application does."""
    if body is None:
        return Answer(413, TEXT, b"too long")
    return Answer(200, TEXT, b"%b %b %b" % (method.encode(), path.encode(), body))


async def test_one_connection_carries_many_requests(serve: Serve) -> None:
    async with serve(echo) as served:
        client = await served.connect()
        for number in range(3):
            assert await client.ask("POST", f"/{number}?x=1", b"abc") == (200, b"POST /%d abc" % number)


async def test_requests_may_come_in_pieces_and_in_one_piece(serve: Serve) -> None:
    one = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    chunked = b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with serve(echo) as served:
        client = await served.connect()
        for byte in one:
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await client.answer() == (200, b"POST /a hello")
        await client.send(one + chunked + one)
        assert await client.answer() == (200, b"POST /a hello")
        assert await client.answer() == (200, b"POST /b abcde")
        assert await client.answer() == (200, b"POST /a hello")


@pytest.mark.parametrize(
    "request_of",
    [
        lambda body: b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
        lambda body: (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        ),
    ],
    ids=["length", "chunked"],
)
async def test_a_body_over_the_limit_is_refused_and_the_next_one_is_not(serve: Serve, request_of) -> None:
    async with serve(echo, body_limit=1000) as served:
        client = await served.connect()
        await client.send(request_of(b"x" * 1_000_000))
        assert await client.answer() == (413, b"too long")
        await client.send(request_of(b"x" * 1001))
        assert await client.answer() == (413, b"too long")
        await client.send(request_of(b"x" * 1000))
        assert await client.answer() == (200, b"POST / " + b"x" * 1000)


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_what_is_not_http_is_refused(serve: Serve, rubbish: bytes) -> None:
    async with serve(echo) as served:
        client = await served.connect()
        await client.send(rubbish)
        status, words = await client.answer()
        assert status == 400
        assert b"no HTTP/1.1" in words
        assert await client.closed()
        assert (await (await served.connect()).ask("GET", "/"))[0] == 200


async def test_headers_have_a_limit(serve: Serve) -> None:
    async with serve(echo) as served:
        client = await served.connect()
        await client.send(b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT + b"\r\n\r\n")
        assert (await client.answer())[0] == 431
        assert await client.closed()


async def test_old_and_unusual_clients_are_served(serve: Serve) -> None:
    async with serve(echo) as served:
        client = await served.connect()
        await client.send(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await client.answer() == (100, b"")
        await client.send(b"ok")
        assert await client.answer() == (200, b"POST / ok")
        await client.send(b"HEAD / HTTP/1.1\r\n\r\n")
        assert await client.answer(head_only=True) == (200, b"")
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert await client.answer() == (200, b"GET / ")
        assert await client.closed()


async def test_another_protocol_is_not_offered(serve: Serve) -> None:
    async with serve(echo) as served:
        client = await served.connect()
        await client.send(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert await client.answer() == (200, b"GET / ")
        assert await client.closed()


async def test_an_error_of_ours_is_no_end_of_the_connection(serve: Serve) -> None:
    def fails(method: str, path: str, body: bytes | None) -> Answer:
        if path == "/bad":
            raise ZeroDivisionError
        return echo(method, path, body)

    async with serve(fails) as served:
        client = await served.connect()
        status, words = await client.ask("POST", "/bad")
        assert status == 500
        assert b"Traceback" not in words
        assert (await client.ask("POST", "/good"))[0] == 200


async def test_a_client_that_leaves_in_the_middle_harms_nobody(serve: Serve) -> None:
    async with serve(echo) as served:
        client = await served.connect()
        await client.send(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
        await client.close()
        assert (await (await served.connect()).ask("GET", "/"))[0] == 200


async def test_a_client_that_asks_on_and_on_without_reading_is_left(serve: Serve) -> None:
    answered = 0

    def large(method: str, path: str, body: bytes | None) -> Answer:
        nonlocal answered
        answered += 1
        return Answer(200, TEXT, b"x" * 2**22)

    async with serve(large) as served:
        client = await served.connect()

        async def asks_for_ever() -> None:
            while True:
                await client.send(b"GET / HTTP/1.1\r\n\r\n" * 1000)

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(asks_for_ever(), 10)
        assert answered < 10


async def test_a_large_answer_is_read_at_leisure_and_the_next_one_follows(serve: Serve) -> None:
    async with serve(lambda *_: Answer(200, TEXT, b"x" * 2**24)) as served:
        client = await served.connect()
        for _ in range(3):
            assert (await client.ask("GET", "/"))[1] == b"x" * 2**24


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc"])
async def test_idle_and_stuck_connections_do_not_stay(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    for limit in ("IDLE_S", "REQUEST_S", "_SWEEP_S"):
        monkeypatch.setattr(f"qsched_extender.connection.{limit}", 0.05)
    async with serve(echo) as served:
        client = await served.connect()
        await client.send(sent)
        with contextlib.suppress(ConnectionError):
            assert await client.closed()


async def test_at_the_end_idle_connections_are_closed_and_a_request_under_way_is_answered(
    serve: Serve,
) -> None:
    async with serve(echo) as served:
        idle, busy = await served.connect(), await served.connect()
        await idle.ask("GET", "/")
        await busy.send(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nha")
        await idle.ask("GET", "/")
        served.listener.ending.set()
        assert await idle.closed()
        await busy.send(b"lf")
        assert await busy.answer() == (200, b"POST / half")
        assert await busy.closed()
        await served.running
