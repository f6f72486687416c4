"""The work queue: nothing is missed, nothing is handled twice at a time, and failures wait."""

from __future__ import annotations

import asyncio
import heapq
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsched.errors import QschedError
from qsched.kube.clock import SystemClock
from qsched.kube.errors import Unreachable
from qsched.kube.queue import Retries, WorkQueue
from tests.unit.kube.waiting import settle, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Turned(SystemClock):
    """A clock whose hands the test turns."""

    def __init__(self) -> None:
        self.at = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.at + seconds, id(future), future))
        await future

    async def turn(self, to: float) -> None:
        """Wake whoever is due on the way there, one after the other."""
        await settle()
        while self._sleepers and self._sleepers[0][0] <= to:
            due, _, future = heapq.heappop(self._sleepers)
            self.at = max(self.at, due)
            if not future.done():
                future.set_result(None)
            await settle()
        self.at = to


@asynccontextmanager
async def working(
    queue: WorkQueue[str], handle: Callable[[str], Awaitable[None]], workers: int = 1
) -> AsyncIterator[None]:
    running = asyncio.create_task(queue.run(workers, handle))
    try:
        yield
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class Handler:
    """Notes what it handles and when; fails as often as it is told; holds what is held."""

    def __init__(self, clock: Turned) -> None:
        self.handled: list[tuple[float, str]] = []
        self.fails: dict[str, list[Exception]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.under_way: list[str] = []
        self._clock = clock

    async def __call__(self, key: str) -> None:
        assert key not in self.under_way
        self.under_way.append(key)
        self.handled.append((self._clock.at, key))
        try:
            if key in self.held:
                await self.held[key].wait()
            if self.fails.get(key):
                raise self.fails[key].pop(0)
        finally:
            self.under_way.remove(key)

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.handled]

    def times(self, key: str) -> list[float]:
        return [at for at, each in self.handled if each == key]


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def handler(clock: Turned) -> Handler:
    return Handler(clock)


async def test_a_key_is_handled_once_for_many_reasons_and_in_order(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    for key in ("a", "b", "a", "c", "b"):
        queue.add(key)
    assert len(queue) == 3
    async with working(queue, handler):
        await settle()
        assert handler.keys == ["a", "b", "c"]
        assert (len(queue), queue.busy, queue.delayed) == (0, 0, 0)


async def test_a_reason_that_comes_meanwhile_is_not_missed(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    handler.held["a"] = asyncio.Event()
    async with working(queue, handler, workers=4):
        queue.add("a")
        await settle()
        queue.add("a")
        queue.add("a")
        await settle()
        assert handler.keys == ["a"]  # no second worker has it
        handler.held["a"].set()
        await settle()
        assert handler.keys == ["a", "a"]


async def test_a_slow_key_holds_nobody_up(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    handler.held["slow"] = asyncio.Event()
    async with working(queue, handler, workers=2):
        for key in ("slow", *map(str, range(50))):
            queue.add(key)
        await until(lambda: len(handler.handled) == 51)
        assert handler.under_way == ["slow"]


async def test_delays(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    async with working(queue, handler):
        queue.add_after("later", 10.0)
        queue.add_after("soon", 2.0)
        queue.add_after("now", 0.0)
        queue.add_after("moved", 8.0)
        queue.add_after("moved", 3.0)  # the earlier one counts
        queue.add_after("moved", 20.0)
        assert queue.delayed == 3
        await clock.turn(30.0)
        assert handler.handled == [(0.0, "now"), (2.0, "soon"), (3.0, "moved"), (10.0, "later")]


async def test_a_delay_survives_what_is_handled_meanwhile(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    async with working(queue, handler):
        queue.add_after("a", 10.0)
        await clock.turn(5.0)
        queue.add("a")
        await clock.turn(20.0)
        assert handler.times("a") == [5.0, 10.0]


async def test_failures_wait_twice_as_long_each_time_until_one_succeeds(
    clock: Turned, handler: Handler
) -> None:
    queue: WorkQueue[str] = WorkQueue(Retries(least_s=1.0, most_s=6.0), clock=clock)
    handler.fails["a"] = [QschedError("no")] * 5
    async with working(queue, handler):
        queue.add("a")
        await clock.turn(100.0)
        assert handler.times("a") == [0.0, 1.0, 3.0, 7.0, 13.0, 19.0]
        handler.fails["a"] = [ValueError("a mistake")]
        queue.add("a")
        await clock.turn(200.0)
        assert handler.times("a")[6:] == [100.0, 101.0]
        assert queue.retries == 6


async def test_waits_as_long_as_the_server_asks(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    handler.fails["a"] = [Unreachable("busy", status=429, retry_after_s=9.0)]
    async with working(queue, handler):
        queue.add("a")
        await clock.turn(60.0)
        assert handler.times("a") == [0.0, 9.0]


async def test_an_outage_of_everything_is_not_retried_all_at_once(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(Retries(least_s=0.1, per_s=10.0, burst=20), clock=clock)
    keys = [f"key-{i:03}" for i in range(120)]
    handler.fails = {key: [QschedError("no")] for key in keys}
    async with working(queue, handler):
        for key in keys:
            queue.add(key)
        await settle()
        await until(lambda: queue.delayed == 120)
        await clock.turn(60.0)
        again = sorted(at for at, _ in handler.handled[120:])
        assert len(again) == 120
        assert sum(at < 0.15 for at in again) == 21  # those of the burst, and the tenth of a second's
        for second in range(1, 10):
            assert sum(second < at <= second + 1 for at in again) in {9, 10, 11}


async def test_memory_is_bounded_however_often_a_time_is_brought_forward(clock: Turned) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    for i in range(20_000):
        queue.add_after(f"key-{i % 10}", 1e6 - i)
    assert queue.delayed == 10
    assert len(queue._timers) < 200


async def test_the_oldest_wait_is_known(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    assert queue.oldest_s == 0.0
    queue.add("a")
    clock.at = 3.0
    queue.add("b")
    clock.at = 5.0
    assert queue.oldest_s == 5.0
    async with working(queue, handler):
        await settle()
        assert queue.oldest_s == 0.0


async def test_what_is_cut_short_begins_the_next_run(clock: Turned, handler: Handler) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    handler.held["a"] = asyncio.Event()
    async with working(queue, handler):
        queue.add("a")
        await settle()
    assert (len(queue), queue.busy) == (1, 0)
    handler.held.clear()
    async with working(queue, handler):
        await settle()
    assert handler.keys == ["a", "a"]


KEYS = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(st.just("add"), KEYS, st.just(0.0)),
    st.tuples(st.just("after"), KEYS, st.floats(0.1, 20.0)),
    st.tuples(st.just("fail"), KEYS, st.just(0.0)),
    st.tuples(st.just("hold"), KEYS, st.just(0.0)),
    st.tuples(st.just("free"), KEYS, st.just(0.0)),
    st.tuples(st.just("turn"), st.just("a"), st.floats(0.1, 10.0)),
)


class Course:
    """What one example does, and the reasons that it gave."""

    def __init__(self) -> None:
        self.clock = Turned()
        self.handler = Handler(self.clock)
        self.queue: WorkQueue[str] = WorkQueue(Retries(least_s=0.5, most_s=4.0), clock=self.clock)
        self.reasons: list[tuple[float, int, str]] = []  # given when, after how many were handled, key

    async def step(self, what: str, key: str, seconds: float) -> None:
        match what:
            case "add" | "after":
                self.reasons.append((self.clock.at, len(self.handler.handled), key))
                self.queue.add_after(key, seconds)
            case "fail":
                self.handler.fails.setdefault(key, []).append(QschedError("no"))
            case "hold":
                self.handler.held.setdefault(key, asyncio.Event())
            case "free" if key in self.handler.held:
                self.handler.held.pop(key).set()
            case "turn":
                await self.clock.turn(self.clock.at + seconds)

    async def end(self) -> None:
        for each in self.handler.held.values():
            each.set()
        await self.clock.turn(self.clock.at + 1000.0)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=30), workers=st.integers(1, 3))
async def test_nothing_is_ever_missed(steps: list[tuple[str, str, float]], workers: int) -> None:
    """After each reason its key is handled, never by two at a time (``Handler`` looks)."""
    course = Course()
    queue, handler = course.queue, course.handler
    async with working(queue, handler, workers):
        for step in steps:
            await course.step(*step)
        await course.end()
        for at, before, key in course.reasons:
            assert any(when >= at and each == key for when, each in handler.handled[before:])
        assert (len(queue), queue.delayed, queue.busy, handler.under_way) == (0, 0, 0, [])
        assert not queue._failures
