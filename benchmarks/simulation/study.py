"""The study of policies under load: which scenarios, which policies, and the figures that come of them."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.policies import load
from benchmarks.policies.qsched import Qsched
from benchmarks.progress import track
from benchmarks.simulation import fleets
from benchmarks.simulation.bounds import evaluate, every_assignment, success_in_the_long_run
from benchmarks.simulation.build import eventful, scenario
from benchmarks.simulation.loop import simulate
from qsched.placement import impatience_of, place
from qsched.scoring import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from benchmarks.simulation.bounds import Assignments
    from benchmarks.simulation.outcome import Outcome
    from benchmarks.simulation.scenario import Scenario

RULES = ("best-fidelity", "least-loaded", "round-robin", "random")
FIDELITY = 0.5
"""The weight of fidelity in the jobs' scores, where nothing else is said; the rest is that of the wait."""

TRADE_OFF = (0.0, 0.05, 0.15, 0.3, 0.5, 0.75, 0.9, 1.0)
"""The settings of qsched's one trade-off that are tried."""

_BATCHES = 2
"""Decisions that Qonductor gets at each load; each takes it many seconds."""

_SMALL_JOBS, _SMALL_BACKENDS = 6, 4
_SMALL_TRADE_OFF = (0.0, 0.003, 0.006, 0.012, 0.025, *TRADE_OFF[1:])
"""A few jobs make each other wait for seconds, not minutes, so that small weights matter too."""


class Point(NamedTuple):
    """One policy at one load on one fleet, under one setting of the trade-off."""

    scenario: str
    backends: int
    load: float
    policy: str
    fidelity: float
    metrics: dict[str, float]


def point(scenario: Scenario, load_: float, outcome: Outcome, fidelity: float = FIDELITY) -> Point:
    """An outcome as a point."""
    return Point(scenario.name, len(scenario.backends), load_, outcome.policy, fidelity, outcome.summary())


def jobs_for(backends: int) -> int:
    """How many jobs a fleet gets in a full run; larger ones need more until their queues are typical."""
    return 200 + 5 * backends


def at_loads(sizes: Sequence[int], loads: Sequence[float], seed: int, jobs: int | None) -> Iterator[Point]:
    """The simple rules and qsched at every load on every fleet.

    Args:
        sizes: Of the fleets.
        loads: Over what each can serve.
        seed: Of everything that is drawn.
        jobs: How many a scenario; as ``jobs_for`` says by default.
    """
    cases = [(size, load_) for size in sizes for load_ in loads]
    for size, load_ in track(cases, "policies under load"):
        case = scenario(fleets.fleet(size, seed), jobs=jobs or jobs_for(size), load=load_, seed=seed)
        for name in ("qsched", *RULES):
            yield point(case, load_, simulate(case, load(name)))


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
    for load_, case in track(cases, "overload, bursts, outages"):
        for name in ("qsched", *RULES):
            yield point(case, load_, simulate(case, load(name)))


def duel_scenario(size: int, load_: float, seed: int) -> Scenario:
    """Enough jobs for a few of Qonductor's batches."""
    backends = fleets.fleet(size, seed)
    probe = scenario(backends, jobs=100, load=load_, seed=seed)
    batch = min(100.0, 120.0 * 100 / float(probe.arrives_s[-1]))
    return scenario(backends, jobs=max(10, round(_BATCHES * batch)), load=load_, seed=seed)


@contextmanager
def opponents(sizes: Sequence[int], loads: Sequence[float], seed: int) -> Iterator[list[Future[Point]]]:
    """Qonductor's operating points, in the order of sizes and loads, while other things are done.

    It runs in a process of its own: it needs minutes, and nothing else may make its decisions slower.

    Args:
        sizes: Of the fleets.
        loads: Over what each can serve.
        seed: Of everything that is drawn.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            yield [process.submit(_qonductor, size, load_, seed) for size in sizes for load_ in loads]
        finally:
            process.shutdown(cancel_futures=True)


def duels(
    theirs: Sequence[Future[Point]], sizes: Sequence[int], loads: Sequence[float], seed: int
) -> list[tuple[Point, list[Point]]]:
    """Qonductor's operating points, each with qsched's trade-off on the same jobs; see ``opponents``."""
    cases = [(size, load_) for size in sizes for load_ in loads]
    ours = [
        trade_off(duel_scenario(size, load_, seed), load_)
        for size, load_ in track(cases, "qsched's trade-off")
    ]
    return [(each.result(), curve) for each, curve in zip(track(theirs, "Qonductor"), ours, strict=True)]


def _qonductor(size: int, load_: float, seed: int) -> Point:
    case = duel_scenario(size, load_, seed)
    return point(case, load_, simulate(case, load("qonductor")))


def trade_off(case: Scenario, load_: float, settings: Iterable[float] = TRADE_OFF) -> list[Point]:
    """Points of qsched under each setting of its one trade-off."""
    return [point(case, load_, simulate(case.preferring(x), Qsched()), x) for x in settings]


def dominated(theirs: Point, ours: Sequence[Point]) -> bool:
    """Whether some setting is at least as good in mean completion time and success, and better in one."""
    time_s, success = theirs.metrics["completion_mean_s"], theirs.metrics["success"]
    for each in ours:
        own_s, own = each.metrics["completion_mean_s"], each.metrics["success"]
        if own_s <= time_s and own >= success and (own_s < time_s or own > success):
            return True
    return False


def long_run(size: int, load_: float, seed: int) -> float:
    """The success that no policy with bounded queues exceeds on a fleet, over that of the best backends."""
    case = scenario(fleets.fleet(size, seed), jobs=jobs_for(size), load=load_, seed=seed)
    rate = len(case.names) / float(case.arrives_s[-1])
    return success_in_the_long_run(case.jobs, case.fleet, rate) / success_in_the_long_run(
        case.jobs, case.fleet, 1e-9
    )


class SmallInstances(NamedTuple):
    """A few jobs at once on a few backends, solved exactly.

    Attributes:
        allowed: Share of the instances where some assignment saves 75 % of the best fidelity's wait for at
            most 3 % of its success.
        share: Mean of what qsched saves of that wait, over the most that can be saved, for at most 3 %.
    """

    allowed: float
    share: float


def small_instances(count: int, seed: int) -> SmallInstances:
    """The placement of qsched against every assignment.

    Args:
        count: How many instances.
        seed: Of their jobs.
    """
    case = scenario(fleets.fleet(_SMALL_BACKENDS, seed), jobs=_SMALL_JOBS * count, load=0.9, seed=seed)
    allowed, shares = [], []
    for index in range(count):
        jobs = case.jobs.take(slice(index * _SMALL_JOBS, (index + 1) * _SMALL_JOBS))
        found = estimate(jobs, case.fleet)
        run_s, success = found.run_s.astype(np.float64), found.success.astype(np.float64)
        feasible = found.reasons == 0
        best = np.where(feasible, success, -1).argmax(axis=1).astype(np.int32)
        theirs = evaluate(best[None], run_s, success)
        every = every_assignment(run_s, success, feasible)
        most = _saved(every, theirs)
        if most <= 0:
            continue  # the best backends of these jobs differ: nobody waits for long
        settings = []
        for x in _SMALL_TRADE_OFF:
            weights = np.tile(np.array([x, 1 - x, 0, 0], dtype=np.float32), (len(jobs), 1))
            offers = x * success + (1 - x) * found.wait
            settings.append(
                place(
                    np.where(feasible, offers, -np.inf).astype(np.float32),
                    found.run_s,
                    impatience=impatience_of(weights, jobs.tau_s),
                )
            )
        allowed.append(most >= 0.75)
        shares.append(max(_saved(evaluate(np.array(settings), run_s, success), theirs), 0.0) / most)
    return SmallInstances(float(np.mean(allowed)), float(np.mean(shares)))


def _saved(found: Assignments, theirs: Assignments) -> float:
    """The most of their wait that is saved for at most 3 % of their success; -1 if none keeps that."""
    kept = found.success >= 0.97 * theirs.success[0] - 1e-9
    if not kept.any() or theirs.wait_s[0] <= 0:
        return -1.0
    return 1 - float(found.wait_s[kept].min()) / float(theirs.wait_s[0])
