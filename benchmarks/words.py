"""Numbers, bounds and verdicts as people read them; the terminal and both reports say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.findings import Table
    from benchmarks.record import Figure, Part


def number(value: float) -> str:
    """Four digits that count, no exponent where it can be helped, and thousands apart."""
    if isinstance(value, int) or (math.isfinite(value) and abs(value) >= 1_000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def cell(value: str | float | None) -> str:
    """A table's cell; a dash for what is not there."""
    return "–" if value is None else value if isinstance(value, str) else number(value)


def value(figure: Figure) -> str:
    """What was measured, with its unit."""
    if figure.value is None:
        return "not measured"
    return f"{number(figure.value)} {figure.unit}".rstrip()


def bounds(figure: Figure) -> str:
    """Where a figure must lie; nothing if it may lie anywhere."""
    signs = (("≥", figure.min), ("≤", figure.max))
    return ", ".join(f"{sign} {_bound(bound)}" for sign, bound in signs if bound is not None)


def _bound(bound: float) -> str:
    """A bound is said as it is written, not rounded like what was measured."""
    return f"{bound:,.0f}" if bound == round(bound) else f"{bound:g}"


def verdict(figure: Figure) -> str:
    """What became of it; a dash where nothing was asked."""
    if not figure.judged:
        return "–"
    return "pass" if figure.passed else "FAIL"


def outcome(part: Part) -> str:
    """What became of a part, in a few words."""
    if part.left_out:
        return "left out"
    if part.error:
        return "failed"
    judged = sum(each.judged for each in part.figures.values())
    if part.problems:
        return f"{len(part.problems)} problem" + ("s" if len(part.problems) > 1 else "")
    if part.failed:
        return f"{len(part.failed)} of {judged} FAIL"
    return f"{judged} pass" if judged else "shown only"


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def numeric_columns(table: Table) -> list[bool]:
    """Which columns hold numbers."""
    return [
        any(isinstance(row[index], int | float) for row in table.rows)
        and not any(isinstance(row[index], str) for row in table.rows)
        for index in range(len(table.columns))
    ]
