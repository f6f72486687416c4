"""The controller: who leads works with the engine that a laptop has too, over a cluster's objects."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from qsched.engine.assembly import workshop
from qsched.engine.clock import SystemClock
from qsched.engine.engine import RUNS, WAITS
from qsched.engine.settings import Settings
from qsched.errors import StoreError
from qsched.kube.acceptance import SCHEMES, accept
from qsched.kube.credentials import Credentials
from qsched.kube.events import Recorder
from qsched.kube.facts import Facts
from qsched.kube.fleet import ClusterFleet, SecretObject
from qsched.kube.guard import GuardedDrivers
from qsched.kube.journal import Journal
from qsched.kube.lease import Lease, LeaseLost
from qsched.kube.objects import BACKENDS, JOBS, BackendObject, JobObject
from qsched.kube.places import ClusterPlaces
from qsched.kube.pods import JobPods
from qsched.kube.queue import WorkQueue
from qsched.kube.reflector import Reflector
from qsched.kube.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
    from pathlib import Path

    from qsched.drivers.registry import Drivers
    from qsched.engine.engine import Engine
    from qsched.kube.api import Api
    from qsched.kube.changes import Change
    from qsched.kube.metrics import Metrics
    from qsched.kube.tracer import Tracer
    from qsched.store.protocol import Update

log = structlog.get_logger(__name__)

LEASE = "qsched-controller"
SYNC_S = 120.0
"""How long the first lists may take before a new leader gives up."""

FLUSH_S = 10.0
"""How long a controller that is stopped goes on writing what became of jobs."""

PACE = Settings(
    inbox_every_s=5.0,
    gather_s=0.02,
    cycle_least_s=0.2,
    poll_least_s=0.2,
    fleet_changes=True,
    unknown_is_gone=True,
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

    def __init__(
        self, api: Api, options: Options, drivers: Drivers, metrics: Metrics, tracer: Tracer | None
    ) -> None:
        """Touch nothing yet.

        Args:
            api: The server.
            options: What it was told.
            drivers: Makes drivers; they call nobody unless this process leads.
            metrics: Keeps figures.
            tracer: Exports traces, if they are wanted.
        """
        self.lease = Lease(api, options.namespace, LEASE, options.identity)
        self._api = api
        self._options = options
        self._metrics = metrics
        self._tracer = tracer
        self._drivers = GuardedDrivers(drivers, may_act=self.leads, meter=metrics)
        metrics.sources.leads = self.leads

    def leads(self) -> bool:
        """Whether this process is the leader, beyond doubt."""
        return self.lease.valid

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
            async with _running(keep=self.lease.keep()):
                await self._lead(stop)
        except* LeaseLost as lost:
            raise lost.exceptions[0] from None
        await self.lease.release()

    async def _lead(self, stop: asyncio.Event) -> None:
        """Follow the cluster's objects, and run the engine over them until told to stop."""
        options, api, clock = self._options, self._api, SystemClock()
        statuses: WorkQueue[str] = WorkQueue()
        fleet_statuses: WorkQueue[str] = WorkQueue()
        recorder = Recorder(api, may_write=self.leads, clock=clock.now)
        writer = Writer(api, statuses, recorder, may_write=self.leads, clock=clock.now)
        facts = Facts(api, options.namespace)
        journal = Journal(
            writer,
            accept=lambda job, now: accept(job, now, options.schemes),
            values={kind: await facts.load(kind) for kind in (WAITS, RUNS)},
            clock=clock.now,
        )
        fleet = ClusterFleet(
            api, fleet_statuses, namespace=options.namespace, may_write=self.leads, clock=clock.now
        )
        journal.outlets.report = fleet.report
        journal.outlets.keep = facts.keep
        journal.outlets.took = self._took
        if self._tracer is not None:
            journal.outlets.meet = self._tracer.meet
        pod_queue: WorkQueue[str] = WorkQueue()
        pods = JobPods(
            api,
            recorder,
            wants=journal.wants,
            stored=journal.stored,
            may_write=self.leads,
            clock=time.time,
            queue=pod_queue,
        )

        def job_changed(change: Change[JobObject]) -> None:
            journal.handle(change)
            pods.job_changed(change)

        jobs = Reflector(api, JOBS, JobObject, job_changed)
        follow: dict[str, Reflector[Any]] = {
            "quantumbackends": Reflector(api, BACKENDS, BackendObject, fleet.handle),
            "quantumcircuitjobs": jobs,
            "secrets": Reflector(
                api,
                f"/api/v1/namespaces/{options.namespace}/secrets",
                SecretObject,
                fleet.handle_secret,
                params={"fieldSelector": "type!=qsched.io/task"},  # those of Aer tasks come and go
            ),
            **pods.reflectors,
        }
        sources = self._metrics.sources
        sources.queues = {"job-status": statuses, "backend-status": fleet_statuses, "pods": pod_queue}
        sources.reflectors, sources.writer, sources.recorder = follow, writer, recorder
        loops = {name: reflector.run() for name, reflector in follow.items()}
        async with _running(
            **loops,
            writer=writer.run(),
            fleet=fleet.run(),
            recorder=recorder.run(),
            facts=facts.run(),
            pod_work=pods.run(jobs.synced),
        ):
            await _synced(follow)
            async with workshop(
                journal,
                fleet.declared,
                folder=options.folder,
                settings=options.settings,
                clock=clock,
                drivers=self._drivers,
                places=ClusterPlaces(api, results=options.results),
                credentials=Credentials(api, options.namespace),
            ) as parts:
                fleet.attach(parts.backends)
                engine = parts.engine(journal, pods, self._metrics)
                pods.attach(engine.pump.post)
                journal.outlets.look = engine.look
                sources.pump, sources.backends = engine.pump, parts.backends
                await _work(engine, stop)
            await self._flush(writer)
            await facts.flush()

    def _took(self, update: Update) -> None:
        self._metrics.take(update)
        if self._tracer is not None:
            self._tracer.take(update)

    async def _flush(self, writer: Writer) -> None:
        """Write what is not written yet, for those who look at their jobs meanwhile."""
        writer.hurry()
        end = time.monotonic() + FLUSH_S
        while writer.unwritten and self.leads() and time.monotonic() < end:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)


async def _work(engine: Engine, stop: asyncio.Event) -> None:
    """Run an engine until told to stop."""
    log.info("the engine starts")
    stopping = asyncio.ensure_future(stop.wait())
    running = asyncio.ensure_future(engine.run())
    try:
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        engine.stop()
        await running
    finally:
        stopping.cancel()
        running.cancel()


async def _synced(follow: Mapping[str, Reflector[Any]]) -> None:
    """Wait until every first list is complete; raises ``StoreError`` if that takes too long."""
    try:
        async with asyncio.timeout(SYNC_S):
            await asyncio.gather(*(each.synced.wait() for each in follow.values()))
    except TimeoutError:
        missing = ", ".join(name for name, each in follow.items() if not each.synced.is_set())
        raise StoreError(
            f"these could not be listed in {SYNC_S:g} s: {missing}; see the log, and the controller's rights"
        ) from None


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
async def _running(**loops: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Loops that run while inside, and end everything if one of them fails."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop, name=name) for name, loop in loops.items()]
        yield
        for task in tasks:
            task.cancel()
