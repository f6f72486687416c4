"""The schedule cycle: snapshot, profile, estimate, place, refine, reserve, dispatch.

Stage 1 looks at every waiting job on every backend. Stage 2 transpiles, so it looks only at jobs that are
about to get a slot: such a job claims the slot, is refined for its best backends, and is placed once more
with the figures of stage 2; then it is dispatched, or moves to where it fits better. All others stay placed
in qsched and are placed anew when the fleet changes (late binding).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import structlog

from qsched.api.quantities import utc
from qsched.engine.fallback import fall_back, is_late, too_late
from qsched.engine.live import MAX_CRASHES
from qsched.engine.refusal import is_permanent, refusal
from qsched.engine.scored import Scored, score
from qsched.errors import QschedError
from qsched.lifecycle.types import Dispatch, Placed, Unplaceable
from qsched.placement import impatience_of, place, urgency
from qsched.scoring import Choice, JobRecord, placements_of, shortlist

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from qsched.engine.backend import Backend
    from qsched.engine.backends import Backends
    from qsched.engine.clock import Clock
    from qsched.engine.live import Live
    from qsched.engine.meter import Meter
    from qsched.engine.pump import Pump
    from qsched.engine.refinement import Refinement
    from qsched.engine.settings import Settings
    from qsched.fleet.snapshot import Fleet
    from qsched.scoring import Refined

log = structlog.get_logger(__name__)

HEADS = 4096
"""Jobs placed in one cycle; more wait for the next one, which follows at once."""


class Cycle:
    """Places and dispatches the jobs of a pump."""

    def __init__(
        self,
        pump: Pump,
        backends: Backends,
        refinement: Refinement,
        *,
        clock: Clock,
        settings: Settings,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter
        self._pump = pump
        self._backends = backends
        self._refinement = refinement
        self._clock = clock
        self._settings = settings
        self._again = False
        self._left: dict[str, Live] = {}
        self._refining: set[asyncio.Task[None]] = set()

    def place_everything_again(self) -> None:
        """In the next cycle, look at the placed jobs too: the fleet may have changed."""
        self._again = True

    async def run(self) -> None:
        """One cycle."""
        begun, placements = time.perf_counter(), 0
        heads = self._heads()
        if heads:
            placements = self._place(heads)
            await self._pump.drain()
        self._reserve()
        self._open_gates()
        self._leave_slow_queues()
        await self._pump.drain()
        if self._meter is not None:
            self._meter.cycle(time.perf_counter() - begun, len(heads), placements)

    def _leave_slow_queues(self) -> None:
        """Take jobs out of a provider's queue that would miss ``completeBy`` there, if they may fall back."""
        now = self._clock.now()
        for live in self._pump.in_phases("Queued"):
            event = too_late(live, now, self._backends)
            if event is not None:
                self._pump.post(live.uid, event)

    async def aclose(self) -> None:
        """Stop refining."""
        for task in self._refining:
            task.cancel()
        await asyncio.gather(*self._refining, return_exceptions=True)

    def _heads(self) -> list[Live]:
        """The jobs to be placed now, the most urgent first.

        Those that have a place, or were refused, are looked at when the fleet may have changed, and not in
        every cycle: else they would keep the others out.
        """
        now = self._clock.now()
        again, self._again = self._again, False
        left, self._left = self._left, {}
        fresh = {live.uid: live for live in self._pump.in_phases("Pending") if again or not live.refused}
        placed = list(self._pump.in_phases("Placed")) if again else []
        self._again = any(live.prepared is None for live in placed)  # jobs of an earlier engine
        waiting = fresh | left | {live.uid: live for live in placed}
        heads = _by_urgency([live for live in waiting.values() if _is_head(live, now)], now)
        self._left = {live.uid: live for live in heads[HEADS:]}
        if self._left:
            self._pump.changed()
        return heads[:HEADS]

    def _place(self, heads: list[Live]) -> int:
        """Snapshot, profile, estimate, place; what was decided becomes events. How many got a place."""
        fleet = self._backends.fleet(self._backlog(heads))
        names = fleet.names
        columns = {name: column for column, name in enumerate(names)}
        _forget_old_fits(heads, fleet)
        scored = score([_record(live) for live in heads], fleet, _refinements(heads, fleet))
        jobs, offers = scored.jobs, _offers(heads, scored)
        choice = place(
            offers,
            scored.estimates.run_s,
            impatience=impatience_of(jobs.weights, jobs.tau_s),
            servers=fleet.servers,
            urgency=urgency(jobs.priority, jobs.waited_s),
            current=np.array([_current(live, columns) for live in heads], dtype=np.int32),
            hysteresis=self._settings.hysteresis,
            in_order=True,  # the most urgent head comes first, and gets the first slot
        )
        best = shortlist(offers, self._settings.refine_k)
        near = best.scores >= best.scores[:, :1] - self._settings.refine_margin
        shortlists = best.columns.tolist()
        candidates = np.where(near, best.columns, -1).tolist()
        placed: list[tuple[Live, Choice]] = []
        for row, (live, column) in enumerate(zip(heads, choice.tolist(), strict=True)):
            live.refreshed = False
            if column < 0 or is_late(live):
                self._refuse(live, scored, row)
                continue
            live.refused = None
            chosen = names[column]
            live.candidates = (chosen, *(names[each] for each in candidates[row] if each >= 0))
            if self._needs_stage2(live, chosen, offers[row], columns):
                self._refine(live, self._backends.get(chosen))
                continue
            if chosen != live.state.backend or live.fits:
                refined = _refined_columns(live, fleet)
                placed.append((live, Choice(scored.records[row], row, column, shortlists[row], refined)))
        self._post_placed(placed, scored)
        return len(placed)

    def _post_placed(self, placed: list[tuple[Live, Choice]], scored: Scored) -> None:
        """Set the jobs' placements to the numbers of their choices, and tell."""
        choices = [choice for _, choice in placed]
        placements = placements_of(choices, scored.jobs, scored.fleet, scored.estimates)
        now = scored.fleet.now.timestamp()
        for (live, _), placement in zip(placed, placements, strict=True):
            live.place(placement)
            message = f"placed on {placement.backend} with score {placement.score:.3f}"
            self._pump.post(live.uid, Placed(at=now, backend=placement.backend, message=message))

    def _needs_stage2(
        self, live: Live, chosen: str, offers: NDArray[np.float32], columns: Mapping[str, int]
    ) -> bool:
        """Whether a job that stage 2 placed would stay or move on figures of stage 1.

        The two stages differ by more than the hysteresis at times, so comparing one with the other flaps.
        """
        if live.choice is None or live.choice.estimate.stage == 1:
            return False
        column = _current(live, columns)
        if column < 0 or not np.isfinite(offers[column]):
            return False
        return any(_lacks_fit(live, self._backends.get(name)) for name in (live.choice.backend, chosen))

    def _backlog(self, heads: list[Live]) -> dict[str, float]:
        """Seconds of work on each backend that placed jobs have which this cycle leaves where they are."""
        moving = {live.uid for live in heads}
        backlog: dict[str, float] = {}
        for live in self._pump.in_phases("Placed"):
            if live.choice is not None and live.uid not in moving:
                name = live.choice.backend
                backlog[name] = backlog.get(name, 0.0) + live.choice.estimate.run_s
        return backlog

    def _refuse(self, live: Live, scored: Scored, row: int) -> None:
        """No backend takes the job now: run it on a twin if it may, else say why it waits, or ends."""
        no_twin = ""
        try:
            fallen = fall_back(live, scored, row, self._backends)
        except QschedError as error:
            fallen, no_twin = None, f" | no fallback: {error}"
        if fallen is not None:
            live.refused = None
            self._pump.post(live.uid, fallen)
            return
        unfit = live.unfit
        late = bool(scored.jobs.remaining_s[row] <= 0)
        permanent = late or (not self._settings.fleet_changes and is_permanent(scored, row, unfit))
        cause = scored.estimates.reasons[row].tobytes() + no_twin.encode() + ",".join(unfit).encode()
        if permanent or live.state.phase == "Placed" or cause != live.refused:
            requested = live.job.spec.requirements.backends
            # The words hold figures that change all the time; a history shall tell of causes.
            message = refusal(scored.verdicts(row), unfit, requested) + no_twin
            now = scored.fleet.now.timestamp()
            self._pump.post(live.uid, Unplaceable(at=now, message=message, permanent=permanent))
        live.refused = cause

    def _reserve(self) -> None:
        """Give free slots to the most urgent placed jobs: dispatch what is ready, refine the others."""
        now = self._clock.now()
        waiting = [
            live
            for live in self._pump.in_phases("Placed")
            if live.prepared is not None and now >= live.state.retry_at
        ]
        room = {each.name: max(0, each.free_slots) for each in self._backends if each.takes_tasks}
        ahead = dict.fromkeys(room, self._settings.lookahead)
        lent: set[str] = set()  # hybrid jobs whose slot somebody gets in this cycle
        for live in _by_urgency(waiting, now):
            name = live.state.backend
            owner = self._pump.lender(live, name)
            if name is not None and owner is not None and owner.uid not in lent:
                lent.add(owner.uid)
                self._go_on(live, self._backends.get(name), now)
                continue
            if name is None or (free := room.get(name, 0)) + ahead.get(name, 0) <= 0:
                continue
            self._go_on(live, self._backends.get(name), now, may_start=free > 0)
            (room if free > 0 else ahead)[name] -= 1

    def _go_on(self, live: Live, backend: Backend, now: float, *, may_start: bool = True) -> None:
        """Refine a job that is about to get a slot, or dispatch it if that is done and the slot is free."""
        if not _is_ready(live, backend):
            self._refine(live, backend)
        elif may_start:
            self._pump.post(live.uid, Dispatch(at=now))

    def _open_gates(self) -> None:
        """Let the pods of hybrid jobs start whose slot is expected to open soon."""
        pods = self._pump.pods
        if pods is None:
            return
        now = self._clock.now()
        for live in self._pump.in_phases("Placed"):
            state, choice = live.state, live.choice
            if choice is None or state.backend is None or state.placed_at is None:
                continue
            if state.pods_done or not (state.policy.hybrid or pods.claims(live.job)):
                continue
            if state.placed_at + choice.estimate.wait_s - now <= self._settings.pod_lead_s:
                pods.ungate(live.job, state.pod_round, state.backend)

    def _refine(self, live: Live, backend: Backend) -> None:
        if live.claim is None:
            live.claim = backend.name
            task = asyncio.create_task(self._refine_now(live, backend))
            self._refining.add(task)
            task.add_done_callback(self._refining.discard)

    async def _refine_now(self, live: Live, backend: Backend) -> None:
        """Stage 2 for the job's best backends; afterwards it is placed once more."""
        assert live.prepared is not None
        names = dict.fromkeys(name for name in (live.state.backend, backend.name, *live.candidates) if name)
        wanted = [each for name in names if _lacks_fit(live, each := self._backends.get(name))]
        try:
            live.fits |= await self._refinement.fits(live.prepared, live.job.spec.execution, wanted)
        except Exception as error:  # a worker died, perhaps of this circuit; or the transpiler has a bug
            live.crashes += 1
            log.warning("stage 2 failed", job=live.key, backend=backend.name, exc_info=error)
            self._pump.post(
                live.uid,
                Unplaceable(
                    at=self._clock.now(),
                    message=f"its circuits could not be transpiled: {type(error).__name__}: {error}",
                    permanent=live.crashes >= MAX_CRASHES,
                ),
            )
        finally:
            live.claim = None
        if live.state.intended_backend is None:  # a twin was not chosen by score
            live.refreshed = True
            self._left[live.uid] = live
        self._pump.changed()


def _forget_old_fits(heads: list[Live], fleet: Fleet) -> None:
    """Drop what stage 2 found by calibrations that were replaced, refusals above all."""
    present = {record.name: record.calibration_id for record in fleet.records}
    for live in heads:
        if live.fits:
            live.fits = {
                name: fit
                for name, fit in live.fits.items()
                if present.get(name, fit.calibration_id) == fit.calibration_id
            }


def _is_head(live: Live, now: float) -> bool:
    """Whether a job is to be placed: read, not claimed, not backing off, and not on a twin."""
    state = live.state
    if live.prepared is None or live.claim is not None or now < state.retry_at:
        return False
    if state.phase == "Pending":
        return state.active_since is not None
    return state.phase == "Placed" and state.intended_backend is None


def _by_urgency(jobs: list[Live], now: float) -> list[Live]:
    """Most urgent first, of equal ones the first that came."""
    priority = np.array([live.job.spec.priority for live in jobs], dtype=np.int32)
    waited_s = now - np.array([live.state.created_at for live in jobs])
    number = np.array([live.number for live in jobs])
    order = np.lexsort((number, -urgency(priority, waited_s)))
    return [jobs[index] for index in order.tolist()]


def _record(live: Live) -> JobRecord:
    """The job as the scorer sees it; made anew when its declaration has changed."""
    assert live.prepared is not None
    if live.record is None or live.record.spec is not live.job.spec:
        live.record = JobRecord(
            name=live.job.metadata.name,
            spec=live.job.spec,
            profiles=[each.profile for each in live.prepared],
            submitted_at=utc(live.state.created_at),
        )
    return live.record


def _refined(live: Live, fleet: Fleet, column: int) -> Refined | None:
    """Stage 2 figures of a job on a backend, if they are of its present calibration."""
    record = fleet.records[column]
    fit = live.fits.get(record.name)
    return fit.refined if fit is not None and fit.calibration_id == record.calibration_id else None


def _refinements(heads: list[Live], fleet: Fleet) -> dict[tuple[int, int], Refined]:
    columns = {name: column for column, name in enumerate(fleet.names)}
    return {
        (row, columns[name]): refined
        for row, live in enumerate(heads)
        for name in live.fits
        if name in columns and (refined := _refined(live, fleet, columns[name])) is not None
    }


def _offers(heads: list[Live], scored: Scored) -> NDArray[np.float32]:
    """The scores, minus infinity where the job may not run, was rejected, or cannot be mapped."""
    offers = scored.estimates.offers()
    columns = {name: column for column, name in enumerate(scored.fleet.names)}
    for row, live in enumerate(heads):
        for name in live.unfit:
            if name in columns:
                offers[row, columns[name]] = -np.inf
    return offers


def _current(live: Live, columns: Mapping[str, int]) -> int:
    """The column that the job would stay on; one that stage 2 sees for the first time chooses freely."""
    if live.state.phase != "Placed" or live.state.backend is None:
        return -1
    if live.refreshed and (live.choice is None or live.choice.estimate.stage == 1):
        return -1
    return columns.get(live.state.backend, -1)


def _refined_columns(live: Live, fleet: Fleet) -> frozenset[int]:
    """The backends that stage 2 has figures of."""
    if not live.fits:
        return frozenset()
    return frozenset(each for each in range(len(fleet)) if _refined(live, fleet, each))


def _lacks_fit(live: Live, backend: Backend) -> bool:
    fit = live.fits.get(backend.name)
    return backend.calibration is not None and (fit is None or fit.calibration_id != backend.calibration_id)


def _is_ready(live: Live, backend: Backend) -> bool:
    """Whether it may be dispatched: nothing to refine, or refined and placed with what came out."""
    return not live.refreshed and live.claim is None and not _lacks_fit(live, backend)
