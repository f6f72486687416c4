"""The pump: events in, states stored, effects out.

Everything that happens to a job arrives here as an event. The pump takes all that has gathered, steps the
lifecycle, stores every new state in one transaction, and only then carries effects out; what comes of them
are events again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict, deque
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from qsched.api.quantities import utc
from qsched.engine.patience import patiently
from qsched.errors import NotFound
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.machine import step
from qsched.lifecycle.types import (
    Cancel,
    Collect,
    CreatePods,
    Deadline,
    DeletePods,
    Find,
    Forget,
    Record,
    RetryAt,
    StoreResult,
    Submit,
    SubmitFailed,
    UngatePods,
    Unplaceable,
    Woken,
    deadline_at,
    settled,
)
from qsched.store.protocol import HistoryEvent, Update

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qsched.api.job import Phase
    from qsched.engine.backends import Backends
    from qsched.engine.calls import Calls
    from qsched.engine.clock import Clock
    from qsched.engine.live import Live
    from qsched.engine.pods import Pods
    from qsched.engine.settings import Settings
    from qsched.lifecycle.types import Effect, Event
    from qsched.store.protocol import Journal

log = structlog.get_logger(__name__)

_NOT_STARTED: frozenset[Phase] = frozenset({"Pending", "Placed", "Submitting", "Queued"})


class Pump:
    """Steps jobs, stores what becomes of them, and carries their effects out.

    Attributes:
        jobs: Every unsettled job, by uid.
        holding: Those of them that hold a slot of a backend.
        dispatched: Those that got a slot since the poller last looked.
        changed: To be called when a job waits for placement or a slot became free.
        pods: Looks after the pods of hybrid jobs; None where there can be none.
    """

    def __init__(
        self,
        store: Journal,
        backends: Backends,
        calls: Calls,
        *,
        clock: Clock,
        settings: Settings,
        changed: Callable[[], None],
        pods: Pods | None = None,
    ) -> None:
        """Start empty.

        Args:
            store: Where states go.
            backends: Whose slots the jobs hold.
            calls: Carries out what concerns a provider.
            clock: Tells the time.
            settings: How long events gather.
            changed: Called when a job waits for placement or a slot became free.
            pods: Looks after the pods of hybrid jobs; None where there can be none.
        """
        self.jobs: dict[str, Live] = {}
        self.holding: dict[str, Live] = {}
        self.dispatched: deque[Live] = deque()
        self.changed = changed
        self.pods = pods
        self._phases: defaultdict[Phase, dict[str, Live]] = defaultdict(dict)
        self._store = store
        self._backends = backends
        self._calls = calls
        self._clock = clock
        self._settings = settings
        self._events: deque[tuple[str, Event]] = deque()
        self._answered: list[int] = []
        self._timers: list[tuple[float, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._signal = asyncio.Event()
        self._draining = asyncio.Lock()
        self._closing = False

    def adopt(self, live: Live) -> None:
        """Take a job into the engine."""
        self.jobs[live.uid] = live
        self._keep_tables(live)
        for due in (deadline_at(live.state), live.complete_by):
            if due is not None:
                heapq.heappush(self._timers, (due, live.uid))

    def in_phases(self, *phases: Phase) -> Iterator[Live]:
        """The jobs that are in one of these phases."""
        return chain.from_iterable(self._phases[phase].values() for phase in phases)

    def post(self, uid: str, event: Event) -> None:
        """Let an event happen to a job; one for a job that is gone is ignored."""
        self._events.append((uid, event))
        self._signal.set()

    def answered(self, command: int) -> None:
        """A command's events were posted: it leaves the inbox together with their outcome."""
        self._answered.append(command)
        self._signal.set()

    @property
    def idle(self) -> bool:
        """Whether no job is unsettled and no event waits."""
        return not (self.jobs or self._events or self._answered or self._tasks)

    async def run(self) -> None:
        """Pump for ever.

        Raises:
            StoreError: If the store fails for longer than half a minute.
        """
        while True:
            await self._signal.wait()
            await self._clock.sleep(self._settings.gather_s)
            self._signal.clear()
            await self.drain()

    async def run_timers(self) -> None:
        """Wake jobs whose time has come, for ever."""
        while True:
            now = self._clock.now()
            while self._timers and self._timers[0][0] <= now:
                _, uid = heapq.heappop(self._timers)
                self.post(uid, self._alarm(uid, now))
                self.changed()
            await self._clock.sleep(min(self._timers[0][0] - now, 0.2) if self._timers else 0.2)

    def _alarm(self, uid: str, now: float) -> Event:
        """What a timer means: time to go on, or that ``completeBy`` has passed before the job began.

        A task that runs by then is left to end: it is paid for.
        """
        live = self.jobs.get(uid)
        if live is None or live.complete_by is None or now < live.complete_by:
            return Woken(at=now)
        if live.state.phase not in _NOT_STARTED:
            return Woken(at=now)
        return Deadline(at=now, message=f"completeBy ({utc(live.complete_by):%Y-%m-%d %H:%M:%SZ}) has passed")

    async def drain(self) -> None:
        """Step every event that has gathered, store all of it at once, then act.

        Raises:
            StoreError: If the store fails for longer than half a minute.
        """
        async with self._draining:  # a later state must not be stored before an earlier one
            await self._drain()

    async def _drain(self) -> None:
        updates: dict[str, Update] = {}
        effects: list[tuple[Live, Effect]] = []
        forget: list[str] = []
        while self._events:
            uid, event = self._events.popleft()
            live = self.jobs.get(uid)
            if live is None:
                continue
            before = live.state
            live.state, new = step(before, event)
            if live.state is before and not new and not live.new_declaration:
                continue
            effects += ((live, effect) for effect in new)
            forget += (uid for effect in new if isinstance(effect, Forget))
            updates[uid] = _update(live, new, updates.get(uid))
        answered, self._answered = self._answered, []
        if updates or answered:
            changes = list(updates.values())
            await patiently(
                lambda: self._store.apply(changes, done=answered, forget=forget), clock=self._clock
            )
        for uid in updates:
            self._after(self.jobs[uid])
        for live, effect in effects:
            self._act(live, effect)

    async def finish(self, grace_s: float) -> None:
        """Wait a while for the answers that are under way, then store what came; start nothing new."""
        self._closing = True
        calls = tuple(self._tasks)
        if calls:
            await asyncio.wait(calls, timeout=grace_s)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self.drain()

    def _after(self, live: Live) -> None:
        """Keep what stands beside a stored state in step with it."""
        self._keep_tables(live)
        if live.state.phase in {"Pending", "Placed"}:
            self.changed()
            if live.unreadable:
                self.post(
                    live.uid, Unplaceable(at=self._clock.now(), message=live.unreadable, permanent=True)
                )
        else:
            live.claim = None
        if settled(live.state):
            del self.jobs[live.uid]
            self._phases[live.state.phase].pop(live.uid)
            self.changed()

    def _keep_tables(self, live: Live) -> None:
        if live.listed != live.state.phase:
            if live.listed is not None:
                self._phases[live.listed].pop(live.uid)
            self._phases[live.state.phase][live.uid] = live
            live.listed = live.state.phase
        attempt = live.state.attempt
        slot = attempt.backend if attempt is not None else None
        if slot == live.slot:
            return
        if live.slot is not None:
            self._release(live, live.slot)
        if slot is not None:
            self._hold(live, slot)
        live.slot = slot

    def lender(self, live: Live, slot: str | None) -> Live | None:
        """The hybrid job whose own circuits are done and whose slot this job of its program may use."""
        owner = self.jobs.get(live.session) if live.session is not None else None
        if owner is None or not owner.state.collected or owner.slot != slot or owner.lent_to is not None:
            return None
        return owner if owner.job.metadata.namespace == live.job.metadata.namespace else None

    def _hold(self, live: Live, slot: str) -> None:
        self.holding[live.uid] = live
        self.dispatched.append(live)
        owner = self.lender(live, slot)
        if owner is not None:
            owner.lent_to = live.uid
        if self._backends.knows(slot):
            in_flight = self._backends.get(slot).in_flight
            in_flight.add(live.uid)
            if owner is not None:
                in_flight.discard(owner.uid)

    def _release(self, live: Live, slot: str) -> None:
        self.holding.pop(live.uid, None)
        owner = self.jobs.get(live.session) if live.session is not None else None
        if self._backends.knows(slot):
            in_flight = self._backends.get(slot).in_flight
            in_flight.discard(live.uid)
            if owner is not None and owner.lent_to == live.uid and owner.slot == slot:
                in_flight.add(owner.uid)
        if owner is not None and owner.lent_to == live.uid:
            owner.lent_to = None
        self.changed()

    def _act(self, live: Live, effect: Effect) -> None:
        if self._closing:  # the next engine asks the provider how far this came
            return
        match effect:
            case Submit():
                self._start(live.uid, self._submit(live, effect))
            case Find():
                self._start(live.uid, self._calls.find(live, effect))
            case Cancel():
                self._start(live.uid, self._calls.cancel(live, effect))
            case Collect():
                self._start(live.uid, self._calls.collect(live, effect))
            case CreatePods() | UngatePods() | DeletePods():
                self._look_after_pods(live, effect)
            case RetryAt():
                heapq.heappush(self._timers, (effect.at, live.uid))
            case _:  # Record, StoreResult and Forget went into the transaction
                pass

    async def _submit(self, live: Live, effect: Submit) -> Event:
        try:
            await self._store.stored(live.uid)
        except NotFound as error:  # removed by force; the command that follows ends it
            return SubmitFailed(
                at=self._clock.now(), token=effect.token, kind="Unavailable", message=str(error)
            )
        return await self._calls.submit(live, effect)

    def _look_after_pods(self, live: Live, effect: CreatePods | UngatePods | DeletePods) -> None:
        if self.pods is None:
            return
        match effect:
            case CreatePods():
                self.pods.create(live.job, effect.round)
            case UngatePods():
                self.pods.ungate(live.job, effect.round, effect.backend)
            case DeletePods():
                self.pods.delete(live.job, effect.round)

    def _start(self, uid: str, call: Awaitable[Event | None]) -> None:
        task = asyncio.create_task(self._answer(uid, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, uid: str, call: Awaitable[Event | None]) -> None:
        event = await call
        if event is not None:
            self.post(uid, event)


def _update(live: Live, effects: list[Effect] | tuple[Effect, ...], before: Update | None) -> Update:
    """What is to be stored of a job after a step, with what ``before`` did not store yet."""
    state = live.state
    lines = [HistoryEvent(e.at, e.type, e.message) for e in effects if isinstance(e, Record)]
    result = before.result if before is not None else None
    if any(isinstance(effect, StoreResult) for effect in effects):
        result, live.result = live.result, None
    # Taken now, not once it is stored: meanwhile there may come newer ones.
    placement = live.placement or (before.placement if before is not None else None)
    job = live.job if live.new_declaration else (before.job if before is not None else None)
    live.placement, live.new_declaration = None, False
    return Update(
        uid=live.uid,
        phase=state.phase,
        state=encode_state(state),
        settled=settled(state),
        reason=state.reason,
        message=state.message,
        backend=state.backend,
        finished_at=state.finished_at,
        job=job,
        placement=placement,
        result=result,
        history=[*(before.history if before is not None else ()), *lines],
    )
