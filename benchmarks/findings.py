"""What a part of the benchmarks found: figures that are judged, and tables and data for the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LeftOut(Exception):
    """A part cannot run here; the message says what is missing."""


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
        figures: Judged by ``rangespec.yaml``; one that is not finite counts as not measured.
        tables: Shown in the report.
        data: What the part's ``draw`` makes plots from; plain JSON, so that a report can be drawn again.
        problems: What went wrong and left the rest alone, such as one policy of several that failed. It is
            shown before anything else, and the run does not pass.
    """

    figures: dict[str, float]
    tables: list[Table] = []
    data: dict[str, Any] = {}
    problems: list[str] = []


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


def plain(findings: Findings) -> Findings:
    """The same with nothing in it but what JSON has; numpy's numbers and arrays become plain ones.

    Raises:
        TypeError: If something else is in it.
    """
    rest = {"tables": findings.tables, "data": findings.data}
    read = msgspec.json.decode(msgspec.json.encode(rest, enc_hook=_from_numpy))
    figures = {name: _number(name, value) for name, value in findings.figures.items()}
    finite = {name: value for name, value in figures.items() if math.isfinite(value)}
    tables = msgspec.convert(read["tables"], list[Table])
    return Findings(finite, tables, read["data"], findings.problems)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"figure {name} is {value!r}, which is no number") from error


def _from_numpy(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy itself is not imported here, for parts that go without
        return value.tolist()
    raise TypeError(f"{value!r} is no plain data; a part's findings hold numbers, texts, lists and mappings")
