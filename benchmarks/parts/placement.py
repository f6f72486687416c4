"""Placement of up to a million jobs on 64 backends, next to simple rules, a bound and the exact optimum.

The load of a backend's server is the same at every size: a thousand times as many jobs meet a thousand
times as many servers. Every method starts from the same job columns, so its seconds hold the scoring. What
comes out is judged by ``benchmarks.judge``, which shares no code with what placed.
"""

from __future__ import annotations

import hashlib
import math
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.baselines import fifo_greedy, least_busy, linear_optimum
from benchmarks.cache import cached
from benchmarks.findings import Findings, Plot, Table
from benchmarks.judge import Crowd, dual_bound, judge_choices, terms_of
from benchmarks.progress import track
from benchmarks.scenarios import scale
from qsched.placement import impatience_of, place, place_jobs, urgency
from qsched.scoring import Scorer, estimate, stage1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Ints = NDArray[np.int32]

SEED = 0
ROUNDS = 5  # of what is timed against a limit

BACKENDS = 64
JOBS = (1_000, 10_000, 100_000, 1_000_000)
HARD_JOBS = (1_000, 10_000)
JOBS_PER_SERVER = 1_000
SLOTS_PER_JOB = 0.9
ONE_BY_ONE = 100_000
"""Jobs up to which the rules that go through them one by one are run."""

_COLUMNS = ["jobs", "method", "welfare", "gap to the bound (%)", "seconds", "feasible"]
_TITLES = {
    "qsched": "qsched",
    "fifo": "FIFO greedy",
    "argmax": "best score, no congestion",
    "least_busy": "least busy",
}


def run(*, quick: bool) -> Findings:
    """Soft congestion at every size, then hard capacities.

    Args:
        quick: Up to 10,000 jobs, and hard capacities for 1,000.
    """
    soft = [_soft(jobs) for jobs in track(JOBS[:2] if quick else JOBS, "congestion")]
    hard = [_hard(jobs) for jobs in track(HARD_JOBS[:1] if quick else HARD_JOBS, "hard capacities")]
    figures = {"jobs": float(soft[-1]["jobs"])}
    for each in soft:
        figures[f"gap_pct_{_short(each['jobs'])}"] = each["methods"]["qsched"]["gap_pct"]
    for each in hard:
        figures[f"hard_gap_pct_{_short(each['jobs'])}"] = each["methods"]["qsched"]["gap_pct"]
    ours = [each["methods"]["qsched"] for each in soft + hard]
    figures["feasible"] = float(all(each["feasible"] for each in ours))
    figures["seconds"] = soft[-1]["methods"]["qsched"]["seconds"]
    figures["score_seconds"] = soft[-1]["score_s"]
    figures["over_score"] = figures["seconds"] / figures["score_seconds"]
    tables = [
        Table(
            f"Soft congestion, {BACKENDS} backends",
            _COLUMNS,
            [row for each in soft for row in _rows(each)],
            "Seconds from the job columns to the choice, scoring included. Welfare: urgency times score, "
            "less what jobs lose by waiting for each other. Rules that go through the jobs one by one are "
            f"left out above {ONE_BY_ONE:,} jobs. The bound is not tight for few jobs, since jobs are whole.",
        ),
        Table(
            f"Hard capacities, {BACKENDS} backends with {SLOTS_PER_JOB:g} slots a job in all",
            ["jobs", "method", "sum of scores", "gap to the optimum (%)", "seconds", "feasible"],
            [row for each in hard for row in _rows(each)],
            "The optimum is that of the linear programme (HiGHS); its value is proved to a millionth.",
        ),
    ]
    return Findings(figures, tables, {"soft": soft, "hard": hard})


def draw(data: dict[str, Any]) -> Iterable[Plot]:
    """Gap and time against the number of jobs."""
    gap, time_ = (
        Figure(figsize=(5, 3.6), layout="constrained"),
        Figure(figsize=(5, 3.6), layout="constrained"),
    )
    gaps, times = gap.subplots(), time_.subplots()
    for method, title in _TITLES.items():
        runs = [each for each in data["soft"] if method in each["methods"]]
        jobs = [each["jobs"] for each in runs]
        for axes, figure in ((gaps, "gap_pct"), (times, "seconds")):
            axes.loglog(jobs, [each["methods"][method][figure] for each in runs], marker="o", label=title)
    times.loglog(
        [each["jobs"] for each in data["soft"]],
        [each["score_s"] for each in data["soft"]],
        color="black",
        linestyle="--",
        label="scoring alone",
    )
    gaps.axhline(0.05, color="grey", linewidth=0.8, linestyle=":")
    gaps.annotate(
        "0.05 %", (data["soft"][-1]["jobs"], 0.05), va="bottom", ha="right", color="grey", fontsize=8
    )
    gaps.set_ylabel("gap to the dual bound (%)")
    times.set_ylabel("seconds, scoring included")
    for axes in (gaps, times):
        axes.set_xlabel("pending jobs")
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    yield Plot(
        "placement_gap",
        f"Welfare lost against the dual bound, {BACKENDS} backends. Jobs are whole and the bound is not, "
        "so a part of the gap for few jobs is the bound's own.",
        gap,
    )
    yield Plot("placement_seconds", f"Seconds to score and place on {BACKENDS} backends, two threads.", time_)


def _soft(jobs: int) -> dict[str, Any]:
    """All methods on one instance in which waiting costs score."""
    columns, fleet = scale.jobs(jobs, SEED), scale.fleet(BACKENDS, SEED)
    servers = np.full(BACKENDS, max(1, jobs // JOBS_PER_SERVER), dtype=np.int32)
    multiplier = urgency(columns.priority, columns.waited_s)
    hurry = impatience_of(columns.weights, columns.tau_s) * multiplier
    crowd = Crowd(columns, fleet, servers, multiplier, hurry)
    terms = terms_of(crowd)
    _, score_s = _timed(lambda: stage1(columns, fleet, keep=2), ROUNDS)
    ways: dict[str, Callable[[], Ints]] = {
        "qsched": lambda: place_jobs(columns, fleet, urgency=multiplier, servers=servers, seed=SEED),
        "argmax": lambda: stage1(columns, fleet, keep=2).best,
    }
    if jobs <= ONE_BY_ONE:
        ways["fifo"] = lambda: fifo_greedy(_scored(crowd), terms.units)
        ways["least_busy"] = lambda: least_busy(_scored(crowd), servers)
    made = {name: _timed(way, ROUNDS if name == "qsched" else 1) for name, way in ways.items()}
    judged = judge_choices(crowd, terms, {name: choice for name, (choice, _) in made.items()})
    bound = dual_bound(crowd, terms, judged["qsched"].loads)
    methods = {
        name: _entry(judged[name].welfare, bound, seconds, feasible=judged[name].feasible)
        for name, (_, seconds) in made.items()
    }
    return {"jobs": jobs, "bound": bound, "score_s": score_s, "methods": methods}


def _hard(jobs: int) -> dict[str, Any]:
    """All methods on one instance in which backends have few slots and waiting costs nothing."""
    columns, fleet = scale.jobs(jobs, SEED), scale.fleet(BACKENDS, SEED)
    shares = np.random.default_rng(SEED).dirichlet(np.full(BACKENDS, 4.0))
    slots = np.round(shares * jobs * SLOTS_PER_JOB).astype(np.int32)
    found = estimate(columns, fleet)
    offers, work_s = found.offers(), found.run_s
    block = [(offers, work_s, np.zeros(jobs, dtype=np.float32))]
    ways: dict[str, Callable[[], Ints]] = {
        "qsched": lambda: place(offers, work_s, slots=slots, seed=SEED),
        "argmax": lambda: stage1(columns, fleet, keep=2).best,
        "fifo": lambda: fifo_greedy(block, np.zeros((2, BACKENDS)), slots),
        "least_busy": lambda: least_busy(block, np.ones(BACKENDS, dtype=np.int32), slots),
    }
    content = hashlib.sha256(offers.tobytes() + slots.tobytes()).hexdigest()
    optimum = cached("linear-programme", content, lambda: linear_optimum(offers, slots), float)
    methods = {}
    for name, way in ways.items():
        choice, seconds = _timed(way)
        placed = np.flatnonzero(choice >= 0)
        got = offers[placed, choice[placed]].astype(np.float64)
        within = (np.bincount(choice[placed], minlength=BACKENDS) <= slots).all()
        feasible = bool(within and (found.reasons[placed, choice[placed]] == 0).all())
        methods[name] = _entry(float(got.sum()), optimum, seconds, feasible=feasible)
    return {"jobs": jobs, "bound": optimum, "methods": methods}


def _scored(crowd: Crowd) -> Iterator[tuple[Singles, Singles, Singles]]:
    """Blocks for the rules that go through the jobs one by one."""
    scorer = Scorer(crowd.jobs, crowd.fleet)
    for rows in scorer.blocks():
        offers, work_s = scorer.offers(rows)
        offers *= crowd.urgency[rows, None]
        yield offers, work_s, crowd.impatience[rows].astype(np.float32)


def _timed(work: Callable[[], Any], rounds: int = 1) -> tuple[Any, float]:
    """What it makes, and the median of its seconds."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - started)
    return made, statistics.median(seconds)


def _entry(welfare: float, bound: float, seconds: float, *, feasible: bool) -> dict[str, Any]:
    gap_pct = max(0.0, (bound - welfare) / abs(bound) * 100)
    return {"welfare": welfare, "gap_pct": gap_pct, "seconds": seconds, "feasible": feasible}


def _rows(instance: dict[str, Any]) -> list[list[str | float | int | None]]:
    rows: list[list[str | float | int | None]] = [
        [instance["jobs"], _TITLES[name], each["welfare"], each["gap_pct"], each["seconds"], _yes(each)]
        for name, each in instance["methods"].items()
    ]
    return [*rows, [instance["jobs"], "bound", instance["bound"], 0.0, None, None]]


def _yes(entry: dict[str, Any]) -> str:
    return "yes" if entry["feasible"] else "no"


def _short(jobs: int) -> str:
    return f"1e{round(math.log10(jobs))}"
