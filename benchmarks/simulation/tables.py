"""The study as tables, and the data of its Gantt chart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Table
from benchmarks.simulation.study import FIDELITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.simulation.compare import Comparison
    from benchmarks.simulation.exact import Saved
    from benchmarks.simulation.outcome import Outcome
    from benchmarks.simulation.scenario import Scenario
    from benchmarks.simulation.study import Duel, Point

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
        here = [each for each in points if each.scenario == name and each.fidelity == FIDELITY]
        bound = bounds.get((here[0].backends, here[0].load), math.nan)
        note = (
            f"In the long run, no policy whose queues stay bounded keeps more than {bound:.2%} of the "
            "success of the best backends (linear programme)."
        )
        rows = {each.policy: each.metrics for each in here}
        tables.append(_table(name, rows, "" if math.isnan(bound) else note))
    return tables


def comparison(case: Scenario, found: Comparison) -> list[Table]:
    """Policies side by side on one scenario; those that failed with the reason."""
    tables = [_table(case.name, {name: each.summary() for name, each in found.outcomes.items()}, "")]
    if found.errors:
        rows: list[list[str | float | int | None]] = [[name, why] for name, why in found.errors.items()]
        tables.append(Table("Policies that failed", ["policy", "why"], rows))
    return tables


def duel_table(duels: Sequence[Duel]) -> list[Table]:
    """Qonductor's operating points, each with the quickest of qsched's settings that wins, or the nearest."""
    rows: list[list[str | float | int | None]] = []
    for duel in duels:
        theirs, shown = duel.theirs, duel.best
        rows.append(
            [
                theirs.backends, theirs.load,
                _rounded(theirs.completion_s, 1), _rounded(theirs.success, 4),
                _rounded(theirs.metrics["decision_ms"] / 1e3, 2),
                shown.fidelity, _rounded(shown.completion_s, 1), _rounded(shown.success, 4),
                _rounded(shown.metrics["decision_ms"] / 1e3, 4),
                "yes" if duel.winners else "no",
            ]
        )  # fmt: skip
    columns = [
        "backends", "load",
        "Qonductor: completion, mean s", "success", "decision, s",
        "qsched's weight of fidelity", "completion, mean s", "success ", "decision, s ",
        "as good in both, better in one",
    ]  # fmt: skip
    note = "The quickest setting that is at least as good in both; the same jobs for both."
    return [Table("Qonductor's operating points and qsched", columns, rows, note)] if rows else []


def settings_table(points: Sequence[Point], loads: Sequence[float]) -> list[Table]:
    """What each setting of qsched's trade-off saves of the best fidelity's wait, and gives of its success."""
    base = {(each.backends, each.load): each for each in points if each.policy == "best-fidelity"}
    ours = [each for each in points if each.policy == "qsched" and each.load in loads]
    rows: list[list[str | float | int | None]] = []
    for backends, fidelity in dict.fromkeys((each.backends, each.fidelity) for each in ours):
        row: list[str | float | int | None] = [backends, fidelity]
        for load_ in loads:
            (one,) = (x for x in ours if (x.backends, x.fidelity, x.load) == (backends, fidelity, load_))
            saved, lost = against(one, base[backends, load_])
            row += [_rounded(saved, 3), _rounded(lost, 4)]
        rows.append(row)
    columns = ["backends", "weight of fidelity"]
    for load_ in loads:
        columns += [f"load {load_:g}: wait saved", f"success given at {load_:g}"]
    note = (
        "Shares of the mean wait and success of first come, first served to the best fidelity. Jobs come for "
        "minutes, so the queues of large fleets still grow when the last one has come."
    )
    return [Table("qsched's one trade-off", columns, rows, note)]


def against(one: Point, base: Point) -> tuple[float, float]:
    """The shares of another's mean wait that is saved, and of its success that is given up."""
    return 1 - one.metrics["wait_mean_s"] / base.metrics["wait_mean_s"], 1 - one.success / base.success


def small_table(found: Sequence[Saved]) -> list[Table]:
    """What is saved on small instances, and by whom."""
    rows: list[list[str | float | int | None]] = [
        [
            each.backends, each.arrivals, each.instances,
            _rounded(each.clairvoyant, 3), _rounded(each.sighted, 3), _rounded(each.informed, 3),
            _rounded(each.qsched, 3),
            _rounded(each.qsched / each.clairvoyant, 3), _rounded(each.qsched / each.informed, 3),
        ]
        for each in found
    ]  # fmt: skip
    columns = [
        "of a fleet of", "jobs come", "instances",
        "optimum that knows the future", "best plan that knows when tasks end",
        "best plan of what qsched knows", "qsched", "of the first", "of the last",
    ]  # fmt: skip
    note = (
        "Share of the best fidelity's wait that is saved for 3 % of its success. Deciding takes no time. "
        "The best plans try all assignments of the waiting jobs, anew at each decision."
    )
    return [Table("Few jobs on four backends, solved exactly", columns, rows, note)]


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


def _rounded(value: float, digits: int) -> float | int | None:
    if math.isnan(value):
        return None
    return round(value, digits) if digits else int(value)
