"""Scenarios made from a few choices."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.simulation import fleets
from benchmarks.simulation.arrivals import ARRIVALS
from benchmarks.simulation.bounds import capacity
from benchmarks.simulation.mix import mix
from benchmarks.simulation.scenario import BEGIN, Scenario
from benchmarks.simulation.traces import replay
from qsched.fleet.snapshot import build_fleet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.simulation.scenario import Change
    from benchmarks.simulation.traces import Depths, TracedJobs
    from qsched.fleet.snapshot import BackendRecord

_AFTER = 3.0
"""Things go on happening to the fleet for this many times as long as jobs come."""


def scenario(
    backends: Sequence[BackendRecord],
    *,
    jobs: int,
    load: float,
    seed: int,
    arrivals: str = "poisson",
    name: str = "",
) -> Scenario:
    """Jobs at a given load, on devices that are recalibrated daily and otherwise always there.

    Args:
        backends: The fleet.
        jobs: How many.
        load: Their rate over the greatest rate that the fleet can serve.
        seed: Of everything that is drawn.
        arrivals: One of ``ARRIVALS``.
        name: What reports call it.
    """
    rng = np.random.default_rng([seed, 0])
    fleet = build_fleet(backends, BEGIN)
    columns = mix(jobs, fleet, rng)
    arrives_s = ARRIVALS[arrivals](jobs, load * capacity(columns, fleet), rng)
    return Scenario(
        name=name or f"{len(backends)} backends, load {load:g}",
        names=[f"job-{number}" for number in range(jobs)],
        jobs=columns,
        arrives_s=arrives_s,
        backends=backends,
        changes=_ordered(fleets.recalibrations(backends, _AFTER * float(arrives_s[-1]), seed)),
        seed=seed,
    )


def traced(backends: Sequence[BackendRecord], jobs: TracedJobs, *, seed: int) -> Scenario:
    """Jobs of a trace, when it says that they came.

    Args:
        backends: The fleet.
        jobs: From ``read_jobs``.
        seed: Of recalibrations and of real over estimated run times.
    """
    until_s = _AFTER * max(float(jobs.arrives_s[-1]), 3600.0)
    return Scenario(
        name=f"{len(backends)} backends, {len(jobs.names)} jobs of a trace",
        names=jobs.names,
        jobs=jobs.columns,
        arrives_s=jobs.arrives_s,
        backends=backends,
        changes=_ordered(fleets.recalibrations(backends, until_s, seed)),
        seed=seed,
    )


def with_queues(plain: Scenario, depths: Depths, *, seed: int) -> Scenario:
    """The same, and on each backend the queue that other people had on a device of a trace.

    Args:
        plain: The scenario.
        depths: From ``read_depths``; the first backend gets the first device's queue, and so on.
        seed: Of the run times of other people's tasks.
    """
    until_s = _AFTER * float(plain.arrives_s[-1])
    changes = [*plain.changes, *replay(depths, len(plain.backends), until_s, seed)]
    return dataclasses.replace(plain, changes=_ordered(changes))


def eventful(size: int, *, jobs: int, load: float, seed: int) -> Scenario:
    """Everything at once: bursts by day and night, deadlines, outages, closing times, other people's tasks.

    Args:
        size: Backends.
        jobs: How many.
        load: As in ``scenario``, other people's tasks included.
        seed: Of everything that is drawn.
    """
    backends = fleets.fleet(size, seed, max_in_flight=4, windows=True)
    rng = np.random.default_rng([seed, 7])
    foreign = 0.2
    plain = scenario(backends, jobs=jobs, load=load - foreign, seed=seed, arrivals="bursts")
    until_s = _AFTER * float(plain.arrives_s[-1])
    changes = [
        *plain.changes,
        *fleets.outages(backends, until_s, seed, share=0.05),
        *fleets.closings(backends, until_s),
        *fleets.strangers(backends, until_s, seed, share=foreign),
    ]
    return dataclasses.replace(
        plain,
        name=f"{size} backends, eventful",
        jobs=mix(jobs, plain.fleet, rng, deadlines=0.3),
        changes=_ordered(changes),
    )


def _ordered(changes: list[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: change.at_s)
