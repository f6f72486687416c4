"""Policies under load: qsched, simple rules and Qonductor's optimiser in a discrete-event simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Findings
from benchmarks.options import count, positive
from benchmarks.policies import load
from benchmarks.policies.qsched import Qsched
from benchmarks.policies.rules import RULES
from benchmarks.simulation import compare, fleets, simulate, study
from benchmarks.simulation.arrivals import ARRIVALS
from benchmarks.simulation.build import scenario, traced, with_queues
from benchmarks.simulation.exact import small_instances
from benchmarks.simulation.plots import pictures
from benchmarks.simulation.tables import (
    against,
    bars,
    comparison,
    duel_table,
    points_table,
    settings_table,
    small_table,
)
from benchmarks.simulation.traces import read_depths, read_jobs
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from benchmarks.findings import Plot
    from benchmarks.simulation.scenario import Scenario
    from benchmarks.simulation.study import Duel, Point

SEED = 5

SIZES, QUICK_SIZES = (4, 8, 16, 64), (4,)
LOADS, QUICK_LOADS = (0.3, 0.6, 0.9, 1.2), (0.3, 0.9)
QUICK_JOBS = 60
SMALL, QUICK_SMALL = 15, 2
"""Small instances for each fleet and each way in which jobs come."""

HEAVY, HEAVY_LOST = 0.9, 0.03
LIGHT, LIGHT_LOST = 0.3, 0.005
"""Loads, and the most of the best fidelity's success that qsched may give for less waiting there."""

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
    parser.add_argument("--load", type=positive, help="their rate over what the fleet can serve")
    parser.add_argument("--jobs", type=count, help="how many")


def run(*, quick: bool, options: argparse.Namespace | None = None) -> Findings:
    """The study; or, with options, one's own comparison.

    Args:
        quick: Four backends, two loads, few jobs, and no Qonductor.
        options: See ``configure``.
    """
    if options is not None and any(value for value in vars(options).values()):
        return _own(options, quick=quick)
    sizes, loads = (QUICK_SIZES, QUICK_LOADS) if quick else (SIZES, LOADS)
    duels: list[Duel] = []
    if quick:
        points, special = list(study.at_loads(sizes, loads, SEED, QUICK_JOBS)), []
    else:
        with study.opponents(sizes, loads, SEED) as theirs:
            points = list(study.at_loads(sizes, loads, SEED, None))
            special = list(study.special(SEED, study.jobs_for(8)))
            duels = study.duels(theirs, points, SEED)
    bounds = {(size, load_): study.long_run(size, load_, SEED) for size in sizes for load_ in loads}
    small = small_instances(sizes, QUICK_SMALL if quick else SMALL, SEED)
    figures = {
        **_against_best_fidelity(points, bounds),
        "small_of_optimum": float(np.mean([each.qsched / each.informed for each in small])),
        "small_of_future": float(np.mean([each.qsched / each.clairvoyant for each in small])),
        "starvation": max(
            each.metrics["wait_p999_s"] / each.metrics["wait_mean_s"]
            for each in points
            if (each.policy, each.load, each.fidelity) == ("qsched", max(loads), study.FIDELITY)
        ),
        "unfinished": sum(each.metrics["unfinished"] for each in (*points, *special)),
    }
    if duels:
        figures["nsga2_points"] = len(duels)
        figures["nsga2_points_dominated"] = sum(bool(each.winners) for each in duels) / len(duels)
        figures["nsga2_decision_s"] = max(each.theirs.metrics["decision_ms"] / 1e3 for each in duels)
        figures |= _ten_thousand()
    points += [each.theirs for each in duels]
    shown = scenario(fleets.fleet(4, SEED), jobs=QUICK_JOBS, load=0.9, seed=SEED)
    return Findings(
        figures=figures,
        tables=[
            *duel_table(duels),
            *settings_table(points, (LIGHT, HEAVY)),
            *small_table(small),
            *points_table(points, bounds),
            *points_table(special, {}),
        ],
        data={
            "points": [each._asdict() for each in points],
            "gantt": _gantt(shown, ("best-fidelity", "qsched")),
        },
    )


def draw(data: dict[str, Any]) -> Iterable[Plot]:
    """The study's pictures."""
    return pictures(data)


def _against_best_fidelity(points: list[Point], bounds: dict[tuple[int, float], float]) -> dict[str, float]:
    """What qsched saves of the best fidelity's wait for little of its success, fleet by fleet."""
    base = {(each.backends, each.load): each for each in points if each.policy == "best-fidelity"}
    ours = [each for each in points if each.policy == "qsched"]
    figures: dict[str, float] = {}
    for size in sorted({each.backends for each in points}):
        for load_, name, most in ((HEAVY, "heavy", HEAVY_LOST), (LIGHT, "light", LIGHT_LOST)):
            here = {
                each.fidelity: against(each, base[size, load_])
                for each in ours
                if (each.backends, each.load) == (size, load_)
            }
            cheap = {saved: fidelity for fidelity, (saved, lost) in here.items() if lost <= most}
            figures[f"{name}_saved_{size}"] = max(cheap, default=float("nan"))
            figures[f"{name}_weight_{size}"] = cheap[max(cheap)] if cheap else float("nan")
            saved, lost = here[study.FIDELITY]
            figures |= {f"{name}_saved_default_{size}": saved, f"{name}_lost_default_{size}": lost}
        figures[f"long_run_lost_{size}"] = 1 - bounds[size, HEAVY]
    return figures


def _ten_thousand() -> dict[str, float]:
    """Ten thousand jobs on 64 backends at load .9: how long it takes, and what comes of a long queue."""
    case = scenario(fleets.fleet(64, SEED), jobs=10_000, load=HEAVY, seed=SEED)
    ours, theirs = simulate(case, Qsched(batch_s=5.0)), simulate(case, load("best-fidelity"))
    mine, base = ours.summary(), theirs.summary()
    return {
        "ten_thousand_s": ours.wall_s,
        "ten_thousand_rest_s": ours.wall_s - mine["decision_total_s"],
        "ten_thousand_saved": 1 - mine["wait_mean_s"] / base["wait_mean_s"],
        "ten_thousand_lost": 1 - mine["success"] / base["success"],
        "ten_thousand_moves": mine["moves"] / len(case.names),
    }


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
    if len(names) < len(own):
        raise InvalidInput("--policy was given twice with the same name; rename one of the functions")
    peers = [load(name) for name in ("qsched", *RULES) if name not in names]
    brought = {each.name: name for each, name in zip(own, options.policy, strict=True) if ":" in name}
    found = compare(case, [*own, *peers], apart=brought)
    figures: dict[str, float] = {"jobs": len(case.names), "failed_policies": len(found.errors)}
    for name, outcome in found.outcomes.items():
        metrics = outcome.summary()
        figures[f"{name}: mean wait, s"] = metrics["wait_mean_s"]
        figures[f"{name}: mean success"] = metrics["success"]
    return Findings(
        figures=figures,
        tables=comparison(case, found),
        data={"points": [], "gantt": bars(case, found.outcomes.values(), _WINDOW_S)},
        problems=list(found.errors.values()),
    )


def _gantt(case: Scenario, names: Iterable[str]) -> list[dict[str, Any]]:
    return bars(case, [simulate(case, load(name)) for name in names], _WINDOW_S)
