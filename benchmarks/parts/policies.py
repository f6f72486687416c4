"""Policies under load: qsched, simple rules and Qonductor's optimiser in a discrete-event simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.findings import Findings
from benchmarks.policies import load
from benchmarks.simulation import compare, fleets, simulate, study
from benchmarks.simulation.arrivals import ARRIVALS
from benchmarks.simulation.build import scenario, traced, with_queues
from benchmarks.simulation.plots import pictures
from benchmarks.simulation.tables import bars, comparison, duel_table, points_table
from benchmarks.simulation.traces import read_depths, read_jobs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from benchmarks.findings import Plot
    from benchmarks.simulation.scenario import Scenario
    from benchmarks.simulation.study import Point

SEED = 5

SIZES, QUICK_SIZES = (4, 8, 16, 64), (4,)
LOADS, QUICK_LOADS = (0.3, 0.6, 0.9, 1.2), (0.3, 0.9)
QUICK_JOBS = 60

_OWN_JOBS = 300
_OWN_LOAD = 0.9
_WINDOW_S = 600.0
"""What the Gantt chart shows of the time."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options to bring one's own policy, fleet, and traces."""
    parser.add_argument(
        "--policy", action="append", default=[], help="a name, or file.py:function; repeatable"
    )
    parser.add_argument("--fleet", type=Path, help="a fleet file (YAML) instead of eight real devices")
    parser.add_argument("--trace", type=Path, help="jobs as CSV: seconds,circuit,shots")
    parser.add_argument("--queues", type=Path, help="other people's queues as CSV: minute_utc, devices")
    parser.add_argument("--arrivals", choices=list(ARRIVALS), help="how jobs come")
    parser.add_argument("--load", type=float, help="their rate over what the fleet can serve")
    parser.add_argument("--jobs", type=int, help="how many")


def run(*, quick: bool, options: argparse.Namespace | None = None) -> Findings:
    """The study; or, with options, one's own comparison.

    Args:
        quick: Four backends, two loads, few jobs, and no Qonductor.
        options: See ``configure``.
    """
    if options is not None and any(value for value in vars(options).values()):
        return _own(options, quick=quick)
    sizes, loads = (QUICK_SIZES, QUICK_LOADS) if quick else (SIZES, LOADS)
    duels: list[tuple[Point, list[Point]]] = []
    if quick:
        points, special = list(study.at_loads(sizes, loads, SEED, QUICK_JOBS)), []
    else:
        with study.opponents(sizes, loads, SEED) as theirs:
            points = list(study.at_loads(sizes, loads, SEED, None))
            special = list(study.special(SEED, study.jobs_for(8)))
            duels = study.duels(theirs, sizes, loads, SEED)
    bounds = {(size, load_): study.long_run(size, load_, SEED) for size in sizes for load_ in loads}
    small = study.small_instances(5 if quick else 40, SEED)
    figures = {
        **_against_best_fidelity(points, bounds),
        "small_allowed": small.allowed,
        "small_share": small.share,
        "starvation": max(
            each.metrics["wait_p999_s"] / each.metrics["wait_mean_s"]
            for each in points
            if each.policy == "qsched" and each.load == max(loads)
        ),
        "unfinished": sum(each.metrics["unfinished"] for each in (*points, *special)),
    }
    if duels:
        figures["duels"] = len(duels)
        figures["duels_won"] = sum(study.dominated(*duel) for duel in duels) / len(duels)
        figures["qonductor_decision_s"] = max(theirs.metrics["decision_ms"] / 1e3 for theirs, _ in duels)
        figures["ten_thousand_s"] = _ten_thousand()
    shown = scenario(fleets.fleet(4, SEED), jobs=QUICK_JOBS, load=0.9, seed=SEED)
    return Findings(
        figures=figures,
        tables=[*points_table(points, bounds), *points_table(special, {}), *duel_table(duels)],
        data={
            "points": [each._asdict() for each in points],
            "duels": [[theirs._asdict(), [each._asdict() for each in ours]] for theirs, ours in duels],
            "gantt": _gantt(shown, ("best-fidelity", "qsched")),
        },
    )


def draw(data: dict[str, Any]) -> Iterable[Plot]:
    """The study's pictures."""
    return pictures(data)


def _against_best_fidelity(points: list[Point], bounds: dict[tuple[int, float], float]) -> dict[str, float]:
    """What qsched saves and gives at load .9 and loses at load .3, fleet by fleet."""
    at = {(each.policy, each.backends, each.load): each.metrics for each in points}
    figures = {}
    for size in sorted({each.backends for each in points}):
        ours, theirs = at["qsched", size, 0.9], at["best-fidelity", size, 0.9]
        figures[f"wait_saved_{size}"] = 1 - ours["wait_mean_s"] / theirs["wait_mean_s"]
        figures[f"success_lost_{size}"] = 1 - ours["success"] / theirs["success"]
        figures[f"least_lost_{size}"] = 1 - bounds[size, 0.9]
        ours, theirs = at["qsched", size, 0.3], at["best-fidelity", size, 0.3]
        figures[f"light_lost_{size}"] = 1 - ours["success"] / theirs["success"]
        figures[f"light_least_{size}"] = 1 - bounds[size, 0.3]
        figures[f"of_bound_{size}"] = (1 - figures[f"success_lost_{size}"]) / bounds[size, 0.9]
    return figures


def _ten_thousand() -> float:
    """Seconds to simulate ten thousand jobs on 64 backends under qsched, cycles five seconds apart."""
    from benchmarks.policies.qsched import Qsched

    case = scenario(fleets.fleet(64, SEED), jobs=10_000, load=0.9, seed=SEED)
    return simulate(case, Qsched(batch_s=5.0)).wall_s


def _own(options: argparse.Namespace, *, quick: bool) -> Findings:
    """Policies side by side on one scenario, some of them or all of it brought by the user."""
    backends = fleets.read_fleet(options.fleet) if options.fleet else fleets.fleet(8, SEED)
    own = [load(name) for name in options.policy]
    if options.trace:
        case = traced(backends, read_jobs(options.trace), seed=SEED)
    else:
        case = scenario(
            backends,
            jobs=options.jobs or (QUICK_JOBS if quick else _OWN_JOBS),
            load=options.load or _OWN_LOAD,
            seed=SEED,
            arrivals=options.arrivals or "poisson",
        )
    if options.queues:
        case = with_queues(case, read_depths(options.queues), seed=SEED)
    names = {each.name for each in own}
    peers = [load(name) for name in ("qsched", *study.RULES) if name not in names]
    found = compare(case, [*own, *peers])
    figures: dict[str, float] = {"jobs": len(case.names), "failed_policies": len(found.errors)}
    for name, outcome in found.outcomes.items():
        metrics = outcome.summary()
        figures[f"{name}: mean wait, s"] = metrics["wait_mean_s"]
        figures[f"{name}: mean success"] = metrics["success"]
    return Findings(
        figures=figures,
        tables=comparison(case, found),
        data={"points": [], "duels": [], "gantt": bars(case, found.outcomes.values(), _WINDOW_S)},
    )


def _gantt(case: Scenario, names: Iterable[str]) -> list[dict[str, Any]]:
    return bars(case, [simulate(case, load(name)) for name in names], _WINDOW_S)
