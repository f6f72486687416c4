"""The verdict: figures against the ranges of ``rangespec.yaml``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import yaml

from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")


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

    @property
    def measured(self) -> bool:
        """Whether the part gave the figure."""
        return not math.isnan(self.value)


def read_rangespec(path: Path) -> dict[str, dict[str, Range]]:
    """The ranges of every part, by part and figure.

    Raises:
        InvalidInput: If the file cannot be read or has another form; says which line.
    """
    try:
        loader = yaml.SafeLoader(path.read_bytes())
        root = loader.get_single_node()
    except OSError as error:
        raise InvalidInput(f"the ranges cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InvalidInput(Problem("", f"{error.problem}", file=str(path), line=line)) from error
    file = str(path)
    return {
        part: {
            figure: _range(loader, each, Problem(f"{part}.{figure}", "", file, each.start_mark.line + 1))
            for figure, each in _entries(figures, Problem(part, "a part has a mapping of figures", file))
        }
        for part, figures in _entries(root, Problem("", "the file has a mapping of parts", file))
    }


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


def unbounded(ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The same without bounds, for a run on somebody's own workload."""
    return {name: msgspec.structs.replace(each, min=None, max=None) for name, each in ranges.items()}


def _verdict(name: str, value: float, range_: Range, *, quick: bool) -> Verdict:
    bounded = range_.min is not None or range_.max is not None
    judged = bounded and (range_.quick or not quick)
    least = -math.inf if range_.min is None else range_.min
    most = math.inf if range_.max is None else range_.max
    return Verdict(name, value, range_, judged, not judged or least <= value <= most)


def _entries(node: yaml.Node | None, otherwise: Problem) -> Iterator[tuple[str, yaml.Node]]:
    """The entries of a mapping; two of one name are a mistake that YAML itself lets pass."""
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1 if node is not None else 1
        raise InvalidInput(Problem(otherwise.where, otherwise.message, otherwise.file, line))
    seen = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            where = f"{otherwise.where}.{name}".lstrip(".")
            raise InvalidInput(Problem(where, "is there twice", otherwise.file, key.start_mark.line + 1))
        seen.add(name)
        yield name, value


def _range(loader: yaml.SafeLoader, node: yaml.Node, place: Problem) -> Range:
    try:
        return msgspec.convert(loader.construct_document(node), Range)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise InvalidInput(Problem(place.where, str(error), place.file, place.line)) from error
