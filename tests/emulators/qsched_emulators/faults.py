"""Faults on demand: an ASGI application around a provider's, and the endpoints that control it.

Everything a test needs is below ``/_emulator/``; all other requests are the provider's, and may meet a fault.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qsched_emulators.twins import Cloud

Kind = Literal[
    "429",
    "500",
    "503",
    "timeout-before",
    "timeout-after",
    "drop-before",
    "drop-after",
    "500-after",
    "slow-body",
    "truncated",
    "expired",
    "revoked",
]

CONTROL = "/_emulator/"
_STATUSES = {"429": 429, "500": 500, "503": 503, "500-after": 500, "expired": 401, "revoked": 403}
_HOLD_S = 120.0


class Fault(msgspec.Struct, kw_only=True):
    """What happens to requests.

    Attributes:
        kind: ``429``, ``500`` and ``503`` answer without doing anything; ``500-after`` does it first.
            ``timeout-before`` and ``-after`` never answer, ``drop-`` closes the connection, each before or
            after the request was carried out. ``slow-body`` sends the answer in pieces over ``seconds``,
            ``truncated`` half of it. ``expired`` and ``revoked`` refuse the credentials.
        method: The HTTP method; any when empty.
        path: A regular expression to be found in the path.
        times: How many requests meet it; any number when None.
        probability: Of each request that fits.
        seconds: Retry-After of a 429 or 503 (none when None), or how long a slow body takes.
        seed: Of the probability.
    """

    kind: Kind
    method: str = ""
    path: str = ""
    times: int | None = 1
    probability: float = 1.0
    seconds: float | None = None
    seed: int = 0


class Faults:
    """The application; ``refusal(status, kind)`` makes a provider's own error answer."""

    def __init__(self, provider: ASGIApp, cloud: Cloud, refusal: Callable[[int, str], Response]) -> None:
        self._provider = provider
        self._cloud = cloud
        self._refusal = refusal
        self._faults: list[tuple[Fault, random.Random]] = []
        self._calls: Counter[str] = Counter()
        self._connections: set[tuple[str, int]] = set()
        self._met: Counter[str] = Counter()
        self._control = Starlette(
            routes=[
                Route(CONTROL + "faults", self._add, methods=["POST"]),
                Route(CONTROL + "faults", self._clear, methods=["DELETE"]),
                Route(CONTROL + "devices/{name:path}", self._change, methods=["POST"]),
                Route(CONTROL + "disturbance", self._disturb, methods=["POST"]),
                Route(CONTROL + "tasks", self._tasks, methods=["GET"]),
                Route(CONTROL + "calls", self._told, methods=["GET"]),
                Route(CONTROL + "reset", self._reset, methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._provider(scope, receive, send)
        elif scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
        else:
            self._calls[f"{scope['method']} {scope['path']}"] += 1
            if scope.get("client"):
                self._connections.add(tuple(scope["client"]))
            fault = self._meets(scope)
            if fault is None:
                await self._provider(scope, receive, send)
            else:
                self._met[fault.kind] += 1
                await self._fail(fault, scope, receive, send)

    def _meets(self, scope: Scope) -> Fault | None:
        for fault, chance in self._faults:
            fits = fault.method in {"", scope["method"]} and re.search(fault.path, scope["path"])
            if fits and fault.times != 0 and chance.random() < fault.probability:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        # The request is read first: a client that still writes would see a reset, not what is meant.
        body = await _body(receive)
        if fault.kind in _STATUSES:
            if fault.kind == "500-after":
                await self._carry_out(scope, body)
            await self._refuse(fault, scope, receive, send)
            return
        if fault.kind.endswith("-before"):
            messages: list[Message] = []
        else:
            messages = await self._carry_out(scope, body)
        if fault.kind.startswith("timeout"):
            await _until_gone(receive)
        elif fault.kind == "slow-body":
            await _send_slowly(messages, send, fault.seconds or 1.0)
        elif fault.kind == "truncated":
            await _send_half(messages, send)
            _abort(send)
        else:
            _abort(send)

    async def _refuse(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._refusal(_STATUSES[fault.kind], fault.kind)
        if fault.seconds is not None and fault.kind in {"429", "503"}:
            response.headers["Retry-After"] = f"{fault.seconds:g}"
        await response(scope, receive, send)

    async def _carry_out(self, scope: Scope, body: bytes) -> list[Message]:
        """Let the provider answer, and keep the answer."""
        messages: list[Message] = []
        given = False

        async def receive() -> Message:
            nonlocal given
            if given:
                await asyncio.Event().wait()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._provider(scope, receive, keep)
        return messages

    async def _add(self, request: Request) -> Response:
        fault = msgspec.json.decode(await request.body(), type=Fault)
        self._faults.append((fault, random.Random(fault.seed)))
        return JSONResponse({})

    async def _clear(self, request: Request) -> Response:
        self._faults.clear()
        return JSONResponse({})

    async def _change(self, request: Request) -> Response:
        self._cloud.change(request.path_params["name"], await request.json())
        return JSONResponse({})

    async def _disturb(self, request: Request) -> Response:
        changes = await request.json()
        self._cloud.disturbance = dataclasses.replace(self._cloud.disturbance, **changes)
        return JSONResponse({})

    async def _tasks(self, request: Request) -> Response:
        return JSONResponse([_row(record) for record in self._cloud.records.values()])

    async def _told(self, request: Request) -> Response:
        return JSONResponse(
            {
                "requests": dict(self._calls),
                "connections": len(self._connections),
                "faults": dict(self._met),
            }
        )

    async def _reset(self, request: Request) -> Response:
        self._faults.clear()
        self._calls.clear()
        self._connections.clear()
        self._met.clear()
        self._cloud.reset_state()
        return JSONResponse({})


def _row(record: Any) -> dict[str, Any]:
    return {
        "id": record.id,
        "key": record.key,
        "device": record.device,
        "state": record.state,
        "shots": record.shots,
        "charge": record.charge,
        "message": record.message,
    }


async def _body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _until_gone(receive: Receive) -> None:
    """Say nothing until the client hangs up."""
    try:
        async with asyncio.timeout(_HOLD_S):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _send_slowly(messages: list[Message], send: Send, seconds: float) -> None:
    body = b"".join(message.get("body", b"") for message in messages[1:])
    await send(messages[0])
    pieces = 10
    for number in range(pieces):
        await asyncio.sleep(seconds / pieces)
        part = body[len(body) * number // pieces : len(body) * (number + 1) // pieces]
        await send({"type": "http.response.body", "body": part, "more_body": number < pieces - 1})


async def _send_half(messages: list[Message], send: Send) -> None:
    body = b"".join(message.get("body", b"") for message in messages[1:])
    await send(messages[0])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await asyncio.sleep(0.01)  # let it leave before the connection is closed


def _abort(send: Send) -> None:
    """Close the connection without another word; uvicorn offers no other way."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
