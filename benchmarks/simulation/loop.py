"""The event loop: jobs come, policies decide, backends run, in simulated time.

The scheduler of a simulation works as qsched's engine does. New jobs gather for a moment, then a cycle
scores them and asks the policy. Placed jobs of a policy with late binding stay in the scheduler until a slot
of their backend is free, and are looked at again every few seconds; the others go to the provider's queue at
once. While a policy decides, simulated time goes on by the real time that it takes.
"""

from __future__ import annotations

import heapq
import itertools
import time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from benchmarks.simulation.guard import LIMIT_S, Patience, ask
from benchmarks.simulation.lives import Lives
from benchmarks.simulation.outcome import Outcome, true_success
from benchmarks.simulation.provider import FOREIGN, Servers
from benchmarks.simulation.sight import Sight
from benchmarks.simulation.view import WAIT
from qsched.lifecycle.types import Submit
from qsched.placement import urgency

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.simulation.scenario import Change, Scenario
    from benchmarks.simulation.view import Policy
    from qsched.lifecycle.types import Cancel

    Ints = NDArray[np.int32]
    Kind: TypeAlias = Literal["arrival", "change", "end", "cycle", "decided", "look"]

AGAIN_S = 5.0
"""How often every waiting job is placed anew, as the engine's ``cycle_every_s``; few are in every cycle."""

FEW = 64

HEADS = 4096
"""Jobs in one cycle, the most urgent first, as in the engine."""

_AWAY, _WAITING, _HANDED, _RUNNING, _ENDED = range(5)


def simulate(
    scenario: Scenario,
    policy: Policy,
    *,
    limit_s: float = LIMIT_S,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """A scenario under a policy.

    Args:
        scenario: What happens.
        policy: Who decides.
        limit_s: Real seconds that it may take for one decision.
        stopwatch: Measures how long it takes, which is charged; a constant one charges nothing.

    Raises:
        PolicyError: The policy failed; names the policy and the job.
    """
    return _Simulation(scenario, policy, limit_s, stopwatch).run()


class _Simulation:
    """One run."""

    def __init__(
        self, scenario: Scenario, policy: Policy, limit_s: float, stopwatch: Callable[[], float]
    ) -> None:
        jobs, backends = len(scenario.names), len(scenario.backends)
        self._scenario = scenario
        self._policy = policy
        self._limit_s = limit_s
        self._stopwatch = stopwatch
        self._servers = Servers(backends)
        self._sight = Sight(scenario, self._servers)
        self._names = scenario.fleet.names
        self._lives = Lives(self._carry, self._wake)

        self._where = np.full(jobs, _AWAY, dtype=np.int8)
        self._place = np.full(jobs, WAIT, dtype=np.int32)
        self._fresh = np.zeros(jobs, dtype=bool)
        self._queued_s = np.zeros(jobs)
        self._retry_s = np.zeros(jobs)
        self._starts_s, self._ends_s = np.full(jobs, np.nan), np.full(jobs, np.nan)
        self._due_s = scenario.arrives_s + scenario.jobs.remaining_s
        self._left = jobs
        self._moves = 0
        self._decisions_s: list[float] = []

        self._now_s = 0.0
        self._order = itertools.count()
        self._events: list[tuple[float, int, Kind, Any]] = []
        self._cycle_s = np.inf  # when the next cycle is
        self._deciding = False
        self._again_s = 0.0  # when all that wait are looked at next
        self._possible = False  # whether anybody could have been placed in the last cycle
        self._patience = Patience()

    def run(self) -> Outcome:
        """All events, in the order of time, until every job has ended or none can."""
        begun = time.perf_counter()
        for job, at_s in enumerate(self._scenario.arrives_s.tolist()):
            self._events.append((at_s, next(self._order), "arrival", job))
        for change in self._scenario.changes:
            self._events.append((change.at_s, next(self._order), "change", change))
        heapq.heapify(self._events)
        handlers: dict[Kind, Callable[[Any], None]] = {
            "arrival": self._arrive,
            "change": self._change,
            "end": self._end,
            "cycle": self._cycle,
            "decided": self._decided,
            "look": self._look,
        }
        while self._events and self._left:
            self._now_s, _, kind, what = heapq.heappop(self._events)
            handlers[kind](what)
        return self._outcome(time.perf_counter() - begun)

    # --- what happens -----------------------------------------------------------------------------------

    def _push(self, at_s: float, kind: Kind, what: Any) -> None:
        heapq.heappush(self._events, (at_s, next(self._order), kind, what))

    def _arrive(self, job: int) -> None:
        self._lives.accept(job, self._now_s)
        self._queue_up(job)

    def _queue_up(self, job: int) -> None:
        """A job waits for the policy."""
        self._where[job], self._fresh[job], self._place[job] = _WAITING, True, WAIT
        self._queued_s[job], self._retry_s[job] = self._now_s, self._lives.retry_s(job)
        self._wish_for_fresh()

    def _wake(self, job: int, at_s: float) -> None:
        """A job that backs off may be placed from a time on."""
        self._push(at_s, "look", job)

    def _look(self, job: int) -> None:
        if self._where[job] == _WAITING:
            self._fresh[job] = True
            self._wish(self._now_s)

    def _change(self, change: Change) -> None:
        column = change.column
        match change.kind:
            case "foreign":
                self._servers.add(column, FOREIGN, change.run_s, change.run_s, self._now_s)
            case "recalibrated":
                self._sight.recalibrate(change)
            case "down":
                self._break(column)
            case "up" | "open":
                (self._servers.online if change.kind == "up" else self._servers.open)[column] = True
            case "shut":
                self._servers.open[column] = False
        self._start(column)
        if change.kind != "foreign":
            self._again_s = self._now_s
            self._dispatch(column)
            if (self._where == _WAITING).any():
                self._wish(self._now_s)

    def _break(self, column: int) -> None:
        """An outage: what runs is lost, what waits is placed anew."""
        servers, name = self._servers, self._names[column]
        servers.online[column] = False
        if servers.running[column] is not None:
            task = servers.stop(column, self._now_s)
            if task.job != FOREIGN:
                self._lives.fail(task.job, self._now_s)
                self._queue_up(task.job)
        here = [job for job in np.flatnonzero(self._place == column).tolist() if self._where[job] != _ENDED]
        for job in here:
            self._lives.lose(job, name, self._now_s)
            self._queue_up(job)

    def _start(self, column: int) -> None:
        """Let a free backend take its next task."""
        task = self._servers.start(column, self._now_s)
        if task is None:
            return
        if task.job != FOREIGN:
            self._lives.run(task.job, self._now_s)
            self._where[task.job] = _RUNNING
            self._starts_s[task.job] = self._now_s
        self._push(self._now_s + task.run_s, "end", (column, self._servers.run[column]))

    def _end(self, what: tuple[int, int]) -> None:
        """A task is done, unless its backend failed meanwhile."""
        column, run = what
        servers = self._servers
        if servers.running[column] is None or servers.run[column] != run:
            return
        started_s, task = servers.started_s[column], servers.stop(column, self._now_s)
        if task.job != FOREIGN:
            self._lives.succeed(task.job, self._now_s)
            self._where[task.job] = _ENDED
            self._left -= 1
            self._ends_s[task.job] = self._now_s
            self._sight.waits.observe(column, task.ahead, started_s - task.came_s, self._now_s - started_s)
        self._start(column)
        self._dispatch(column)

    # --- what the scheduler does ------------------------------------------------------------------------

    def _wish(self, at_s: float) -> None:
        """There should be a cycle at this time, or before."""
        if at_s < self._cycle_s and not self._deciding:
            self._cycle_s = at_s
            self._push(at_s, "cycle", at_s)

    def _wish_for_fresh(self) -> None:
        """There should be a cycle when enough new jobs have gathered, or one has waited long enough."""
        fresh = np.flatnonzero(self._fresh)
        if len(fresh) >= self._policy.batch_jobs:
            self._wish(self._now_s)
        elif fresh.size:
            self._wish(max(self._now_s, float(self._queued_s[fresh].min()) + self._policy.batch_s))

    def _cycle(self, asked_s: float) -> None:
        """Score the waiting jobs and ask the policy; its answer counts when it has been made."""
        if asked_s != self._cycle_s or self._deciding:
            return
        self._cycle_s = np.inf
        self._expire()
        again = self._now_s >= self._again_s or int(np.count_nonzero(self._where == _WAITING)) <= FEW
        rows = self._heads(again=again)
        if not rows.size:
            return
        began = self._stopwatch()
        staying = (self._where == _WAITING) & (self._place != WAIT)
        staying[rows] = False
        view = self._sight.view(self._now_s, rows, self._place, np.flatnonzero(staying))
        possible = bool(view.feasible.any())
        self._possible = possible or (self._possible and not again)
        nobody = np.full(len(rows), WAIT, dtype=np.int32)
        choice = ask(self._policy, view, limit_s=self._limit_s) if possible else nobody
        took_s = self._stopwatch() - began
        self._decisions_s.append(took_s)
        self._fresh[rows] = False
        self._deciding = True
        self._push(self._now_s + took_s, "decided", (rows, choice))
        self._sight.learn(view)
        self._patience.see(self._policy.name, view, choice, idle=not self._servers.own.any())

    def _expire(self) -> None:
        """Jobs whose ``completeBy`` has passed before they ran end here."""
        late = np.flatnonzero((self._where == _WAITING) & (self._due_s <= self._now_s))
        for job in late.tolist():
            self._lives.expire(job, self._now_s)
            self._where[job] = _ENDED
        self._left -= len(late)

    def _heads(self, *, again: bool) -> Ints:
        """Who is looked at now: the new ones, or ``again`` all that wait; the most urgent if many."""
        ready = (self._where == _WAITING) & (self._retry_s <= self._now_s)
        rows = np.flatnonzero(ready if again else ready & self._fresh)
        if again:
            self._again_s = self._now_s + AGAIN_S
        if len(rows) > HEADS:
            rows = np.sort(rows[np.argsort(-self._urgency(rows), kind="stable")[:HEADS]])
        return rows.astype(np.int32)

    def _urgency(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        waited_s = self._now_s - self._scenario.arrives_s[rows]
        return urgency(self._scenario.jobs.priority[rows], waited_s)

    def _decided(self, what: tuple[Ints, Ints]) -> None:
        """Carry an answer out, as far as it still can be."""
        self._deciding = False
        rows, choice = what
        still = self._where[rows] == _WAITING  # the others got a slot while the policy was thinking
        rows, choice = rows[still], choice[still]
        before = self._place[rows]
        gone = (choice == WAIT) & (before != WAIT)
        moved = (choice != WAIT) & (choice != before) & self._servers.online[choice]
        for job in rows[gone].tolist():
            self._lives.unplace(job, self._now_s)
        for job, column in zip(rows[moved].tolist(), choice[moved].tolist(), strict=True):
            self._lives.place(job, self._names[column], self._now_s)
        self._moves += int(np.count_nonzero(before[moved] != WAIT))
        self._place[rows[gone]] = WAIT
        self._place[rows[moved]] = choice[moved]
        self._hand_over(rows)
        waiting = self._where == _WAITING
        self._wish_for_fresh()  # some may have come while the policy was thinking
        if self._possible and (waiting & ~self._fresh).any():
            self._wish(max(self._again_s, self._now_s))

    def _hand_over(self, rows: Ints) -> None:
        """Give jobs that have just been placed to the providers: all of them, or those that slots are for."""
        if self._policy.late_binding:
            for column in np.unique(self._place[self._where == _WAITING]).tolist():
                if column != WAIT:
                    self._dispatch(column)
            return
        placed = rows[self._place[rows] != WAIT]
        for job in placed.tolist():
            self._lives.dispatch(job, self._now_s)
        for column in np.unique(self._place[placed]).tolist():
            self._start(column)

    def _dispatch(self, column: int) -> None:
        """Give the free slots of a backend to the most urgent jobs that are placed there."""
        servers = self._servers
        free = int(self._scenario.fleet.max_in_flight[column] - servers.own[column])
        takes = servers.online[column] and servers.open[column]
        if not self._policy.late_binding or free <= 0 or not takes:
            return
        here = np.flatnonzero((self._place == column) & (self._where == _WAITING))
        if not here.size:
            return
        order = np.argsort(-self._urgency(here), kind="stable")[:free]
        for job in here[order].tolist():
            self._lives.dispatch(job, self._now_s)
        self._start(column)

    def _carry(self, job: int, effect: Submit | Cancel) -> None:
        """The provider takes a task, or gives it back."""
        column = int(self._place[job])
        if isinstance(effect, Submit):
            expected_s = float(self._scenario.run_s[job, column])
            run_s = expected_s * float(self._scenario.slowness[job])
            self._servers.add(column, job, run_s, expected_s, self._now_s)
            self._where[job] = _HANDED
        else:
            self._servers.withdraw(column, job)

    def _outcome(self, wall_s: float) -> Outcome:
        ran_s = np.where(np.isfinite(self._ends_s), self._starts_s, np.nan)
        success, cost = true_success(self._scenario, self._sight.fleets, ran_s, self._place)
        last_s = float(np.nanmax(self._ends_s, initial=1.0))
        return Outcome(
            policy=self._policy.name,
            scenario=self._scenario.name,
            arrives_s=self._scenario.arrives_s,
            starts_s=self._starts_s,
            ends_s=self._ends_s,
            column=np.where(np.isfinite(self._ends_s), self._place, WAIT).astype(np.int32),
            success=success,
            cost=cost,
            due_s=self._due_s,
            moves=self._moves,
            decisions_s=np.array(self._decisions_s),
            busy=self._servers.busy_s / last_s,
            wall_s=wall_s,
        )
