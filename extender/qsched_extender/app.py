"""The HTTP side: bare ASGI, as every microsecond here is added to each scheduling cycle.

=================  ======================================================================
POST /filter       the nodes that a pod may go to
POST /prioritize   their scores
POST /preempt      the nodes on which preemption makes sense for it
GET /healthz       200 as long as this process answers
GET /readyz        200 when the cache is filled; 503 before, and what is missing
GET /metrics       for Prometheus
=================  ======================================================================

Errors are answered the way the scheduler understands: filter has a field for them, the other verbs fail with
status 503. What is no proper request gets 400, 404, 405 or 413, and a sentence.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qsched.errors import InvalidInput
from qsched_extender.decisions import Cold
from qsched_extender.metrics import CONTENT_TYPE
from qsched_extender.wire import FilterResult, encode, read_args, read_preemption

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from qsched_extender.cache import Cache
    from qsched_extender.decisions import Decisions
    from qsched_extender.metrics import Metrics

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

VERBS = ("filter", "prioritize", "preempt")
_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"
_CLOSE = (b"connection", b"close")


class Health:
    """What probes and Prometheus ask; it may listen where the verbs do not."""

    def __init__(self, cache: Cache, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        del receive  # none of them has a body
        path, method = scope["path"], scope["method"]
        if path == "/healthz":
            status, body, kind = 200, b"ok\n", _TEXT
        elif path == "/readyz":
            cold = ", ".join(sorted(self._cache.cold))
            status, body, kind = (
                (503, f"not listed yet: {cold}\n".encode(), _TEXT) if cold else (200, b"ok\n", _TEXT)
            )
        elif path == "/metrics":
            status, body, kind = 200, self._metrics.text(), CONTENT_TYPE
        else:
            await _answer(send, 404, b"there is no such path here\n", _TEXT)
            return
        if method not in {"GET", "HEAD"}:
            status, body, kind = 405, b"ask with GET\n", _TEXT
        await _answer(send, status, body, kind)


class Extender:
    """The verbs; every other path is handed on to ``Health``."""

    def __init__(self, decisions: Decisions, health: Health, metrics: Metrics, *, body_limit: int) -> None:
        """Put the parts together.

        Args:
            decisions: What answers.
            health: What answers everything else.
            metrics: What counts.
            body_limit: The longest body that is read, in bytes.
        """
        self._decisions = decisions
        self._health = health
        self._metrics = metrics
        self._limit = body_limit
        answers = (self._filter, self._prioritize, self._preempt)
        self._verbs = {f"/{verb}": answer for verb, answer in zip(VERBS, answers, strict=True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        verb = self._verbs.get(scope["path"])
        if verb is None:
            await self._health(scope, receive, send)
            return
        if scope["method"] != "POST":
            await _answer(send, 405, b"ask with POST\n", _TEXT)
            return
        name = scope["path"][1:]
        body = await self._body(receive)
        started = time.perf_counter()
        if body is None:
            outcome, status, kind = "too-large", 413, _TEXT
            answer = f"the body is longer than {self._limit:,} bytes; see --body-limit\n".encode()
        else:
            try:
                answer, outcome = verb(body)
                status, kind = 200, _JSON
            except InvalidInput as error:
                answer, outcome, status, kind = _sentence(error), "bad-request", 400, _TEXT
            except Cold as error:
                answer, outcome, status, kind = _sentence(error), "cold", 503, _TEXT
        self._metrics.answered(name, outcome, time.perf_counter() - started)
        await _answer(send, status, answer, kind, close=body is None)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body, or None if it is too long."""
        message = await receive()
        first: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return first if len(first) <= self._limit else None
        parts, size = [first], len(first)
        while message.get("more_body", False):
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limit:
                return None
        return b"".join(parts)

    def _filter(self, body: bytes) -> tuple[bytes, str]:
        args = read_args(body)
        try:
            result, outcome = self._decisions.filter(args)
        except Cold as error:
            return encode(FilterResult(error=str(error))), "cold"
        return encode(result), outcome

    def _prioritize(self, body: bytes) -> tuple[bytes, str]:
        return encode(self._decisions.prioritize(read_args(body))), "scores"

    def _preempt(self, body: bytes) -> tuple[bytes, str]:
        result = self._decisions.preempt(read_preemption(body))
        return encode(result), "victims" if result.victims else "no-node"


def _sentence(error: Exception) -> bytes:
    return f"{error}\n".encode(errors="replace")


async def _answer(send: Send, status: int, body: bytes, kind: bytes, *, close: bool = False) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    if close:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
