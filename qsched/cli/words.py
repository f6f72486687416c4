"""Quantities as people read them. Pure functions from numbers to short text."""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from qsched.api.job import Money

ABSENT = "-"
NOW_S = 0.01
"""A shorter wait is none; where a provider quotes none, the model still spreads it over milliseconds."""
_YEAR_S = 365.25 * 86_400
_UNITS = ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (60.0, 1.0, "s"))
_LONG_UNITS = ((3_600.0, 1 / 60, "min"), (172_800.0, 1 / 3_600, "h"), (float("inf"), 1 / 86_400, "d"))


def duration(seconds: float | None) -> str:
    """A duration in one unit and at most three digits, such as ``340 µs``, ``12.3 s`` or ``2.1 h``."""
    if seconds is None:
        return ABSENT
    if seconds == 0:
        return "0 s"
    factor, unit = next((f, u) for limit_s, f, u in _UNITS + _LONG_UNITS if seconds < limit_s or u == "d")
    return f"{_three_digits(seconds * factor)} {unit}"


def _three_digits(value: float) -> str:
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def age(since: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago something was, in one unit: ``5s``, ``12m``, ``3h``, ``4d``, ``2.1y``."""
    if since is None:
        return ABSENT
    seconds = max(0, int((now - since).total_seconds()))
    if seconds >= 2 * _YEAR_S:
        return f"{seconds / _YEAR_S:.1f}y"
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds}s"


def moment(at: dt.datetime | None) -> str:
    """A UTC time to the second."""
    return ABSENT if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def percent(fraction: float | None) -> str:
    """A fraction as a percentage that never shows 0 % or 100 % for something between them."""
    if fraction is None:
        return ABSENT
    if 0 < fraction < 0.0005:
        return "<0.1 %"
    if 0.9995 < fraction < 1:
        return ">99.9 %"
    return f"{fraction * 100:.1f} %"


def error_rate(fraction: float | None) -> str:
    """A device's error with two significant digits, such as ``0.74 %`` or ``1.3e-05``."""
    if fraction is None:
        return ABSENT
    if 0 < fraction < 1e-4:
        return f"{fraction:.1e}"
    share = fraction * 100
    return f"{share:.0f} %" if share >= 9.95 else f"{share:.2g} %"


def money(cost: Money | None) -> str:
    """An amount with its currency; ``free`` when the backend has no price, or it is zero."""
    if cost is None:
        return "free"
    value = Decimal(cost.amount)
    if value == 0:
        return "free"
    if value < Decimal("0.01"):
        return f"{value.normalize():f} {cost.currency}"
    return f"{value:,.2f} {cost.currency}"


def number(value: float | None) -> str:
    """A score or utility with two decimals."""
    return ABSENT if value is None else f"{value:.2f}"


def count(quantity: int, noun: str) -> str:
    """A number of things: ``1 job``, ``2 jobs``."""
    return f"{quantity:,} {noun}" if quantity == 1 else f"{quantity:,} {noun}s"


def listed(words: Iterable[str]) -> str:
    """Words joined as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """A remedy for a name that does not exist: the nearest known names, or "" if none is near."""
    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""
