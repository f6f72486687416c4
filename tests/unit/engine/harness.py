"""A real engine over a real store, with a provider in the test's hands and a clock that runs fast."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters
from qsched.drivers.registry import Drivers
from qsched.engine.assembly import Workshop
from qsched.engine.backends import Backends
from qsched.engine.places import LocalPlaces
from qsched.engine.refinement import Refinement
from qsched.engine.settings import Settings
from qsched.lifecycle.codec import decode_state, encode_state
from qsched.lifecycle.types import new_state, policy_of
from qsched.store.protocol import NewJob
from qsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import TypeAlias

    from qsched.drivers import Driver
    from qsched.engine.engine import Engine
    from qsched.engine.preparation import Preparation
    from qsched.lifecycle.types import State
    from qsched.store.protocol import CommandKind, JobRecord

    Start: TypeAlias = "Callable[..., AbstractAsyncContextManager[Bench]]"

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
PATIENCE_S = 60.0
"""Real seconds after which a condition is held to come true never."""

PACE = Settings(
    inbox_every_s=0.02,
    gather_s=0.05,
    cycle_least_s=0.1,
    cycle_every_s=4.0,
    poll_least_s=0.5,
    poll_most_s=1.0,
    status_every_s=1.0,
    calibration_every_s=1.0,
    purge_every_s=2.0,
    call_timeout_s=20.0,
    grace_s=5.0,
    workers=1,
)
"""Short paces in seconds of ``FastClock``."""


class FastClock:
    """Time that runs ``rate`` times as fast as it does."""

    def __init__(self, rate: float = 50.0) -> None:
        self._rate = rate
        self._start = time.time()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._start + (time.time() - self._start) * self._rate

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        await asyncio.sleep(seconds / self._rate)


class Providers(Drivers):
    """The installed drivers, but for those that a test brings."""

    def __init__(self, **own: Driver) -> None:
        super().__init__()
        self._own = own

    def get(
        self, name: str, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None = None
    ) -> Driver:
        """The driver of a backend."""
        return self._own.get(name) or super().get(name, parameters, credentials)


def backend(name: str, *, driver: str = "fake", **spec: Any) -> QuantumBackend:
    """A backend on the device of the same name."""
    return QuantumBackend(
        metadata=ObjectMeta(name=name), spec=BackendSpec(**{"driver": driver, "device": name, **spec})
    )


def provider(clock: FastClock, *devices: FakeDevice, **parameters: Any) -> FakeDriver:
    """A fake provider on a clock."""
    return FakeDriver(FakeParameters(devices=devices, **parameters), clock=clock.now)


def job(name: str, **spec: Any) -> QuantumCircuitJob:
    """A job with one Bell pair, unless told otherwise."""
    fields = {"circuits": [Circuit(name="bell", qasm=BELL)], "shots": 100, **spec}
    return QuantumCircuitJob(metadata=ObjectMeta(name=name, namespace="default"), spec=JobSpec(**fields))


@dataclass
class Bench:
    """A running engine and what a test does to it."""

    store: SqliteStore
    engine: Engine
    clock: FastClock
    parts: Workshop
    running: asyncio.Task[None]

    def submit(self, *jobs: QuantumCircuitJob, waited_s: float = 0.0) -> None:
        """Store jobs, as if their user had submitted them some time ago."""
        add(self.store, *jobs, at=self.clock.now() - waited_s)
        self.engine.look()

    def command(self, name: str, kind: CommandKind, value: int | None = None) -> None:
        """Send a user's command."""
        self.store.send(f"uid-{name}", kind, self.clock.now(), value)
        self.engine.look()

    def record(self, name: str) -> JobRecord:
        """A job as it is stored."""
        return self.store.get(name)

    def state(self, name: str) -> State:
        """A job's lifecycle state as it is stored."""
        return decode_state(self.record(name).state)

    def events(self, name: str) -> list[str]:
        """The types of the events in a job's history."""
        return [line.type for line in self.store.history(f"uid-{name}")]

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait until something is so; the engine must live meanwhile."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    if self.running.done():
                        self.running.result()
                        raise AssertionError("the engine ended")
                    await asyncio.sleep(0.002)
        except TimeoutError:
            jobs = [(each.name, each.phase, each.reason, each.message) for each in self.store.list()]
            raise AssertionError(f"never came true: {what}; jobs: {jobs}") from None

    async def ended(self) -> None:
        """Wait until the engine has ended, well or not."""
        await asyncio.wait([self.running])

    async def phase(self, name: str, *phases: str) -> State:
        """Wait until a job is in one of some phases."""
        await self.until(lambda: self.record(name).phase in phases, f"{name} {phases}")
        return self.state(name)

    async def reason(self, name: str, reason: str) -> State:
        """Wait until a job is where it is for some reason."""
        await self.until(lambda: self.state(name).reason == reason, f"{name} {reason}")
        return self.state(name)


@asynccontextmanager
async def bench(
    preparation: Preparation,
    folder: Path,
    fake: FakeDriver,
    backends: Sequence[QuantumBackend],
    clock: FastClock,
    *,
    settings: Settings = PACE,
    store: type[SqliteStore] = SqliteStore,
    before: Callable[[SqliteStore], None] = lambda _: None,
    drivers: Mapping[str, Driver] | None = None,
) -> AsyncIterator[Bench]:
    """Run an engine; a second one with the same folder goes on where the first one stopped.

    Args:
        preparation: Reads and transpiles.
        folder: Where the store and the results are.
        fake: The provider behind every driver named ``fake``.
        backends: The fleet.
        clock: The clock.
        settings: The paces.
        store: The class of the store.
        before: What to do with the store before the engine starts.
        drivers: Other providers, by the name of their driver.
    """
    database = store(folder / "qsched.db")
    before(database)
    providers = Providers(fake=fake, **(drivers or {}))
    fleet = Backends(backends, drivers=providers, clock=clock, settings=settings, folder=folder / "twins")
    parts = Workshop(fleet, preparation, Refinement(preparation), clock, settings, LocalPlaces(folder))
    engine = parts.engine(database)
    running = asyncio.create_task(engine.run())
    try:
        yield Bench(database, engine, clock, parts, running)
        if not running.done():
            engine.stop()
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await fleet.aclose()
        await providers.aclose()
        database.close()


def add(store: SqliteStore, *jobs: QuantumCircuitJob, at: float) -> None:
    """Store new jobs whose uids follow from their names."""
    new = []
    for each in jobs:
        uid = f"uid-{each.metadata.name}"
        state = new_state(uid, policy_of(each.spec), at)
        declared = msgspec.structs.replace(
            each, metadata=msgspec.structs.replace(each.metadata, uid=uid, namespace="default")
        )
        new.append(
            NewJob(uid=uid, job=declared, phase=state.phase, state=encode_state(state), submitted_at=at)
        )
    store.add(new)
