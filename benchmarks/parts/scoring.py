"""Scoring speed: jobs x backends through stage 1, next to a matrix product of the same shapes.

Stage 1 is everything from the jobs' columns to the best backend and the runner-up of each: estimates,
reasons, utilities, the weighted score. The roofline is measured in turn with it, on the same two threads.
"""

from __future__ import annotations

import dataclasses
import resource
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.findings import Findings, Plot, Table
from benchmarks.progress import track
from benchmarks.scenarios import scale
from benchmarks.score_roofline import Roofline, width
from qsched.scoring import ScoreTable, stage1
from qsched.scoring.features import features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qsched.fleet.snapshot import BackendRecord, Fleet
    from qsched.scoring.jobs import JobColumns

SEED = 0

JOBS = (1_000, 10_000, 100_000, 1_000_000)
BACKENDS = (16, 64, 256)
MOST_PAIRS = 64_000_000
THREADS = 2
CHANGED = 0.01
"""Share of the jobs that change at once."""

_LEAST_S = 0.3  # each size is measured for so long at least, small ones many times
_LEAST_ROUNDS = 3


class Speed(NamedTuple):
    """How fast one size went.

    Attributes:
        jobs: J.
        backends: B.
        ns: Of stage 1, a pair; the fastest of some rounds.
        roofline_ns: Of the roofline, a pair; likewise.
        ratio: Stage 1 over the roofline, the median of the rounds.
    """

    jobs: int
    backends: int
    ns: float
    roofline_ns: float
    ratio: float


def run(*, quick: bool) -> Findings:
    """Every size; the memory of the largest; and what small changes cost.

    Args:
        quick: Up to 100,000 jobs and 6.4 million pairs.
    """
    most_jobs, most_pairs = (JOBS[-2], MOST_PAIRS // 10) if quick else (JOBS[-1], MOST_PAIRS)
    sizes = [
        (jobs, backends)
        for jobs in JOBS
        for backends in BACKENDS
        if jobs <= most_jobs and jobs * backends <= most_pairs
    ]
    everyone = scale.jobs(most_jobs, SEED)
    speeds = [
        _speed(everyone.take(slice(0, jobs)), scale.fleet(backends, SEED))
        for jobs, backends in track(sizes, "sizes")
    ]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fleet = scale.fleet(64, SEED)
    backend, jobs = _changes(everyone.take(slice(0, min(most_jobs, 200_000))), fleet)
    largest = next(each for each in reversed(speeds) if each.backends == 64)
    figures = {
        "jobs": float(largest.jobs),
        "ns_per_pair": largest.ns,
        "roofline_ns": largest.roofline_ns,
        "of_roofline": largest.ratio,
        "peak_mb": peak_mb,
        "backend_gain": backend,
        "jobs_gain": jobs,
    }
    return Findings(figures, [_table(speeds)], {"speeds": [each._asdict() for each in speeds]})


def draw(data: dict[str, Any]) -> Iterable[Plot]:
    """Time a pair against the number of jobs, with the roofline."""
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for color, backends in zip(("tab:blue", "tab:orange", "tab:green"), BACKENDS, strict=True):
        speeds = [Speed(**each) for each in data["speeds"] if each["backends"] == backends]
        jobs = [each.jobs for each in speeds]
        axes.loglog(jobs, [each.ns for each in speeds], marker="o", color=color, label=f"{backends} backends")
        axes.loglog(jobs, [each.roofline_ns for each in speeds], linestyle="--", color=color)
    axes.plot([], [], linestyle="--", color="grey", label="roofline of the same size")
    axes.set_xlabel("pending jobs")
    axes.set_ylabel("time of a job-backend pair (ns)")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    yield Plot(
        "scoring_speed",
        "All of stage 1 on two threads. The roofline is a single-precision product of as many features, with "
        "exp and argmax. Few jobs pay for whole blocks, and for what a fleet brings to every score.",
        figure,
    )


def _speed(jobs: JobColumns, fleet: Fleet) -> Speed:
    pairs = len(jobs) * len(fleet)
    few = jobs.take(slice(0, min(len(jobs), 1000)))
    roofline = Roofline(len(jobs), len(fleet), width(features(few, np.arange(len(few)), weighted=True)))
    ours: list[float] = []
    its: list[float] = []
    started = time.perf_counter()
    while len(ours) < _LEAST_ROUNDS or time.perf_counter() - started < _LEAST_S:
        its.append(_seconds(lambda: roofline.run(THREADS)))
        ours.append(_seconds(lambda: stage1(jobs, fleet, keep=2, threads=THREADS)))
    ratio = float(np.median(np.array(ours) / np.array(its)))
    return Speed(len(jobs), len(fleet), min(ours) / pairs * 1e9, min(its) / pairs * 1e9, ratio)


def _changes(jobs: JobColumns, fleet: Fleet) -> tuple[float, float]:
    """How many times faster than everything one backend is scored again, and one job in a hundred.

    Of the backends that change after each other the second is measured: the first one after jobs changed
    also puts these in order, which the others need not.

    Raises:
        RuntimeError: If the scores are not those of a computation anew, to the last bit.
    """
    rng = np.random.default_rng(SEED)
    some = np.sort(rng.choice(len(jobs), int(len(jobs) * CHANGED), replace=False)).astype(np.int32)
    table = ScoreTable(jobs, fleet, threads=THREADS)
    whole, backend, rows = [], [], []
    for turn in range(_LEAST_ROUNDS):
        shots = jobs.shots.copy()
        shots[some] += 100
        jobs = dataclasses.replace(jobs, shots=shots)
        rows.append(_seconds(partial(table.jobs_changed, jobs, some)))
        table.backend_changed(_slower(table.fleet, 2 * turn))
        backend.append(_seconds(partial(table.backend_changed, _slower(table.fleet, 2 * turn + 1))))
        started = time.perf_counter()
        anew = ScoreTable(jobs, table.fleet, threads=THREADS)
        whole.append(time.perf_counter() - started)
        if not np.array_equal(anew.scores, table.scores):
            raise RuntimeError("scores that were kept differ from scores computed anew")
    all_s = np.array(whole)
    return float(np.median(all_s / backend)), float(np.median(all_s / rows))


def _slower(fleet: Fleet, column: int) -> BackendRecord:
    record = fleet.records[column]
    return dataclasses.replace(record, wait_s=record.wait_s + 60, wait_p90_s=record.wait_p90_s + 240)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _table(speeds: list[Speed]) -> Table:
    return Table(
        f"Stage 1 on {THREADS} threads",
        ["jobs", "backends", "ns a pair", "roofline, ns a pair", "ratio"],
        [[each.jobs, each.backends, each.ns, each.roofline_ns, each.ratio] for each in speeds],
        "Times are the fastest of several rounds, ratios the median of the same rounds. The roofline is a "
        "product of single-precision matrices with as many features, fused with exp and argmax, in chunks.",
    )
