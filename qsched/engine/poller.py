"""The poller: asks providers for the tasks that run there, often at first and then less."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

import structlog

from qsched.drivers import Driver, DriverError, RateLimited
from qsched.engine.calls import MAX_WORDS
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
        self._timers: list[tuple[float, str, str]] = []  # a heap of when which task is asked for
        self._timed: set[str] = set()  # the tokens in it

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
        self._time_new_tasks(now)
        due: dict[int, tuple[Driver, list[Live]]] = {}
        while self._timers and self._timers[0][0] <= now:
            _, uid, token = heapq.heappop(self._timers)
            self._timed.discard(token)
            live = self._pump.holding.get(uid)
            attempt = None if live is None else live.state.attempt
            if live is None or attempt is None or attempt.token != token:
                continue
            self._time(live, token, now)
            if attempt.remote_id is None or attempt.state not in {"Queued", "Running"} or live.slot is None:
                continue
            if not self._backends.knows(live.slot):
                self._miss(live, now)
                continue
            driver = self._backends.get(live.slot).driver
            if driver is not None and self._is_free(driver, now):
                due.setdefault(id(driver), (driver, []))[1].append(live)
        return list(due.values())

    def _time_new_tasks(self, now: float) -> None:
        """Begin to ask for the tasks of jobs that were dispatched since."""
        while self._pump.dispatched:
            live = self._pump.dispatched.popleft()
            attempt = live.state.attempt
            if attempt is not None and attempt.token not in self._timed:
                self._time(live, attempt.token, now)

    def _time(self, live: Live, token: str, now: float) -> None:
        """Ask for a task at a tenth of its age, within bounds."""
        age_s = now - live.state.attempts[-1].dispatched_at
        pace_s = min(max(age_s / 10, self._settings.poll_least_s), self._settings.poll_most_s)
        heapq.heappush(self._timers, (now + pace_s, live.uid, token))
        self._timed.add(token)

    def _miss(self, live: Live, now: float) -> None:
        """A task on a backend that was deleted: its token decides, and nobody knows that any more."""
        attempt = live.state.attempt
        if self._settings.unknown_is_gone and attempt is not None:
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
                words = status.message[:MAX_WORDS]
                event = Reported(at=now, token=attempt.token, state=status.state, message=words)
                self._pump.post(uid, event)
        for uid, attempt in attempts.values():
            self._pump.post(uid, Lost(at=now, token=attempt.token))
