"""Servers on free ports of loopback, each with a client that writes and reads bytes."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from qsched.kube.serving import Address
from qsched_extender.connection import Listener

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from qsched_extender.connection import Respond

    Serve = Callable[..., AbstractAsyncContextManager["Served"]]


class Served:
    """A listener that runs, and its port."""

    def __init__(self, listener: Listener, port: int, running: asyncio.Task[None]) -> None:
        self.listener = listener
        self.port = port
        self.running = running
        self._clients: list[Client] = []

    async def connect(self, **options: object) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        await self.send(b"%b %b HTTP/1.1\r\n" % (method.encode(), path.encode()))
        await self.send(b"Host: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return await self.answer()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, *, head_only: bool = False) -> tuple[int, bytes]:
        """The status and body of the next answer."""
        async with asyncio.timeout(10):
            status = int((await self._reader.readline()).split()[1])
            length = 0
            while (line := await self._reader.readline()) != b"\r\n":
                assert line, "closed in the middle of the head"
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if status == 100:
                return status, b""
            return status, b"" if head_only else await self._reader.readexactly(length)

    async def closed(self) -> bool:
        """Whether nothing more comes."""
        async with asyncio.timeout(10):
            return await self._reader.read() == b""

    def certificate(self) -> str:
        """The number of the certificate that the server showed."""
        return self._writer.get_extra_info("peercert")["serialNumber"]

    async def close(self) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@pytest.fixture
def serve() -> Serve:
    """``async with serve(respond, body_limit=...) as served``."""

    @asynccontextmanager
    async def serving(
        respond: Respond, *, security: ssl.SSLContext | None = None, body_limit: int = 1000
    ) -> AsyncIterator[Served]:
        with Address("127.0.0.1", 0).bind() as sock:
            listener = Listener(respond, sock, security, body_limit=body_limit)
            running = asyncio.create_task(listener.run())
            served = Served(listener, sock.getsockname()[1], running)
            try:
                yield served
            finally:
                await served.close()
                listener.ending.set()
                await running

    return serving
