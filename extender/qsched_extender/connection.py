"""HTTP/1.1 for answers that need no waiting.

The scheduler calls twice for each pod and waits, so what a call costs counts twice in every scheduling cycle.
All answers come from memory, so a request is answered in the callback that completes it: no task, no queue,
one write. That is half the processor time of the same application behind an ASGI server.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import httptools
import structlog

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

log = structlog.get_logger(__name__)

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"

HEAD_LIMIT: Final = 2**16
"""The most bytes of a request before its body."""

IDLE_S: Final = 150.0
"""Longer than the 90 s for which the scheduler keeps idle connections, so that it never uses a closed one."""

REQUEST_S: Final = 30.0
"""How long a request may take to arrive."""

_UNREAD: Final = 2**20
"""How many bytes of answers may wait for a client to read them while it asks for more."""

_SWEEP_S = 5.0
_STOP_S = 5.0
_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class Answer(NamedTuple):
    """What goes back.

    Attributes:
        status: The HTTP status.
        kind: The content type.
        body: The content.
    """

    status: int
    kind: bytes
    body: bytes


if TYPE_CHECKING:
    Respond = Callable[[str, str, bytes | None], Answer]


class Listener:
    """One address and its connections.

    Attributes:
        respond: Answers a request.
        body_limit: The longest body that is kept, in bytes.
        ending: To be set when it is to end.
    """

    def __init__(
        self, respond: Respond, sock: socket.socket, security: ssl.SSLContext | None, *, body_limit: int
    ) -> None:
        """Prepare; ``run`` begins.

        Args:
            respond: Answers from method, path and body; the body is None if it was longer than the limit.
            sock: Bound and listening.
            security: For TLS; None speaks plain HTTP.
            body_limit: The longest body that is kept, in bytes.
        """
        self._sock = sock
        self._security = security
        self.respond = respond
        self.body_limit = body_limit
        self.ending = asyncio.Event()
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()

    async def run(self) -> None:
        """Answer until ``ending`` is set; requests that are just arriving have a moment to be answered."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), sock=self._sock, ssl=self._security)
        try:
            while not self.ending.is_set():
                await _wait(self.ending, _SWEEP_S)
                self._sweep(loop.time())
            server.close()
            if self._connections:
                await _wait(self._empty, _STOP_S)
        finally:
            server.close()
            for connection in tuple(self._connections):
                connection.transport.abort()

    def joined(self, connection: Connection) -> None:
        """Take in a connection."""
        self._connections.add(connection)
        self._empty.clear()

    def left(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def _sweep(self, now: float) -> None:
        """Close what has been idle, or has been sending one request, for too long."""
        for connection in tuple(self._connections):
            quiet_s = now - connection.since
            if connection.idle and (quiet_s > IDLE_S or self.ending.is_set()):
                connection.transport.close()
            elif not connection.idle and quiet_s > REQUEST_S:
                connection.transport.abort()


class Connection(asyncio.Protocol):
    """The requests of one client, one after the other.

    Attributes:
        transport: Its connection.
        idle: Whether no request is under way.
        since: The loop's time at which that began.
    """

    transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self.idle = True
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._stuck = False
        self._url = b""
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_UNREAD)
        self._listener.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self._listener.left(self)

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read its answers."""
        self._stuck = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._stuck = False
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; the parser calls the methods below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.transport.close()  # answered already, as if no other protocol had been asked for
        except httptools.HttpParserError as error:
            if not self.transport.is_closing():
                self._write(Answer(400, TEXT, f"this is no HTTP/1.1: {error}\n".encode()), keep=False)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.idle = False
        self.since = self._loop.time()
        self._url = b""
        self._body = []
        self._head_bytes = 0
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers; only one of them says anything here."""
        self._count_head(len(name) + len(value))
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of its body. One that is too long is read to its end, and not kept."""
        self._body_bytes += len(body)
        if self._body_bytes <= self._listener.body_limit:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        """The request is complete: answer it."""
        if self.transport.is_closing():
            return
        if self._stuck:  # what was read at once held requests by the thousand
            log.warning("a client that does not read its answers is left")
            self.transport.abort()
            return
        body = b"".join(self._body) if self._body_bytes <= self._listener.body_limit else None
        method = self._parser.get_method().decode("ascii")
        path = self._url.partition(b"?")[0].decode("ascii", "replace")
        try:
            answer = self._listener.respond(method, path, body)
        except Exception:
            log.exception("a request could not be answered", method=method, path=path)
            answer = Answer(500, TEXT, b"this is an error of the extender; its log says more\n")
        keep = self._parser.should_keep_alive() and not self._listener.ending.is_set()
        self._write(answer, keep=keep, head_only=method == "HEAD")
        self.idle = True
        self.since = self._loop.time()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self._write(Answer(431, TEXT, b"the request's headers are too long\n"), keep=False)

    def _write(self, answer: Answer, *, keep: bool, head_only: bool = False) -> None:
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b"
            % (
                answer.status,
                _PHRASES[answer.status],
                answer.kind,
                len(answer.body),
                b"" if keep else b"connection: close\r\n",
                b"" if head_only else answer.body,
            )
        )
        if not keep:
            self.transport.close()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not for ever."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
