"""The controller: who leads works with the engine that a laptop has too, over a cluster's objects."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from qsched.engine.assembly import workshop
from qsched.engine.engine import WAITS
from qsched.engine.settings import Settings
from qsched.kube.acceptance import SCHEMES, accept
from qsched.kube.credentials import Credentials
from qsched.kube.events import Recorder
from qsched.kube.facts import Facts
from qsched.kube.fleet import ClusterFleet, SecretObject
from qsched.kube.journal import Journal
from qsched.kube.lease import Lease, LeaseLost
from qsched.kube.objects import BACKENDS, JOBS, BackendObject, JobObject
from qsched.kube.places import ClusterPlaces
from qsched.kube.queue import WorkQueue
from qsched.kube.reflector import Reflector
from qsched.kube.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from pathlib import Path

    from qsched.drivers.registry import Drivers
    from qsched.engine.engine import Engine
    from qsched.kube.api import Api

log = structlog.get_logger(__name__)

LEASE = "qsched-controller"
SYNC_S = 60.0
"""How long the first lists may take before a new leader gives up."""

FLUSH_S = 10.0
"""How long a controller that is stopped goes on writing what became of jobs."""

PACE = Settings(
    inbox_every_s=5.0, gather_s=0.02, cycle_least_s=0.2, poll_least_s=0.2, unknown_is_gone=True
)
"""New jobs and commands wake the engine; gathering events is quick beside a write to the API server."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a controller is told when it starts.

    Attributes:
        namespace: The controller's own.
        folder: Where it keeps files while it runs.
        identity: Its name in the lease.
        results: A URI below which results go whose jobs name no place; into their status if None.
        schemes: The kinds of URI that jobs may name.
        settings: The engine's paces.
    """

    namespace: str
    folder: Path
    identity: str
    results: str | None = None
    schemes: Sequence[str] = SCHEMES
    settings: Settings = PACE


def own_identity() -> str:
    """A name for this process in the lease: the pod's, or the machine's with the process id."""
    return os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


class Controller:
    """One process of the controller; of several, one leads at a time.

    Attributes:
        lease: The claim to lead.
    """

    def __init__(self, api: Api, options: Options, drivers: Drivers) -> None:
        """Touch nothing yet.

        Args:
            api: The server.
            options: What it was told.
            drivers: Makes drivers; they call nobody unless this process leads.
        """
        self.lease = Lease(api, options.namespace, LEASE, options.identity)
        self._api = api
        self._options = options
        self._drivers = drivers
        self._clock = time.time

    async def run(self, stop: asyncio.Event) -> None:
        """Wait to lead, then lead until told to stop.

        Args:
            stop: Set when the process is to end.

        Raises:
            LeaseLost: If another process may lead by now; this one must end.
            StoreError: If the first lists cannot be read.
        """
        log.info("applies for the lease", lease=LEASE, namespace=self._options.namespace)
        if not await _unless(stop, self.lease.acquire()):
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self.lease.keep())
                await self._lead(stop, tasks)
                keeping.cancel()
        except* LeaseLost as lost:
            raise lost.exceptions[0] from None
        await self.lease.release()

    async def _lead(self, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        options, api = self._options, self._api
        recorder = Recorder(api, may_write=self._leads, clock=self._clock)
        writer = Writer(api, WorkQueue(), recorder, may_write=self._leads, clock=self._clock)
        facts = Facts(api, options.namespace)
        journal = Journal(
            writer,
            accept=lambda job, now: accept(job, now, options.schemes),
            values={WAITS: await facts.load(WAITS)},
            clock=self._clock,
        )
        fleet = ClusterFleet(
            api, WorkQueue(), namespace=options.namespace, may_write=self._leads, clock=self._clock
        )
        journal.outlets.report = fleet.report
        journal.outlets.keep = facts.keep
        secrets = f"/api/v1/namespaces/{options.namespace}/secrets"
        follow: list[Reflector[Any]] = [
            Reflector(api, BACKENDS, BackendObject, fleet.handle),
            Reflector(api, JOBS, JobObject, journal.handle),
            Reflector(
                api, secrets, SecretObject, fleet.handle_secret, params={"labelSelector": "!qsched.io/task"}
            ),
        ]
        async with _running(
            *(each.run() for each in follow), writer.run(), fleet.run(), recorder.run(), facts.run()
        ):
            async with asyncio.timeout(SYNC_S):
                await asyncio.gather(*(each.synced.wait() for each in follow))
            async with workshop(
                journal,
                fleet.declared,
                folder=options.folder,
                settings=options.settings,
                drivers=self._drivers,
                places=ClusterPlaces(api, results=options.results),
                credentials=Credentials(api, options.namespace),
            ) as parts:
                fleet.attach(parts.backends)
                engine = parts.engine(journal)
                journal.outlets.look = engine.look
                await self._work(engine, stop, tasks)
            await self._flush(writer)
            await facts.flush()

    async def _work(self, engine: Engine, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        """Run the engine until told to stop."""
        log.info("the engine starts")
        stopping = tasks.create_task(stop.wait())
        running = asyncio.ensure_future(engine.run())
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            engine.stop()
            await running
        finally:
            stopping.cancel()
            running.cancel()

    async def _flush(self, writer: Writer) -> None:
        """Write what is not written yet, for those who look at their jobs meanwhile."""
        writer.hurry()
        end = time.monotonic() + FLUSH_S
        while writer.unwritten and self._leads() and time.monotonic() < end:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)

    def _leads(self) -> bool:
        return self.lease.valid


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether some work was done before it was time to stop."""
    stopping = asyncio.ensure_future(stop.wait())
    working = asyncio.ensure_future(work)
    done, waiting = await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    if working in done:
        working.result()
    return working in done


@asynccontextmanager
async def _running(*loops: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Loops that run while inside, and end everything if one of them fails."""
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(loop) for loop in loops]
        yield
        for task in tasks:
            task.cancel()
