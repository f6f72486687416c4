"""The study of policies under load: which scenarios, which policies, and what came of each."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.policies import load
from benchmarks.policies.qsched import Qsched
from benchmarks.policies.rules import RULES
from benchmarks.progress import track
from benchmarks.simulation import fleets
from benchmarks.simulation.bounds import success_in_the_long_run
from benchmarks.simulation.build import eventful, scenario
from benchmarks.simulation.loop import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from benchmarks.simulation.outcome import Outcome
    from benchmarks.simulation.scenario import Scenario

FIDELITY = 0.5
"""The weight of fidelity in the jobs' scores, where nothing else is said; the rest is that of the wait."""

TRADE_OFF = (0.0, 0.05, 0.15, 0.3, FIDELITY, 0.7, 0.85, 0.95, 0.98)
"""The settings of qsched's one trade-off that are always tried."""

_FINER = 4
"""How often a gap between two settings is halved to find one that is as good as a rival in both figures."""


class Point(NamedTuple):
    """One policy at one load on one fleet, under one setting of the trade-off."""

    scenario: str
    backends: int
    load: float
    policy: str
    fidelity: float
    metrics: dict[str, float]

    @property
    def completion_s(self) -> float:
        """Mean completion time."""
        return self.metrics["completion_mean_s"]

    @property
    def success(self) -> float:
        """Mean success probability."""
        return self.metrics["success"]


class Duel(NamedTuple):
    """A rival's operating point, and qsched's trade-off on the same jobs."""

    theirs: Point
    ours: list[Point]

    @property
    def winners(self) -> list[Point]:
        """Settings at least as good in mean completion time and mean success, and better in one."""
        time_s, success = self.theirs.completion_s, self.theirs.success
        return [
            each
            for each in self.ours
            if each.completion_s <= time_s
            and each.success >= success
            and (each.completion_s < time_s or each.success > success)
        ]

    @property
    def best(self) -> Point:
        """The quickest winner; without one, the setting that lacks least, relative to the rival."""
        if winners := self.winners:
            return min(winners, key=lambda each: each.completion_s)
        return min(self.ours, key=self._lacks)

    def _lacks(self, ours: Point) -> float:
        slower = ours.completion_s / self.theirs.completion_s - 1
        worse = 1 - ours.success / self.theirs.success
        return max(slower, 0.0) + max(worse, 0.0)


def point(scenario: Scenario, load_: float, outcome: Outcome, fidelity: float = FIDELITY) -> Point:
    """An outcome as a point."""
    return Point(scenario.name, len(scenario.backends), load_, outcome.policy, fidelity, outcome.summary())


def jobs_for(backends: int) -> int:
    """How many jobs a fleet gets in a full run; larger ones need more until their queues are typical."""
    return 200 + 5 * backends


def case(size: int, load_: float, seed: int, jobs: int | None = None) -> Scenario:
    """What all policies are compared on at one load on one fleet."""
    return scenario(fleets.fleet(size, seed), jobs=jobs or jobs_for(size), load=load_, seed=seed)


def at_loads(sizes: Sequence[int], loads: Sequence[float], seed: int, jobs: int | None) -> Iterator[Point]:
    """The simple rules, and qsched at every setting of its trade-off, at every load on every fleet.

    Args:
        sizes: Of the fleets.
        loads: Over what each can serve.
        seed: Of everything that is drawn.
        jobs: How many a scenario; as ``jobs_for`` says by default.
    """
    cases = [(size, load_) for size in sizes for load_ in loads]
    for size, load_ in track(cases, "policies under load"):
        same = case(size, load_, seed, jobs)
        yield from trade_off(same, load_)
        for name in RULES:
            yield point(same, load_, simulate(same, load(name)))


def special(seed: int, jobs: int) -> Iterator[Point]:
    """An overload, bursts, and everything at once, on eight backends."""
    fleet = fleets.fleet(8, seed)
    cases = [
        (
            1.0,
            scenario(fleet, jobs=jobs, load=1.0, seed=seed, arrivals="overload", name="overload in between"),
        ),
        (0.9, scenario(fleet, jobs=jobs, load=0.9, seed=seed, arrivals="bursts", name="bursts")),
        (0.9, eventful(8, jobs=jobs, load=0.9, seed=seed)),
    ]
    for load_, same in track(cases, "overload, bursts, outages"):
        for name in ("qsched", *RULES):
            yield point(same, load_, simulate(same, load(name)))


@contextmanager
def opponents(sizes: Sequence[int], loads: Sequence[float], seed: int) -> Iterator[list[Future[Point]]]:
    """Qonductor's operating points, in the order of sizes and loads, while other things are done.

    It runs in a process of its own: it needs minutes, and nothing else may make its decisions slower.

    Args:
        sizes: Of the fleets.
        loads: Over what each can serve.
        seed: Of everything that is drawn.
    """
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_the_parent) as process:
        try:
            yield [process.submit(_qonductor, size, load_, seed) for size in sizes for load_ in loads]
        finally:
            process.shutdown(cancel_futures=True)


def duels(theirs: Sequence[Future[Point]], points: Sequence[Point], seed: int) -> list[Duel]:
    """Each of Qonductor's operating points, with qsched's trade-off on the same jobs.

    Args:
        theirs: See ``opponents``.
        points: Of ``at_loads``.
        seed: As there.
    """
    return [_duel(each.result(), points, seed) for each in track(theirs, "Qonductor")]


def _duel(theirs: Point, points: Sequence[Point], seed: int) -> Duel:
    """A rival's point with settings of qsched, more of them where none of the usual ones wins."""
    ours = [each for each in points if each.policy == "qsched" and each.scenario == theirs.scenario]
    for _ in range(_FINER):
        if Duel(theirs, ours).winners:
            break
        # More weight on fidelity takes longer and succeeds more: what wins lies in between.
        quick = max((x.fidelity for x in ours if x.completion_s <= theirs.completion_s), default=0.0)
        good = min((x.fidelity for x in ours if x.success >= theirs.success), default=1.0)
        ours += trade_off(case(theirs.backends, theirs.load, seed), theirs.load, [(quick + good) / 2])
    return Duel(theirs, sorted(ours, key=lambda each: each.fidelity))


def trade_off(same: Scenario, load_: float, settings: Iterable[float] = TRADE_OFF) -> Iterator[Point]:
    """Points of qsched under some settings of its one trade-off."""
    for fidelity in settings:
        yield point(same, load_, simulate(same.preferring(fidelity), Qsched()), fidelity)


def long_run(size: int, load_: float, seed: int) -> float:
    """The success that no policy with bounded queues exceeds on a fleet, over that of the best backends."""
    same = case(size, load_, seed)
    rate = len(same.names) / float(same.arrives_s[-1])
    return success_in_the_long_run(same.jobs, same.fleet, rate) / success_in_the_long_run(
        same.jobs, same.fleet, 1e-9
    )


def _qonductor(size: int, load_: float, seed: int) -> Point:
    same = case(size, load_, seed)
    return point(same, load_, simulate(same, load("qonductor")))


def _end_with_the_parent() -> None:
    """Let this process end when the one that started it is gone, however that ended."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
