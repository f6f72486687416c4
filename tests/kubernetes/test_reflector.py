"""The reflector against a real API server: the handler ends with the server's view."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qsched.kube.api import Api
from qsched.kube.changes import Change, Deleted, Metadata, Seen
from qsched.kube.errors import Absent, ApiError, Conflict, Unreachable
from qsched.kube.reflector import Pace, Reflector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.kubernetes.rig import Cluster

PATH = "/apis/qsched.io/v1alpha1/quantumbackends"
QUICK = Pace(page=150, watch_s=60, least_s=0.1, most_s=1.0)
PATIENCE_S = 60.0


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    max_in_flight: int = 0


class Backend(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: Spec


class Backends(msgspec.Struct, frozen=True):
    items: list[Backend]


class View:
    """A handler that keeps everything, and finds what contradicts what it was told before."""

    def __init__(self) -> None:
        self.objects: dict[str, Backend] = {}
        self.changes = 0
        self.listed = 0

    def __call__(self, change: Change[Backend]) -> None:
        self.changes += 1
        match change:
            case Seen(key, object_, listed):
                known = self.objects.get(key)
                assert known is None or known.metadata.uid == object_.metadata.uid
                self.objects[key] = object_
                self.listed += listed
            case Deleted(key, uid):
                assert self.objects.pop(key).metadata.uid == uid


async def until(condition: Callable[[], bool], what: str = "") -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - the condition may be anything
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    api = await Api.connect(cluster.kubeconfig())
    yield api
    await api.aclose()


@asynccontextmanager
async def following(api: Api, pace: Pace = QUICK) -> AsyncIterator[tuple[Reflector[Backend], View]]:
    view = View()
    reflector = Reflector(api, PATH, Backend, view, pace=pace)
    running = asyncio.create_task(reflector.run())
    try:
        await until(lambda: reflector.synced.is_set() or running.done(), "the first list")
        yield reflector, view
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def persistently(ask: Callable[[], Awaitable[Any]]) -> None:
    """Ask until the server has answered, whatever it says."""
    while True:
        try:
            await ask()
        except Unreachable:
            await asyncio.sleep(0.1)
        except (Absent, Conflict):
            return
        else:
            return


async def in_parallel(asks: list[Callable[[], Awaitable[Any]]]) -> None:
    """Ask all, in order, 32 at a time."""
    rest = iter(asks)

    async def ask() -> None:
        for each in rest:
            await persistently(each)

    await asyncio.gather(*(ask() for _ in range(32)))


def creation(api: Api, name: str) -> Callable[[], Awaitable[Any]]:
    spec = {"driver": "fake", "device": "boston", "maxInFlight": 1}
    body = {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumBackend",
        "metadata": {"name": name},
        "spec": spec,
    }
    return lambda: api.create(PATH, body)


def change(api: Api, name: str, value: int) -> Callable[[], Awaitable[Any]]:
    return lambda: api.merge(f"{PATH}/{name}", {"spec": {"maxInFlight": value}})


def deletion(api: Api, name: str) -> Callable[[], Awaitable[Any]]:
    return lambda: api.delete(f"{PATH}/{name}")


def churn(api: Api, names: list[str], rng: random.Random) -> list[Callable[[], Awaitable[Any]]]:
    """Changes, deletions, and deletions with something new of the same name after it."""
    asks = []
    for name in rng.sample(names, len(names)):
        match rng.randrange(4):
            case 0:
                asks.append(deletion(api, name))
            case 1:
                asks += [deletion(api, name), creation(api, name)]
            case _:
                asks.append(change(api, name, rng.randrange(2, 1000)))
    return asks


async def stored(api: Api) -> dict[str, Backend]:
    """The server's view."""
    backends = msgspec.json.decode(await api.get(PATH), type=Backends)
    return {each.metadata.name: each for each in backends.items}


async def same(api: Api, view: View) -> int:
    """Wait until both views are equal; returns how many objects there are."""
    truth = await stored(api)
    await until(lambda: view.objects == truth, "equal views")
    return len(truth)


async def test_two_thousand_objects_through_restarts_and_compaction(cluster: Cluster, api: Api) -> None:
    rng = random.Random(4)
    names = [f"backend-{i:04}" for i in range(2000)]
    async with following(api) as (first, early), following(api, QUICK) as (_, other):
        await in_parallel([creation(api, name) for name in names])
        assert await same(api, early) == 2000
        for round_ in range(2):
            changes = asyncio.create_task(in_parallel(churn(api, names, rng)))
            seen = early.changes
            await until(lambda seen=seen: early.changes > seen + 300, "changes")
            if round_ == 0:  # every watch ends, and its version is unknown to the server that comes back
                await asyncio.to_thread(cluster.forget_history)
            else:
                await asyncio.to_thread(cluster.compact_etcd)
            async with following(api) as (late, later):  # lists pages while everything changes
                await changes
                assert 500 < await same(api, early) < 2000
                assert later.listed > 500
                assert await same(api, later) == await same(api, other) == len(late) == len(first)
        assert first.lists == 2  # the first, and one when history was forgotten
        assert early.listed < 1500  # a list tells only what is new


async def test_watches_that_the_server_ends_are_resumed_without_a_list(cluster: Cluster, api: Api) -> None:
    def ended() -> int:
        """How many watches have ended: only then are they in the audit log."""
        return sum(each.verb == "watch" and each.resource == "quantumbackends" for each in cluster.audit())

    async with following(api, Pace(watch_s=1, short_s=0.2)) as (reflector, view):
        for i in range(3):
            before = ended()
            await persistently(creation(api, f"resumed-{i}"))
            await until(lambda i=i: f"resumed-{i}" in view.objects)
            await until(lambda before=before: ended() > before, "the end of a watch")
        assert await same(api, view) == len(reflector)
        assert (reflector.lists, reflector.failures) == (1, 0)


async def test_a_server_that_hangs_is_given_up_and_found_again(cluster: Cluster, api: Api) -> None:
    async with following(api, Pace(watch_s=2, margin_s=1.0, least_s=0.2, most_s=0.5)) as (reflector, view):
        cluster.apiserver.pause()
        try:
            await until(lambda: reflector.failures > 0, "the watch is given up")
        finally:
            cluster.apiserver.resume()
        await persistently(creation(api, "after"))
        await until(lambda: "after" in view.objects)
        assert reflector.lists == 1


async def test_a_resource_that_is_not_installed_is_waited_for(api: Api) -> None:
    view = View()
    path = "/apis/qsched.io/v1alpha1/quantumthings"
    reflector = Reflector(api, path, Backend, view, pace=Pace(least_s=0.01, most_s=0.05))
    running = asyncio.create_task(reflector.run())
    await until(lambda: reflector.failures >= 3)
    assert not running.done()
    assert not reflector.synced.is_set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(ApiError):
        await api.get(path)
