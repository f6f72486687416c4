"""The reflector against a small server: whatever goes wrong, its handler ends with the server's view."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qsched.kube.changes import Change, Deleted, Metadata, Seen, Undecodable
from qsched.kube.clock import SystemClock
from qsched.kube.reflector import Pace, Reflector
from tests.unit.kube.server import PATH, Fault, Server, serving
from tests.unit.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

QUICK = Pace(page=3, watch_s=60, least_s=0.001, most_s=0.01, healthy_s=0.05, short_s=0.0)


class Thing(msgspec.Struct, frozen=True):
    metadata: Metadata
    size: int = 0


class View:
    """A handler that keeps everything."""

    def __init__(self) -> None:
        self.objects: dict[str, Thing] = {}
        self.changes: list[Change[Thing]] = []

    def __call__(self, change: Change[Thing]) -> None:
        self.changes.append(change)
        match change:
            case Seen(key, object_):
                self.objects[key] = object_
            case Deleted(key, uid):
                if key in self.objects and self.objects[key].metadata.uid == uid:
                    del self.objects[key]
            case Undecodable(key):
                self.objects.pop(key, None)

    @property
    def sizes(self) -> dict[str, int]:
        return {key: each.size for key, each in self.objects.items()}


class Waits(SystemClock):
    """Waits take no time, but are written down."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[tuple[Server, Any]]:
    async with serving(tmp_path) as (server, api):
        yield server, api


@asynccontextmanager
async def following(
    connected: tuple[Server, Any], **more: Any
) -> AsyncIterator[tuple[Server, View, Reflector[Thing]]]:
    server, api = connected
    view = View()
    reflector = Reflector(api, PATH, Thing, view, **{"pace": QUICK, "rng": random.Random(1), **more})
    running = asyncio.create_task(reflector.run())
    waiting = asyncio.create_task(reflector.synced.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield server, view, reflector
        if running.done():
            running.result()
    finally:
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)


async def test_lists_in_pages_and_then_watches(connected: tuple[Server, Any]) -> None:
    for i in range(8):
        connected[0].put(f"thing-{i}", size=i)
    async with following(connected) as (server, view, reflector):
        assert view.sizes == {f"thing-{i}": i for i in range(8)}
        assert [query.get("continue") for query in server.asked_for("list")] == [None, "18-3", "18-6"]
        await until(lambda: server.watches == 1)
        server.put("thing-0", size=100)
        server.put("new", size=5)
        server.remove("thing-1")
        await until(lambda: "thing-1" not in view.objects)
        assert view.sizes == {name: each["size"] for name, each in server.objects.items()}
        assert [each.listed for each in view.changes if isinstance(each, Seen)] == [True] * 8 + [False] * 2
        last = view.changes[-1]
        assert isinstance(last, Deleted)
        assert last.last is not None
        assert last.last.size == 1
        assert len(reflector) == 8


async def test_goes_on_where_the_server_ended_the_watch(connected: tuple[Server, Any]) -> None:
    async with following(connected) as (server, view, reflector):
        await until(lambda: server.watches == 1)
        server.put("one", size=1)
        await until(lambda: "one" in view.objects)
        server.end()
        server.put("two", size=2)
        await until(lambda: "two" in view.objects)
        assert [query["resourceVersion"] for query in server.asked_for("watch")] == ["10", "11"]
        assert reflector.lists == 1
        assert len(view.changes) == 2


async def test_bookmarks_move_the_point_of_resumption(connected: tuple[Server, Any]) -> None:
    async with following(connected) as (server, _, reflector):
        await until(lambda: server.watches == 1)
        assert server.asked_for("watch")[0]["allowWatchBookmarks"] == "true"
        server.revision = 5000  # others' objects changed
        server.bookmark()
        server.compact()
        server.end()
        await until(lambda: len(server.asked_for("watch")) == 2)
        assert server.asked_for("watch")[1]["resourceVersion"] == "5000"
        assert reflector.lists == 1


async def test_cut_connections_lose_nothing(connected: tuple[Server, Any]) -> None:
    async with following(connected) as (server, view, reflector):
        for i in range(20):
            await until(lambda: server.watches == 1)
            server.put(f"thing-{i % 7}", size=i)
            server.cut()
            if i % 3 == 0:
                server.remove(f"thing-{i % 7}")
        await until(lambda: view.sizes == {name: each["size"] for name, each in server.objects.items()})
        assert reflector.lists == 1
        assert reflector.failures >= 10


@pytest.mark.parametrize("by_event", [False, True])
async def test_an_expired_version_is_listed_anew_and_deletions_are_found(
    connected: tuple[Server, Any],
    by_event: bool,  # noqa: FBT001
) -> None:
    server = connected[0]
    server.expiry_by_event = by_event
    for name in ("stays", "changes", "goes", "returns"):
        server.put(name, size=1)
    async with following(connected) as (server, view, reflector):
        await until(lambda: server.watches == 1)
        told, returned = len(view.changes), view.objects["returns"].metadata.uid
        server.cut()
        server.put("changes", size=2)
        server.remove("goes")
        server.remove("returns")
        server.put("returns", size=3)
        server.compact()
        await until(lambda: reflector.lists == 2)
        assert view.sizes == {"stays": 1, "changes": 2, "returns": 3}
        news = view.changes[told:]
        assert [(type(each), each.key) for each in news] == [
            (Seen, "changes"),
            (Deleted, "returns"),
            (Seen, "returns"),
            (Deleted, "goes"),
        ]
        assert isinstance(news[1], Deleted)
        assert news[1].uid == returned != view.objects["returns"].metadata.uid


async def test_a_list_that_expires_between_two_pages_starts_over(connected: tuple[Server, Any]) -> None:
    server = connected[0]
    for i in range(7):
        server.put(f"thing-{i}")
    expiries = iter([True, False])

    def compact(request: Any) -> None:
        if "continue" in request.query and next(expiries, False):
            server.remove("thing-0")
            server.compact()

    server.before = compact
    async with following(connected) as (server, view, reflector):
        assert sorted(view.objects) == sorted(server.objects) == [f"thing-{i}" for i in range(1, 7)]
        assert reflector.lists == 1
        assert [query.get("continue") for query in server.asked_for("list")][:3] == [None, "17-3", None]


async def test_an_undecodable_object_stops_no_other(connected: tuple[Server, Any]) -> None:
    connected[0].put("good-1", size=1)
    connected[0].put("bad-1", size="large")
    connected[0].put("good-2", size=2)
    async with following(connected) as (server, view, _):
        assert view.sizes == {"good-1": 1, "good-2": 2}
        await until(lambda: server.watches == 1)
        server.put("bad-2", size=[])
        server.put("good-1", size=None)
        server.put("bad-1", size=3)
        server.remove("bad-2")
        await until(lambda: "bad-1" in view.objects and isinstance(view.changes[-1], Deleted))
        assert view.sizes == {"good-2": 2, "bad-1": 3}
        problems = [(each.key, each.problem) for each in view.changes if isinstance(each, Undecodable)]
        assert problems == [
            ("bad-1", "Expected `int`, got `str` - at `$.size`"),
            ("bad-2", "Expected `int`, got `array` - at `$.size`"),
            ("good-1", "Expected `int`, got `null` - at `$.size`"),
        ]


async def test_a_dead_connection_is_given_up(connected: tuple[Server, Any]) -> None:
    pace = msgspec.structs.replace(QUICK, watch_s=1, margin_s=0.2)
    async with following(connected, pace=pace) as (server, view, reflector):
        server.hang = True  # from now on, and the watch that is open outlives its time
        await until(lambda: reflector.failures >= 1)
        server.hang = False
        server.put("after", size=1)
        await until(lambda: "after" in view.objects)
        assert reflector.lists == 1


@pytest.mark.parametrize(
    "line", [b'{"type":"ADDED","object":{"metadata":{"na', b"<html>", b"\xff\xfe", b'{"type":"ADDED"}', b"[]"]
)
async def test_a_garbled_event_breaks_off_the_watch_only(connected: tuple[Server, Any], line: bytes) -> None:
    async with following(connected) as (server, view, reflector):
        await until(lambda: server.watches == 1)
        server.say(line)
        server.put("after")
        await until(lambda: "after" in view.objects)
        assert reflector.failures == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"items": []}', b'{"metadata": {"resourceVersion": 5}}'])
async def test_a_garbled_list_is_asked_for_again(connected: tuple[Server, Any], body: bytes) -> None:
    connected[0].put("one")
    connected[0].faults = [Fault(200, body=body)]
    async with following(connected) as (_, view, reflector):
        assert list(view.objects) == ["one"]
        assert reflector.failures == 1


async def test_an_error_event_of_any_kind_lists_anew(connected: tuple[Server, Any]) -> None:
    async with following(connected) as (server, _, reflector):
        await until(lambda: server.watches == 1)
        server.say(b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}')
        await until(lambda: reflector.lists == 2)


async def test_waits_double_within_their_bounds_and_begin_anew_when_healthy(
    connected: tuple[Server, Any],
) -> None:
    clock = Waits()
    connected[0].faults = [Fault(503)] * 8
    async with following(connected, clock=clock, pace=Pace()) as (server, _, reflector):
        bases = [0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0, 15.0]
        assert len(clock.waited) == 8
        for waited, base in zip(clock.waited, bases, strict=True):
            assert base <= waited <= 2 * base
        await until(lambda: server.watches == 1)
        clock.ahead_s = 11.0  # the watch has lasted that long
        server.cut()
        await until(lambda: len(clock.waited) == 9)
        assert 0.8 <= clock.waited[-1] <= 1.6
        assert reflector.failures == 9


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop(
    connected: tuple[Server, Any],
) -> None:
    clock = Waits()
    async with following(connected, clock=clock, pace=Pace()) as (server, _, _):
        for count in range(1, 5):
            await until(lambda: server.watches == 1)
            server.end()
            await until(lambda count=count: len(clock.waited) == count)
        assert clock.waited[3] >= 6.4


async def test_waits_as_long_as_the_server_asks(connected: tuple[Server, Any]) -> None:
    clock = Waits()
    connected[0].faults = [
        Fault(429, headers={"Retry-After": "7"}),
        Fault(429, headers={"Retry-After": "900"}),
    ]
    async with following(connected, clock=clock, pace=Pace()):
        assert clock.waited == [7.0, 30.0]


async def test_selectors_go_with_every_request(connected: tuple[Server, Any]) -> None:
    for i in range(5):
        connected[0].put(f"thing-{i}")
    async with following(connected, params={"labelSelector": "a=b"}) as (server, _, _):
        await until(lambda: server.watches == 1)
        assert all(query["labelSelector"] == "a=b" for _, query in server.asked)


async def test_a_failing_handler_is_not_hidden(connected: tuple[Server, Any]) -> None:
    def handle(change: Change[Thing]) -> None:
        raise TimeoutError(change.key)

    connected[0].put("one")
    reflector = Reflector(connected[1], PATH, Thing, handle, pace=QUICK)
    with pytest.raises(TimeoutError, match="one"):
        await reflector.run()


async def test_the_last_contact_is_told(connected: tuple[Server, Any]) -> None:
    clock = Waits()
    async with following(connected, clock=clock) as (server, _, reflector):
        first = reflector.last_contact
        assert first is not None
        await until(lambda: server.watches == 1)
        clock.ahead_s = 50.0
        server.bookmark()
        await until(lambda: reflector.last_contact is not None and reflector.last_contact >= first + 50)
