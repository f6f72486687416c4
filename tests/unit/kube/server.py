"""A small HTTP server that treats one collection as an API server does, with faults on demand."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from qsched.kube.api import Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

PATH = "/apis/qsched.io/v1alpha1/things"


@dataclass
class Fault:
    """An answer in place of the next one."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Server:
    """The collection and everything that a test does to it."""

    def __init__(self) -> None:
        self.revision = 10
        self.compacted = 0
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []  # method and query of every request
        self.faults: list[Fault] = []
        self.expiry_by_event = False
        self.hang = False
        self.before: Callable[[web.Request], None] = lambda _: None
        self._events: list[tuple[int, str, dict[str, Any]]] = []
        self._uids = 0
        self._snapshots: dict[int, list[dict[str, Any]]] = {}
        self._news: dict[web.StreamResponse, asyncio.Queue[bytes]] = {}
        self._transports: dict[web.StreamResponse, asyncio.Transport] = {}

    @property
    def watches(self) -> int:
        """How many watches are open."""
        return len(self._news)

    def asked_for(self, kind: str) -> list[dict[str, str]]:
        """The queries of the lists or the watches so far."""
        return [
            query
            for method, query in self.asked
            if method == "GET" and ("watch" in query) == (kind == "watch")
        ]

    def put(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create or change an object."""
        old = self.objects.get(name)
        self._uids += old is None
        uid = f"uid-{self._uids}" if old is None else old["metadata"]["uid"]
        self.revision += 1
        metadata = {"name": name, "uid": uid, "resourceVersion": str(self.revision)}
        self.objects[name] = {"metadata": metadata, **fields}
        self._tell("ADDED" if old is None else "MODIFIED", self.objects[name])
        return self.objects[name]

    def remove(self, name: str) -> None:
        """Delete an object."""
        self.revision += 1
        gone = self.objects.pop(name)
        gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.revision)}}
        self._tell("DELETED", gone)

    def bookmark(self) -> None:
        """Tell the watches how far they have come."""
        metadata = {"resourceVersion": str(self.revision), "creationTimestamp": None}
        self.say(json.dumps({"type": "BOOKMARK", "object": {"kind": "Thing", "metadata": metadata}}).encode())

    def compact(self) -> None:
        """Forget all history."""
        self.compacted = self.revision
        self._events.clear()
        self._snapshots.clear()

    def say(self, line: bytes) -> None:
        """Send a line to every watch."""
        for queue in self._news.values():
            queue.put_nowait(line + b"\n")

    def end(self) -> None:
        """End the watches as a server does when their time is over."""
        for queue in self._news.values():
            queue.put_nowait(b"")

    def cut(self) -> None:
        """Break the watches' connections; they hear nothing from now on."""
        for transport in self._transports.values():
            transport.abort()
        self._transports.clear()
        self.end()
        self._news.clear()

    def _tell(self, kind: str, object_: dict[str, Any]) -> None:
        self._events.append((self.revision, kind, object_))
        self.say(json.dumps({"type": kind, "object": object_}).encode())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.asked.append((request.method, dict(request.query)))
        self.before(request)
        if self.hang:
            await asyncio.Event().wait()
        if self.faults:
            fault = self.faults.pop(0)
            return _status(fault.status, fault.headers, fault.body)
        if request.method != "GET":
            return await self._write(request)
        if name := request.match_info.get("name"):
            return web.json_response(self.objects[name]) if name in self.objects else _status(404)
        return await self._watch(request) if "watch" in request.query else self._list(request)

    def _list(self, request: web.Request) -> web.StreamResponse:
        limit = int(request.query["limit"])
        revision, start = self.revision, 0
        if token := request.query.get("continue"):
            revision, start = map(int, token.split("-"))
            if revision not in self._snapshots:
                return _status(410)
        all_ = self._snapshots.setdefault(revision, [self.objects[name] for name in sorted(self.objects)])
        metadata = {"resourceVersion": str(revision)}
        if start + limit < len(all_):
            metadata["continue"] = f"{revision}-{start + limit}"
        return web.json_response({"kind": "List", "metadata": metadata, "items": all_[start : start + limit]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        expired = since < self.compacted
        if expired and not self.expiry_by_event:
            return _status(410)
        answer = web.StreamResponse()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        if expired:
            queue.put_nowait(b'{"type":"ERROR","object":' + _said(410) + b"}\n")
            queue.put_nowait(b"")
        for revision, kind, object_ in self._events:
            if revision > since:
                queue.put_nowait(json.dumps({"type": kind, "object": object_}).encode() + b"\n")
        self._news[answer] = queue
        try:
            await answer.prepare(request)
            assert request.transport is not None
            self._transports[answer] = request.transport
            async with asyncio.timeout(int(request.query["timeoutSeconds"]) if not self.hang else None):
                while line := await queue.get():
                    await answer.write(line)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._news.pop(answer, None)
            self._transports.pop(answer, None)
        return answer

    async def _write(self, request: web.Request) -> web.StreamResponse:
        """A creation or a replacement, with optimistic concurrency."""
        body = await request.json()
        name, old = body["metadata"]["name"], self.objects.get(body["metadata"]["name"])
        if request.method == "POST" and old is not None:
            return _status(409, body=_said(409, "AlreadyExists"))
        if request.method == "PUT":
            if old is None:
                return _status(404)
            if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
                return _status(409)
        fields = {key: value for key, value in body.items() if key != "metadata"}
        return web.json_response(self.put(name, **fields))


def _said(status: int, reason: str = "") -> bytes:
    return json.dumps(
        {"kind": "Status", "code": status, "reason": reason, "message": f"no: {status}"}
    ).encode()


def _status(
    status: int, headers: dict[str, str] | None = None, body: bytes | None = None
) -> web.StreamResponse:
    body = _said(status) if body is None else body
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


@asynccontextmanager
async def serving(folder: Path, path: str = PATH) -> AsyncIterator[tuple[Server, Api]]:
    """Run a server, and connect to it.

    Args:
        folder: For the kubeconfig.
        path: The collection.
    """
    server = Server()
    application = web.Application()
    application.router.add_route("*", path, server.answer)
    application.router.add_route("*", path + "/{name}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG % runner.addresses[0][1])
    api = await Api.connect(kubeconfig)
    try:
        yield server, api
    finally:
        await api.aclose()
        await runner.cleanup()


_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: nobody, user: {}}]
contexts: [{name: here, context: {cluster: here, user: nobody}}]
"""
