"""Axes in the style of a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Grid = Literal["both", "x", "y"]


def axes(
    x: str, y: str, *, width_in: float = 4.8, height_in: float = 3.4, grid: Grid = "both"
) -> tuple[Figure, Axes]:
    """A figure with one plot.

    Args:
        x: Label with unit.
        y: Likewise.
        width_in: Inches.
        height_in: Inches.
        grid: Of which axis there are grid lines.
    """
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    plot = figure.add_subplot()
    plot.set(xlabel=x, ylabel=y)
    style(plot, grid=grid)
    return figure, plot


def style(plot: Axes, *, grid: Grid = "both") -> None:
    """A light grid behind the data, and no box around them.

    Args:
        plot: Any axes.
        grid: Of which axis there are grid lines.
    """
    plot.grid(visible=True, axis=grid, linewidth=0.4, alpha=0.5)
    plot.set_axisbelow(True)
    plot.spines[["top", "right"]].set_visible(False)
