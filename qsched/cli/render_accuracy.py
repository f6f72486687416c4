"""How good the estimates were, as people read it: backend by backend, what was estimated and what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from qsched.cli import words
from qsched.cli.accuracy import FEW
from qsched.cli.render_style import grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.table import Table

    from qsched.api.job import Money
    from qsched.cli.accuracy import Accuracy, Report, Times

    Row = tuple[str, int, str, str, str | Text, str]

LEGEND = (
    "times are medians, costs are sums, success is a mean; ratio = actual / estimated, where a wait of less "
    "than 1 s counts as 1 s; about 90 % of the waits should be within P90; "
    "whether shots were right, counts do not tell"
)


def accuracy_view(report: Report) -> RenderableType:
    """A table of every backend, then of all, and what was left out."""
    several = len(report.backends) > 1
    parts: list[RenderableType] = [_table([*report.backends, *([report.total] if several else [])])]
    parts.append(Text(LEGEND, style="dim"))
    parts += (Text(line, style="dim") for line in _left_out(report))
    return Group(*parts)


def _table(rows: list[Accuracy]) -> Table:
    table = grid(header=True)
    table.add_column("backend", overflow="fold")
    table.add_column("", no_wrap=True)
    for heading in ("jobs", "estimated", "actual", "ratio", "in P90"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in rows:
        name = Text("all", style="dim") if each.backend is None else Text(each.backend, style="bold")
        for index, (what, jobs, *figures) in enumerate(_rows(each)):
            table.add_row("" if index else name, what, f"{jobs:,}", *figures)
    return table


def _rows(it: Accuracy) -> Iterator[Row]:
    if it.wait is not None:
        yield _times("wait", it.wait)
    if it.run is not None:
        yield _times("run", it.run)
    for each in it.costs:
        charged = "not told" if each.charged is None else _sum(each.charged)
        yield "cost", each.jobs, _sum(each.estimated), charged, _ratio(each.ratio, each.jobs), ""
    yield "success", it.jobs, words.percent(it.success), "unknown", "", ""


def _times(what: str, times: Times) -> Row:
    estimated = "none" if times.estimated_s < words.NOW_S else words.duration(times.estimated_s)
    actual = words.duration(times.actual_s)
    share = times.within_p90 if times.jobs >= FEW else None
    within = "" if share is None else words.percent(share)
    return what, times.jobs, estimated, actual, _ratio(times.ratio, times.jobs), within


def _ratio(ratio: float | None, jobs: int) -> str | Text:
    if ratio is None:
        return ""
    if jobs < FEW:
        return Text("too few", style="dim")
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def _sum(money: Money) -> str:
    """An amount; none at all is told as such, since "free" is a word for prices."""
    text = words.money(money)
    return f"0.00 {money.currency}" if text == "free" else text


def _left_out(report: Report) -> Iterator[str]:
    if 0 < report.total.jobs < FEW:
        yield f"fewer than {FEW} jobs say little about how good the estimates are"
    if report.fallbacks:
        yield f"left out: {words.count(report.fallbacks, 'fallback')}; nothing is estimated of a twin"
    if report.unrecorded:
        jobs = words.count(report.unrecorded, "job")
        yield f"left out: {jobs} of an earlier qsched, which kept no estimate with the result"
