"""Quantities as manifests write them: durations, money, times.

Manifests hold Go duration text (``1h30m``) and RFC 3339 times; Python code holds seconds (``*_s``) and
aware UTC datetimes. Money is decimal with a currency and is never converted.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

_UNITS_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = r"[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h)"
DURATION_PATTERN = rf"^(?:{_PART})+\Z"

DELAY_DT_S = 1e-12
"""Length in seconds of one ``dt`` in a circuit that travels as QPY: delays are whole picoseconds there,
because QPY keeps no unit of a delay (Qiskit issue 10662) and refuses fractions."""

Duration = Annotated[
    str,
    Meta(
        pattern=DURATION_PATTERN,
        max_length=64,
        title="a duration such as 90s, 10m or 1h30m",
    ),
]

Amount = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,9})?\Z",
        max_length=32,
        title='an amount of money in quotes, such as "12.50"',
    ),
]

Currency = Annotated[
    str, Meta(pattern=r"^[A-Z]{3}\Z", max_length=3, title="an ISO 4217 currency code, such as USD")
]


def duration_s(text: str) -> float:
    """Seconds of a Go duration text.

    Args:
        text: For example ``1h30m`` or ``250ms``.

    Returns:
        The duration in seconds.

    Raises:
        ValueError: If the text is not a duration without a sign.
    """
    return duration_ns(text) / 1e9


def duration_ns(text: str) -> int:
    """Nanoseconds of a Go duration text, as Go itself counts them: each part is cut off to whole ones.

    Raises:
        ValueError: As ``duration_s``.
    """
    if not re.match(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 10m or 1h30m")
    parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text)
    return sum(int(Decimal(number) * _UNITS_NS[unit]) for number, unit in parts)


def duration_text(seconds: float) -> str:
    """The shortest Go duration text of a number of seconds, rounded to a millisecond."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    text = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)
    if rest or not text:
        text += f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return text


def utc(moment_s: float) -> dt.datetime:
    """The aware UTC datetime of a Unix time in seconds."""
    return dt.datetime.fromtimestamp(moment_s, tz=dt.UTC)


def amount(text: str) -> Decimal:
    """The decimal value of an amount of money in a manifest."""
    return Decimal(text)
