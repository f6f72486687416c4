"""Verdicts as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from benchmarks.ranges import Range, Verdict
    from benchmarks.runner import Run


def verdict_table(run: Run, verdicts: Sequence[Verdict]) -> RenderableType:
    """Every figure of a part with its range; the traceback of a part that failed."""
    if run.error:
        return Group(Text(f"{run.part}: failed", style="bold red"), Text(run.error))
    table = Table(
        title=f"{run.part}: {run.title}",
        caption=f"{run.seconds:.0f} s, seed {run.seed}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("range")
    table.add_column("verdict")
    table.add_column("what it is", ratio=1)
    for each in verdicts:
        table.add_row(
            each.figure,
            f"{_number(each.value)} {each.range.unit}".rstrip(),
            _bounds(each.range),
            _verdict(each),
            each.range.says,
        )
    return table


def _verdict(verdict: Verdict) -> Text:
    if not verdict.judged:
        return Text("-", style="dim")
    return Text("pass", style="green") if verdict.passed else Text("FAIL", style="bold red")


def _bounds(range_: Range) -> str:
    bounds = [
        f"{sign} {_number(bound)}"
        for sign, bound in ((">=", range_.min), ("<=", range_.max))
        if bound is not None
    ]
    return ", ".join(bounds)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
