"""A simulated world in which processes compete for a lease: time, network, clocks and pauses of a script."""

from __future__ import annotations

import asyncio
import heapq
import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import msgspec

from qsched.kube.errors import Absent, AlreadyExists, Conflict, Unreachable
from qsched.kube.lease import Lease, LeaseLost
from tests.unit.kube.waiting import settle

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from qsched.kube.api import Api


@dataclass(frozen=True)
class Chaos:
    """How bad it gets.

    Attributes:
        slow: The share of messages that take long, up to half a minute.
        lost: The share of requests, and of answers, that get lost.
        broken: The share of exchanges that fail at once, though the server may have heard.
        stops: The share of messages at which the process is stopped for up to half a minute: a request's as
            it reaches the server, an answer's just before or just after it is read.
        rates: Between these are the speeds of the clocks.
        wall_s: Wall clocks jump by up to this, forth and back; None: they stand still.
    """

    slow: float = 0.0
    lost: float = 0.0
    broken: float = 0.0
    stops: float = 0.0
    rates: tuple[float, float] = (1.0, 1.0)
    wall_s: float | None = 0.0


class World:
    """True time, the server's one lease, and the processes."""

    def __init__(self, rng: random.Random, chaos: Chaos) -> None:
        self.now = 0.0
        self.rng = rng
        self.chaos = chaos
        self.lease: dict[str, Any] | None = None
        self.revision = 0
        self.processes: list[Process] = []
        self.reigns: list[tuple[float, str]] = []  # since when, who
        self._agenda: list[tuple[float, int, Process | None, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, act: Callable[[], None], process: Process | None = None) -> None:
        """Have something happen; to a process only while it is not stopped."""
        heapq.heappush(self._agenda, (when, next(self._order), process, act))

    async def run(self, to: float) -> None:
        """Let time pass, and look after each happening who believes to lead."""
        await self.look()
        while self._agenda and self._agenda[0][0] <= to:
            when, _, process, act = heapq.heappop(self._agenda)
            self.now = max(self.now, when)
            if process is not None and process.stopped_until > self.now:
                self.at(process.stopped_until, act, process)
                continue
            act()
            await self.look()
        self.now = to

    async def look(self) -> None:
        """Nobody but one is sure to lead. Validity begins with a happening, so no overlap can be missed."""
        await settle()
        leading = [each.name for each in self.processes if each.lease.valid]
        assert len(leading) <= 1, f"at {self.now:.3f}: {leading}"
        if leading and (not self.reigns or self.reigns[-1][1] != leading[0]):
            self.reigns.append((self.now, leading[0]))

    def start(self, name: str, **lease: Any) -> Process:
        """Start a process that wants to lead, for ever."""
        process = Process(self, name, lease)
        self.processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        """End a process between two instructions."""
        process.task.cancel()
        process.stopped_until = float("inf")
        self.processes.remove(process)

    def stop(self, process: Process, seconds: float) -> None:
        """Stop a process for a while, as SIGSTOP does."""
        process.stopped_until = max(process.stopped_until, self.now + seconds)

    async def end(self) -> None:
        """End all processes."""
        tasks = [each.task for each in self.processes]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    def answer(self, method: str, body: bytes | None) -> bytes:
        """What the API server does with a request; it happens in one instant."""
        if method == "GET":
            if self.lease is None:
                raise Absent("no lease", status=404)
            return json.dumps(self.lease).encode()
        assert body is not None
        new = json.loads(body)
        if method == "POST" and self.lease is not None:
            raise AlreadyExists("there is one", status=409)
        if method == "PUT":
            if self.lease is None:
                raise Absent("no lease", status=404)
            if new["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                raise Conflict("changed", status=409)
            if new["spec"] == self.lease["spec"]:
                return json.dumps(self.lease).encode()  # nothing is stored when nothing changes
        self.write({**new["metadata"], "uid": "u"}, new["spec"])
        return json.dumps(self.lease).encode()

    def write(self, metadata: dict[str, Any], spec: dict[str, Any]) -> None:
        """Store the lease."""
        self.revision += 1
        self.lease = {"metadata": {**metadata, "resourceVersion": str(self.revision)}, "spec": spec}


@dataclass
class Process:
    """A process with its own clock and its own way to the server; it stands in for both."""

    world: World
    name: str
    settings: dict[str, Any]
    stopped_until: float = 0.0
    lost: int = 0
    resigned: bool = False
    lease: Lease = field(init=False)
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        rng = self.world.rng
        self._rate = rng.uniform(*self.world.chaos.rates)
        self._offset = rng.uniform(0, 1e6)
        self.lease = Lease(cast("Api", self), "ns", "lease", self.name, clock=self, **self.settings)
        self.task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while True:
            await self.lease.acquire()
            try:
                await self.lease.keep()
            except LeaseLost:
                assert not self.lease.valid
                self.lost += 1

    def resign(self) -> None:
        """Stop to lead, and say so."""
        self.resigned = True
        self.task.cancel()
        self.task = asyncio.create_task(self._leave(self.task))

    async def _leave(self, life: asyncio.Task[None]) -> None:
        await asyncio.wait([life])
        await self.lease.release()

    # the clock

    def monotonic(self) -> float:
        return self._offset + self.world.now * self._rate

    def now(self) -> float:
        wall_s = self.world.chaos.wall_s
        if wall_s is None:
            return 1.8e9
        return 1.8e9 + self.world.now + self.world.rng.uniform(-wall_s, wall_s)

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self.world.at(self.world.now + seconds / self._rate, wake, self)
        await future

    # the API server, at the end of a bad line

    async def get(self, path: str) -> bytes:
        return await self._exchange("GET", None)

    async def create(self, path: str, body: object) -> bytes:
        return await self._exchange("POST", body)

    async def replace(self, path: str, body: object) -> bytes:
        return await self._exchange("PUT", body)

    async def _exchange(self, method: str, body: object) -> bytes:
        world, chaos, rng = self.world, self.world.chaos, self.world.rng
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        sent = None if body is None else msgspec.json.encode(body)
        if rng.random() < chaos.broken:
            self._resolve(world.now + self._delay_s(), future, Unreachable("connection reset"))

        def arrive() -> None:
            self._stumble()
            try:
                outcome: Any = world.answer(method, sent)
            except (Absent, Conflict) as error:
                outcome = error
            if rng.random() >= chaos.lost:
                self._resolve(world.now + self._delay_s(), future, outcome)

        if rng.random() >= chaos.lost:
            world.at(world.now + self._delay_s(), arrive)
        return await future

    def _delay_s(self) -> float:
        rng = self.world.rng
        if rng.random() >= self.world.chaos.slow:
            return rng.uniform(0.001, 0.02)
        return rng.uniform(0.0, rng.choice([5.0, 30.0]))

    def _stumble(self) -> None:
        rng = self.world.rng
        if rng.random() < self.world.chaos.stops:
            self.world.stop(self, rng.uniform(0.0, 30.0))

    def _resolve(self, when: float, future: asyncio.Future[Any], outcome: Any) -> None:
        def act() -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
            self._stumble()

        self.world.at(when, act, self)
