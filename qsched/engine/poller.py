"""The poller: asks providers for the tasks that run there, often at first and then less."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from qsched.drivers import Driver, DriverError, RateLimited
from qsched.lifecycle.types import Lost, Reported

if TYPE_CHECKING:
    from qsched.engine.backends import Backends
    from qsched.engine.clock import Clock
    from qsched.engine.live import Live
    from qsched.engine.pump import Pump
    from qsched.engine.settings import Settings

log = structlog.get_logger(__name__)


class Poller:
    """Turns what providers say of tasks into events."""

    def __init__(self, pump: Pump, backends: Backends, *, clock: Clock, settings: Settings) -> None:
        self._pump = pump
        self._backends = backends
        self._clock = clock
        self._settings = settings
        self._busy: set[int] = set()
        self._resting: dict[int, float] = {}

    async def run(self) -> None:
        """Poll for ever; a provider that is slow to answer holds no other up."""
        async with asyncio.TaskGroup() as polls:
            while True:
                for driver, jobs in self._due():
                    self._busy.add(id(driver))
                    polls.create_task(self._poll(driver, jobs))
                await self._clock.sleep(self._settings.poll_least_s)

    def _due(self) -> list[tuple[Driver, list[Live]]]:
        """The jobs whose tasks are to be asked for now, by driver."""
        now = self._clock.now()
        due: dict[int, tuple[Driver, list[Live]]] = {}
        for live in self._pump.holding.values():
            if not self._is_due(live, now):
                continue
            assert live.slot is not None
            if not self._backends.knows(live.slot):
                self._miss(live, now)
            else:
                driver = self._backends.get(live.slot).driver
                if driver is not None and self._is_free(driver, now):
                    live.asked_at = now
                    due.setdefault(id(driver), (driver, []))[1].append(live)
        return list(due.values())

    def _miss(self, live: Live, now: float) -> None:
        """A task on a backend that was deleted: its token decides, and nobody knows that any more."""
        attempt = live.state.attempt
        if self._settings.unknown_is_gone and attempt is not None:
            live.asked_at = now
            self._pump.post(live.uid, Lost(at=now, token=attempt.token))

    def _is_free(self, driver: Driver, now: float) -> bool:
        """Whether a driver is not being asked already, and did not ask for patience."""
        return id(driver) not in self._busy and now >= self._resting.get(id(driver), 0.0)

    async def _poll(self, driver: Driver, jobs: list[Live]) -> None:
        """Ask one driver for its tasks, in batches."""
        size = self._settings.poll_batch
        try:
            await asyncio.gather(
                *(self._ask(driver, jobs[start : start + size]) for start in range(0, len(jobs), size))
            )
        finally:
            self._busy.discard(id(driver))

    def _is_due(self, live: Live, now: float) -> bool:
        attempt = live.state.attempt
        if attempt is None or attempt.remote_id is None or attempt.state not in {"Queued", "Running"}:
            return False
        if live.slot is None:
            return False
        age_s = now - attempt.dispatched_at
        pace_s = min(max(age_s / 10, self._settings.poll_least_s), self._settings.poll_most_s)
        return now - live.asked_at >= pace_s

    async def _ask(self, driver: Driver, jobs: list[Live]) -> None:
        attempts = {a.remote_id: (live.uid, a) for live in jobs if (a := live.state.attempt) and a.remote_id}
        try:
            async with asyncio.timeout(self._settings.call_timeout_s):
                statuses = await driver.poll(list(attempts))
        except RateLimited as error:
            self._resting[id(driver)] = self._clock.now() + error.retry_after_s
            return
        except (DriverError, TimeoutError) as error:
            log.warning("a poll failed; the next one is soon", error=str(error), tasks=len(attempts))
            return
        except Exception:
            log.exception("a driver failed in poll")
            return
        now = self._clock.now()
        for status in statuses:
            uid, attempt = attempts.pop(status.remote_id, (None, None))
            if uid is None or attempt is None:
                log.warning("a driver told of a task that nobody asked for", task=status.remote_id)
            elif status.state != attempt.state:
                event = Reported(at=now, token=attempt.token, state=status.state, message=status.message)
                self._pump.post(uid, event)
        for uid, attempt in attempts.values():
            self._pump.post(uid, Lost(at=now, token=attempt.token))
