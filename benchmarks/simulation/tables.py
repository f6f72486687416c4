"""The study as tables, and the data of its Gantt chart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.simulation.compare import Comparison
    from benchmarks.simulation.outcome import Outcome
    from benchmarks.simulation.scenario import Scenario
    from benchmarks.simulation.study import Point

_METRICS = {
    "wait_mean_s": ("wait, mean s", 1),
    "wait_p50_s": ("P50", 1),
    "wait_p95_s": ("P95", 1),
    "wait_p999_s": ("P99.9", 1),
    "wait_max_s": ("longest", 1),
    "completion_mean_s": ("completion, mean s", 1),
    "completion_p50_s": ("P50 ", 1),
    "completion_p95_s": ("P95 ", 1),
    "success": ("success", 4),
    "cost": ("cost", 2),
    "utilisation": ("busy", 2),
    "utilisation_spread": ("spread", 2),
    "deadlines_met": ("deadlines met", 3),
    "unfinished": ("unfinished", 0),
    "moves": ("moves", 0),
    "decision_ms": ("decision, ms", 1),
}


def points_table(points: Sequence[Point], bounds: Mapping[tuple[int, float], float]) -> list[Table]:
    """A table for each scenario, a row for each policy."""
    tables = []
    for name in dict.fromkeys(each.scenario for each in points):
        here = [each for each in points if each.scenario == name]
        bound = bounds.get((here[0].backends, here[0].load))
        note = (
            f"With queues that do not grow for ever, no policy keeps more than {bound:.2%} of the success."
            if bound is not None
            else ""
        )
        tables.append(_table(name, {each.policy: each.metrics for each in here}, note))
    return tables


def comparison(case: Scenario, found: Comparison) -> list[Table]:
    """Policies side by side on one scenario; those that failed with the reason."""
    tables = [_table(case.name, {name: each.summary() for name, each in found.outcomes.items()}, "")]
    if found.errors:
        rows: list[list[str | float | int | None]] = [[name, why] for name, why in found.errors.items()]
        tables.append(Table("Policies that failed", ["policy", "why"], rows))
    return tables


def duel_table(duels: Sequence[tuple[Point, Sequence[Point]]]) -> list[Table]:
    """Qonductor's operating points and qsched's settings that are as good in both, or else the nearest."""
    rows: list[list[str | float | int | None]] = []
    for theirs, ours in duels:
        time_s, success = theirs.metrics["completion_mean_s"], theirs.metrics["success"]
        rows.append(_duel_row(theirs, "qonductor", None))
        faster = [each for each in ours if each.metrics["completion_mean_s"] <= time_s]
        better = [each for each in faster if each.metrics["success"] >= success]
        shown = better or sorted(faster, key=lambda one: -one.metrics["success"])[:1]
        rows += [_duel_row(each, "qsched", each.fidelity) for each in shown]
    if not rows:
        return []
    columns = [
        "backends",
        "load",
        "policy",
        "weight of fidelity",
        "completion, mean s",
        "success",
        "decision, s",
    ]
    note = "The rows of qsched are the settings that are at least as good in both."
    return [Table("Qonductor's operating points", columns, rows, note)]


def bars(case: Scenario, outcomes: Iterable[Outcome], window_s: float) -> list[dict[str, Any]]:
    """What ran where and when, for each policy: the data of a Gantt chart."""
    charts = []
    for each in outcomes:
        shown = np.flatnonzero(each.starts_s < window_s)
        shown = shown[each.column[shown] >= 0]
        charts.append(
            {
                "policy": each.policy,
                "backends": list(case.fleet.names),
                "window_s": window_s,
                "bars": [
                    [int(each.column[job]), float(each.starts_s[job]), float(each.ends_s[job]), float(wait_s)]
                    for job, wait_s in zip(shown.tolist(), each.wait_s[shown], strict=True)
                ],
            }
        )
    return charts


def _table(title: str, rows: Mapping[str, Mapping[str, float]], note: str) -> Table:
    cells: list[list[str | float | int | None]] = [
        [policy, *(_rounded(metrics[name], digits) for name, (_, digits) in _METRICS.items())]
        for policy, metrics in rows.items()
    ]
    return Table(title, ["policy", *(heading for heading, _ in _METRICS.values())], cells, note)


def _duel_row(each: Point, policy: str, fidelity: float | None) -> list[str | float | int | None]:
    metrics = each.metrics
    return [
        each.backends,
        each.load,
        policy,
        fidelity,
        _rounded(metrics["completion_mean_s"], 1),
        _rounded(metrics["success"], 4),
        _rounded(metrics["decision_ms"] / 1e3, 3),
    ]


def _rounded(value: float, digits: int) -> float | int | None:
    if math.isnan(value):
        return None
    return round(value, digits) if digits else int(value)
