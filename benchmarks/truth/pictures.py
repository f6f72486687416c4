"""The study's plots, from plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from benchmarks.findings import Plot
from benchmarks.plots import axes, style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OURS, _OTHERS = "#0072B2", "#999999"


def scatter(truth: Sequence[Sequence[float]], estimates: Mapping[str, Sequence[Sequence[float]]]) -> Plot:
    """Estimated success against the truth, a panel for each estimate."""
    figure = Figure(figsize=(3.4 * len(estimates), 3.5), layout="constrained")
    panels = figure.subplots(1, len(estimates), sharey=True, squeeze=False)[0]
    real = np.array(truth).ravel()
    for panel, (name, values) in zip(panels, estimates.items(), strict=True):
        estimated = np.array(values).ravel()
        panel.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        panel.scatter(real, estimated, s=7, alpha=0.45, color=_OURS, linewidths=0, rasterized=True)
        error = float(np.sqrt(np.mean((estimated - real) ** 2)))
        panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=f"{name} (RMS error {error:.3f})")
        panel.set_xlabel("simulated success probability")
        style(panel)
    panels[0].set_ylabel("estimated success probability")
    caption = (
        "Estimated success against exact simulation, on the eleven Falcon devices: from the circuit's "
        "profile alone (stage 1), and from the transpiled circuit (stage 2). A point is a circuit on a "
        "device; on the line the estimate is exact."
    )
    return Plot("estimates", caption, figure)


def regret_bars(regret: Mapping[str, float]) -> Plot:
    """What following each predictor loses."""
    names = sorted(regret, key=lambda name: regret[name])
    label = "mean success lost against the best device (logarithmic)"
    figure, plot = axes(label, "", width_in=6.2, height_in=0.32 * len(names) + 0.9, grid="x")
    values = [regret[name] for name in names]
    colours = [_OURS if name.startswith("stage") else _OTHERS for name in names]
    bars = plot.barh(names, values, color=colours, height=0.7)
    plot.bar_label(bars, [f"{value:.4f}" for value in values], padding=3, fontsize=8)
    plot.set(xscale="log", xlim=(min(value for value in values if value > 0) / 2, max(values) * 2))
    plot.invert_yaxis()
    caption = (
        "Success lost by running each circuit on the device that a predictor likes best, of eleven Falcon "
        "devices of 27 qubits. Blue: qsched; with k, stage 2 looks at the k best of stage 1 only. Grey: "
        "predictors from the literature on the same transpiled circuits."
    )
    return Plot("regret", caption, figure)


def age_bars(cost: Mapping[str, float], estimated: Mapping[str, Mapping[str, float]]) -> Plot:
    """What an old calibration costs, and how far estimates from it are off."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.bar(list(cost), [100 * lost for lost in cost.values()], color=_OURS, width=0.65)
    left.set(xlabel="age of the calibration (days)", ylabel="success lost (%)")
    style(left, grid="y")
    for (name, values), colour in zip(estimated.items(), (_OURS, _OTHERS), strict=True):
        right.plot(list(values), list(values.values()), marker="o", color=colour, label=name)
    right.axhline(1, color="black", linewidth=0.8)
    right.set(xlabel="age of the calibration (days)", ylabel="estimated / simulated success")
    right.legend(frameon=False, fontsize=8)
    style(right, grid="y")
    caption = (
        "What the age of a calibration does (ibm_perth, April and May 2023). Left: success lost because the "
        "circuit was laid out by an old calibration. Right: how far an estimate from it is off, with the age "
        "term and without."
    )
    return Plot("age", caption, figure)
