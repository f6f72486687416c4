"""What a part of the benchmarks found: figures that are judged, and tables and data for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Table(msgspec.Struct, frozen=True):
    """A table for people.

    Attributes:
        title: What it shows.
        columns: Their headings, units included.
        rows: One cell for each column; numbers stay numbers.
        note: What a reader has to know to read it right.
    """

    title: str
    columns: list[str]
    rows: list[list[str | float | int | None]]
    note: str = ""


class Findings(msgspec.Struct, frozen=True):
    """What a part found.

    Attributes:
        figures: Judged by ``rangespec.yaml``.
        tables: Shown in the report.
        data: What the part's ``draw`` makes plots from; plain JSON, so that a report can be drawn again.
    """

    figures: dict[str, float]
    tables: list[Table] = []
    data: dict[str, Any] = {}


class Plot(NamedTuple):
    """A picture for the report.

    Attributes:
        name: Of the file, without its ending.
        caption: What one sees, and what it means.
        figure: Drawn, not yet saved.
    """

    name: str
    caption: str
    figure: Figure
