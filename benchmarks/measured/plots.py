"""Axes in the style of a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes(x: str, y: str, *, width_in: float = 4.8, height_in: float = 3.4) -> tuple[Figure, Axes]:
    """A figure with one plot.

    Args:
        x: Label with unit.
        y: Likewise.
        width_in: Inches.
        height_in: Inches.
    """
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    plot = figure.add_subplot()
    plot.set(xlabel=x, ylabel=y)
    plot.grid(visible=True, linewidth=0.4, alpha=0.5)
    plot.set_axisbelow(True)
    plot.spines[["top", "right"]].set_visible(False)
    return figure, plot
