"""A few jobs on a few backends, solved exactly: how much of the wait can be saved for a little success.

Schedules are compared as first come, first served to the best fidelity is compared with qsched under load: by
the share of its wait that is saved for at most 3 % of its success, all instances of a fleet taken together.
Who may mix two schedules as it likes can lie between them, so every front is taken as its convex hull; then
no policy saves more than the optimum that knows every job beforehand, whatever it is.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.policies.exact import Replanned
from benchmarks.policies.qsched import Qsched
from benchmarks.policies.rules import Rule, best_fidelity
from benchmarks.progress import track
from benchmarks.simulation import fleets
from benchmarks.simulation.bounds import capacity
from benchmarks.simulation.enumeration import every_assignment
from benchmarks.simulation.loop import simulate
from benchmarks.simulation.mix import mix
from benchmarks.simulation.scenario import BEGIN, Scenario
from qsched.fleet.snapshot import build_fleet
from qsched.scoring import estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.simulation.view import Policy

    Floats = NDArray[np.float64]

JOBS, BACKENDS = 7, 4
SETTINGS = (0.0, 0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Of the trade-off. A few jobs make each other wait for seconds, not minutes, so small weights matter."""

LOADS = {"over time": 0.9, "at once": np.inf}
"""How the jobs come: as independent users send them, at this load, or all together."""

_KEPT = 0.97
_PRICE_S, _HALVINGS = 1e7, 60
"""The most seconds of waiting that a unit of success is worth, and how precisely it is found."""


class Saved(NamedTuple):
    """What is saved of the best fidelity's wait for 3 % of its success, on the small instances of a fleet.

    Attributes:
        backends: Size of the fleet that the instances' backends are drawn from.
        arrivals: One of ``LOADS``.
        instances: How many.
        clairvoyant: By the exact optimum that knows all jobs beforehand.
        sighted: By the best plan at each moment, for who knows when the tasks that run will end.
        informed: By the best plan at each moment, for who knows what qsched knows: how many tasks there are.
        qsched: By qsched.
    """

    backends: int
    arrivals: str
    instances: int
    clairvoyant: float
    sighted: float
    informed: float
    qsched: float


def small_instances(sizes: Sequence[int], count: int, seed: int) -> list[Saved]:
    """The most that can be saved, and what qsched saves.

    Args:
        sizes: Of the fleets.
        count: Instances of each fleet, and of each way in which jobs come.
        seed: Of their jobs, and of the backends that they have.
    """
    cases = track(list(itertools.product(sizes, LOADS)), "few jobs, solved exactly")
    return [_saved(size, arrivals, count, seed) for size, arrivals in cases]


def _saved(size: int, arrivals: str, count: int, seed: int) -> Saved:
    instances = list(_instances(size, LOADS[arrivals], count, seed))
    theirs = _total(instances, Rule("best-fidelity", best_fidelity, batch_s=0.0))
    fronts = [_front(case) for case in instances]
    sighted, informed, ours = (
        np.array([_total([case.preferring(x) for case in instances], policy) for x in SETTINGS])
        for policy in (Replanned(sees_tasks=True), Replanned(), Qsched(batch_s=0.0))
    )
    return Saved(
        backends=size,
        arrivals=arrivals,
        instances=count,
        clairvoyant=most_saved(fronts, theirs),
        sighted=most_saved([sighted], theirs),
        informed=most_saved([informed], theirs),
        qsched=most_saved([ours], theirs),
    )


def most_saved(fronts: Sequence[Floats], theirs: Floats) -> float:
    """The share of a total wait that is saved for 3 % of a total success.

    It is the Lagrangian bound: what the best mixture of the schedules saves, and no schedule saves more.

    Args:
        fronts: For each instance, (P, 2) wait and success of the schedules that are to be had.
        theirs: (2,) total wait and success to compare with.
    """
    kept = _KEPT * float(theirs[1])
    low_s, high_s, least_s = 0.0, _PRICE_S, -np.inf
    for _ in range(_HALVINGS):
        price_s = (low_s + high_s) / 2
        best = [front[(front[:, 0] - price_s * front[:, 1]).argmin()] for front in fronts]
        wait_s, success = np.sum(best, axis=0).tolist()
        least_s = max(least_s, wait_s + price_s * (kept - success))
        low_s, high_s = (low_s, price_s) if success >= kept else (price_s, high_s)
    return 1 - least_s / float(theirs[0])


def _instances(size: int, load: float, count: int, seed: int) -> Iterator[Scenario]:
    """A few of a fleet's backends, and a few jobs for them; run times are as estimated."""
    records = fleets.fleet(size, seed)
    for number in range(count):
        rng = np.random.default_rng([seed, size, number])
        some = [records[index] for index in np.sort(rng.choice(size, BACKENDS, replace=False)).tolist()]
        fleet = build_fleet(some, BEGIN)
        jobs = mix(JOBS, fleet, rng)
        gaps_s = rng.exponential(1 / (load * capacity(jobs, fleet)), JOBS)
        yield Scenario(
            name=f"{JOBS} jobs, {BACKENDS} of {size} backends",
            names=[f"job-{index}" for index in range(JOBS)],
            jobs=jobs,
            arrives_s=np.cumsum(gaps_s),
            backends=some,
            noise=0.0,
            seed=seed,
        )


def _total(instances: Sequence[Scenario], policy: Policy) -> Floats:
    """(2,) mean wait and success of a policy, summed over instances; deciding takes no time."""
    total = np.zeros(2)
    for case in instances:
        outcome = simulate(case, policy, stopwatch=lambda: 0.0)
        success = estimate(case.jobs, case.fleet).success[np.arange(JOBS), outcome.column]
        total += outcome.wait_s.mean(), success.mean()
    return total


def _front(case: Scenario) -> Floats:
    """(P, 2) mean wait and success of all that may happen to an instance's jobs."""
    found = estimate(case.jobs, case.fleet)
    every = every_assignment(
        found.run_s.astype(np.float64), found.reasons == 0, case.arrives_s, np.zeros(BACKENDS)
    )
    success = found.success.astype(np.float64)[np.arange(JOBS), every.choices].mean(axis=1)
    return np.column_stack([every.wait_s.mean(axis=1), success])
