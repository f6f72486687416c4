"""The engine: one asyncio loop that owns time and I/O, made of small loops that produce events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from qsched.engine.calls import Calls
from qsched.engine.cycle import Cycle
from qsched.engine.inbox import Inbox
from qsched.engine.patience import patiently
from qsched.engine.poller import Poller
from qsched.engine.pump import Pump
from qsched.lifecycle.types import BackendLost, CalibrationChanged

if TYPE_CHECKING:
    from qsched.engine.backend import Backend, View
    from qsched.engine.backends import Backends
    from qsched.engine.clock import Clock
    from qsched.engine.meter import Meter
    from qsched.engine.places import Places
    from qsched.engine.pods import Pods
    from qsched.engine.preparation import Preparation
    from qsched.engine.refinement import Refinement
    from qsched.engine.settings import Settings
    from qsched.store.protocol import Journal

log = structlog.get_logger(__name__)

WAITS = "waits"
RUNS = "runs"
READERS = 16
"""Jobs whose circuits are read at the same time."""


class Engine:
    """Works on every unsettled job of a store until it is stopped."""

    def __init__(
        self,
        store: Journal,
        backends: Backends,
        preparation: Preparation,
        refinement: Refinement,
        *,
        clock: Clock,
        settings: Settings,
        places: Places,
        pods: Pods | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Touch nothing yet.

        Args:
            store: Where the jobs live.
            backends: The fleet.
            preparation: Reads and transpiles circuits.
            refinement: Fits jobs to backends.
            clock: Tells the time.
            settings: How often to do what.
            places: Where results go.
            pods: Looks after the pods of hybrid jobs; None where there can be none.
            meter: Takes figures of the engine's work, if anybody keeps them.
        """
        self._store = store
        self._backends = backends
        self._clock = clock
        self._settings = settings
        self._cycle_signal = asyncio.Event()
        self._stopping = asyncio.Event()
        self._seen: dict[str, View] = {}
        self._reported: dict[str, tuple[object, ...]] = {}
        calls = Calls(backends, preparation, clock=clock, settings=settings, places=places)
        self.pump = Pump(
            store, backends, calls, clock=clock, settings=settings, changed=self._cycle_signal.set, pods=pods
        )
        self._poller = Poller(self.pump, backends, clock=clock, settings=settings)
        self._inbox = Inbox(store, self.pump, backends, preparation, clock=clock, settings=settings)
        self._cycle = Cycle(self.pump, backends, refinement, clock=clock, settings=settings, meter=meter)

    async def run(self, *, until_idle: bool = False) -> None:
        """Work until ``stop``, or until every job is settled.

        Args:
            until_idle: Return when nothing is left to do.

        Raises:
            StoreError: If the store fails for longer than half a minute.
        """
        await self._backends.refresh()
        await self._inbox.take()
        await self._tell()
        loops = [
            asyncio.ensure_future(loop)
            for loop in (
                self._stopping.wait(),
                self.pump.run(),
                self.pump.run_timers(),
                self._inbox.run(),
                *(self._inbox.read() for _ in range(READERS)),
                self._poller.run(),
                self._cycle_loop(),
                self._again_loop(),
                self._watch(),
                self._purge(),
            )
        ]
        if until_idle:
            loops.append(asyncio.ensure_future(self._until_idle()))
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            for loop in done:
                loop.result()
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._cycle.aclose()
            await self.pump.finish(self._settings.grace_s)
            self._store.put(WAITS, self._backends.encoded_waits())
            self._store.put(RUNS, self._backends.encoded_runs())

    def stop(self) -> None:
        """Hand nothing over any more; tasks that run at providers go on there."""
        self._stopping.set()

    def look(self) -> None:
        """Look for new jobs and commands now rather than in a moment."""
        self._inbox.look()

    async def _cycle_loop(self) -> None:
        while True:
            await self._cycle_signal.wait()
            self._cycle_signal.clear()
            await self._cycle.run()
            await self._clock.sleep(self._settings.cycle_least_s)

    async def _again_loop(self) -> None:
        """Look at every waiting job from time to time: time itself changes what is best."""
        while True:
            await self._clock.sleep(self._settings.cycle_every_s)
            self._cycle.place_everything_again()
            self._cycle_signal.set()

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(min(self._settings.status_every_s, 1.0))
            self._backends.ask()
            await self._tell()

    async def _tell(self) -> None:
        """Tell the jobs of backends that were lost or calibrated anew.

        What is compared is what this engine saw before, since others ask the devices too.
        """
        self._backends.forget_withdrawn({name for name, view in self._seen.items() if not view.takes_tasks})
        await self._report()
        before, self._seen = self._seen, {each.name: each.view for each in self._backends}
        changed = {name: before.get(name) for name, view in self._seen.items() if view != before.get(name)}
        if not changed:
            return
        now = self._clock.now()
        for live in self.pump.jobs.values():
            name = live.state.backend
            was = changed.get(name) if name is not None else None
            if name is None or was is None:
                continue
            backend = self._backends.get(name)
            view = self._seen[name]
            # A provider that does not answer cannot cancel either: its tasks keep their place in line.
            waits = live.state.attempt is None
            if (was.takes_tasks and not view.takes_tasks) if waits else (view.gone and not was.gone):
                message = f"{name} {_why_lost(backend)}"
                self.pump.post(live.uid, BackendLost(at=now, backend=name, message=message))
            elif backend.calibration_id not in {None, was.calibration_id}:
                self.pump.post(
                    live.uid,
                    CalibrationChanged(at=now, backend=name, calibration_id=backend.calibration_id or ""),
                )
        self._cycle.place_everything_again()
        self._cycle_signal.set()

    async def _report(self) -> None:
        """Store what is known of each backend, if something of it is new."""
        news = {each.name: each.news for each in self._backends}
        if news == self._reported:
            return
        self._reported = news
        manifests = self._backends.manifests()
        await patiently(lambda: self._store.report(manifests), clock=self._clock)

    async def _purge(self) -> None:
        while True:
            await patiently(lambda: self._store.purge(self._clock.now()), clock=self._clock)
            await self._clock.sleep(self._settings.purge_every_s)

    async def _until_idle(self) -> None:
        while not self.pump.idle:
            await self._clock.sleep(0.02)


def _why_lost(backend: Backend) -> str:
    if backend.withdrawn:
        return "was deleted"
    return "is paused" if backend.status.online else "is offline"
