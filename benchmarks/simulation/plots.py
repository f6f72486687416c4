"""Pictures of the study: waits against load, success against time, and who ran where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchmarks.findings import Plot
from benchmarks.simulation.study import FIDELITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

_STYLE = {
    "qsched": ("#0072b2", "o"),
    "best-fidelity": ("#d55e00", "s"),
    "least-loaded": ("#009e73", "^"),
    "round-robin": ("#8c6bb1", "v"),
    "random": ("#7f7f7f", "x"),
    "qonductor": ("#b8860b", "D"),
}
"""Colours that colour-blind people can tell apart (Okabe and Ito), and markers for those who print."""

_LOAD = 0.9


def pictures(data: dict[str, Any]) -> Iterator[Plot]:
    """Whatever the data allow to be drawn."""
    if data["points"]:
        yield _waits(data["points"])
        yield _trade_offs(data["points"])
    if data["gantt"]:
        yield _gantt(data["gantt"])


def _panels(keys: list[Any], height: float, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each key."""
    figure = Figure(figsize=(max(3.1 * len(keys), 4.2), height), layout="constrained")
    panels = list(figure.subplots(1, len(keys), squeeze=False, sharey=sharey)[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, panels


def _legend(figure: Figure, panels: list[Axes]) -> None:
    """One legend for all panels, below them."""
    shown = panels[0].get_legend_handles_labels()
    figure.legend(*shown, loc="outside lower center", ncols=6, fontsize=7, frameon=False)


def _waits(points: list[dict[str, Any]]) -> Plot:
    """Mean wait against load, a panel for each fleet."""
    sizes = sorted({each["backends"] for each in points})
    figure, panels = _panels(sizes, 2.9, sharey=True)
    for size, axes in zip(sizes, panels, strict=True):
        for policy, (colour, marker) in _STYLE.items():
            line = [
                each
                for each in points
                if (each["backends"], each["policy"], each["fidelity"]) == (size, policy, FIDELITY)
            ]
            if line:
                axes.plot(
                    [each["load"] for each in line],
                    [max(each["metrics"]["wait_mean_s"], 0.5) for each in line],
                    color=colour, marker=marker, markersize=4, linewidth=1.2, label=policy,
                )  # fmt: skip
        axes.set_yscale("log")
        axes.set_xticks(sorted({each["load"] for each in points}))
        axes.set_title(f"{size} backends", fontsize=9)
        axes.set_xlabel("load (rate / capacity)", fontsize=8)
    panels[0].set_ylabel("mean wait (s)", fontsize=8)
    _legend(figure, panels)
    return Plot(
        "policies-wait",
        "Mean wait against load, the same jobs for all; qsched with equal weights of fidelity and wait. A "
        "policy that looks at fidelity alone overloads the best backends.",
        figure,
    )


def _trade_offs(points: list[dict[str, Any]]) -> Plot:
    """Success against completion time at load .9, a panel for each fleet; qsched as its trade-off's curve."""
    shown = [each for each in points if each["load"] == _LOAD]
    sizes = sorted({each["backends"] for each in shown})
    figure, panels = _panels(sizes, 3.1)
    for size, axes in zip(sizes, panels, strict=True):
        for policy, (colour, marker) in _STYLE.items():
            line = [
                (each["metrics"]["completion_mean_s"], each["metrics"]["success"])
                for each in shown
                if (each["backends"], each["policy"]) == (size, policy)
            ]
            if line:
                axes.plot(
                    *zip(*line, strict=True),
                    color=colour, marker=marker, markersize=4 if len(line) > 1 else 6,
                    linewidth=1.2 if len(line) > 1 else 0, label=policy,
                )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{size} backends, load 0.9", fontsize=9)
        axes.set_xlabel("mean completion time (s)", fontsize=8)
    panels[0].set_ylabel("mean success probability", fontsize=8)
    _legend(figure, panels)
    return Plot(
        "policies-trade-off",
        "Success against completion time at load 0.9, the same jobs for all; up and left is better. The "
        "curve is qsched's one trade-off, from all weight on the wait to all on fidelity.",
        figure,
    )


def _gantt(charts: list[dict[str, Any]]) -> Plot:
    """What the backends did, a panel for each policy."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    waits = [bar[3] for chart in charts for bar in chart["bars"]]
    colours = ScalarMappable(Normalize(0, max(waits, default=1.0) or 1.0), "viridis")
    rows = len(charts[0]["backends"])
    figure = Figure(figsize=(7.5, (0.6 + 0.22 * rows) * len(charts) + 0.6), layout="constrained")
    panels = figure.subplots(len(charts), 1, squeeze=False, sharex=True)[:, 0]
    for chart, axes in zip(charts, panels, strict=True):
        for column, start_s, end_s, wait_s in chart["bars"]:
            axes.barh(
                column, end_s - start_s, left=start_s, height=0.8,
                color=colours.to_rgba(wait_s), edgecolor="white", linewidth=0.3,
            )  # fmt: skip
        axes.set_yticks(range(rows), chart["backends"], fontsize=7)
        axes.set_ylim(rows - 0.4, -0.6)
        axes.set_xlim(0, chart["window_s"])
        axes.set_title(chart["policy"], fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    panels[-1].set_xlabel("time (s)", fontsize=8)
    figure.colorbar(colours, ax=list(panels), label="wait of the job (s)", shrink=0.8)
    return Plot(
        "policies-gantt",
        "What each backend ran in the first minutes of the same jobs. Gaps are time in which it did nothing.",
        figure,
    )
