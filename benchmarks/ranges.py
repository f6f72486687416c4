"""The verdict: figures against the ranges of ``rangespec.yaml``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a figure must lie. Without bounds it is only shown.

    Attributes:
        says: What the figure is.
        unit: Of the figure and its bounds.
        min: The least that passes.
        max: The most that passes.
        quick: Whether it is judged in quick runs too, whose workloads are too small for some bounds.
    """

    says: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    quick: bool = True


class Verdict(NamedTuple):
    """One figure and whether it passed.

    Attributes:
        figure: Its name.
        value: What was measured; not-a-number when the part did not give the figure.
        range: Where it must lie.
        judged: Whether it could fail in this run.
        passed: Whether it did not.
    """

    figure: str
    value: float
    range: Range
    judged: bool
    passed: bool


def read_rangespec(path: Path) -> dict[str, dict[str, Range]]:
    """The ranges of every part, by part and figure.

    Raises:
        msgspec.ValidationError: If the file has another form; says where.
    """
    return msgspec.yaml.decode(path.read_bytes(), type=dict[str, dict[str, Range]])


def judge(figures: Mapping[str, float], ranges: Mapping[str, Range], *, quick: bool) -> list[Verdict]:
    """Compare figures with their ranges.

    A figure that has bounds and was not measured fails, so that a part cannot pass by saying nothing. One
    that was measured and is not in the file is shown without bounds.

    Args:
        figures: What a part measured.
        ranges: Where its figures must lie.
        quick: Whether it was a quick run.

    Returns:
        Verdicts in the order of the file, figures without a range last.
    """
    unnamed = {name: Range(says="") for name in figures if name not in ranges}
    return [
        _verdict(name, figures.get(name, math.nan), each, quick=quick)
        for name, each in {**ranges, **unnamed}.items()
    ]


def _verdict(name: str, value: float, range_: Range, *, quick: bool) -> Verdict:
    bounded = range_.min is not None or range_.max is not None
    judged = bounded and (range_.quick or not quick)
    least = -math.inf if range_.min is None else range_.min
    most = math.inf if range_.max is None else range_.max
    return Verdict(name, value, range_, judged, not judged or least <= value <= most)
