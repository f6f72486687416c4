"""Verdicts on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchmarks import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from benchmarks.catalogue import Card
    from benchmarks.record import Figure, Part, Record


def verdict_table(name: str, part: Part) -> RenderableType:
    """Every figure of a part with its range; why it failed or did not run, where it did not."""
    if part.left_out:
        return Text(f"{name}: left out, {part.left_out}", style="yellow")
    if part.error:
        return Group(Text(f"{name}: failed", style="bold red"), Text(part.error))
    table = Table(
        title=f"{name}: {part.title}",
        caption=f"{words.duration(part.seconds)}, {part.peak_bytes / 1e6:,.0f} MB at most, seed {part.seed}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("range")
    table.add_column("verdict")
    table.add_column("what it is", ratio=1)
    for figure, each in part.figures.items():
        table.add_row(figure, words.value(each), words.bounds(each), _verdict(each), each.says)
    return Group(*(Text(each, style="bold red") for each in part.problems), table)


def summary(record: Record) -> RenderableType:
    """What became of a run: a line a part that is not all right, and one for the whole."""
    lines = [_line(name, part) for name, part in record.parts.items() if part.left_out or not part.passed]
    judged = [each for part in record.parts.values() for each in part.figures.values() if each.judged]
    passed = sum(each.passed for each in judged)
    style = "green" if record.passed else "bold red"
    says = f"{passed} of {len(judged)} judged figures in their ranges" if judged else "nothing was judged"
    return Group(*lines, Text(says, style=style))


def catalogue_table(cards: Iterable[Card]) -> RenderableType:
    """The parts with their titles."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for each in cards:
        notes = [f"full runs only: {each.full_only}"] if each.full_only else []
        notes += ["has options: --help"] if each.configurable else []
        table.add_row(each.name, each.title + "".join(f" ({note})" for note in notes))
    return table


def _line(name: str, part: Part) -> Text:
    if part.left_out:
        return Text(f"{name}: left out, {part.left_out}", style="yellow")
    if part.error:
        return Text(f"{name}: did not run to its end", style="red")
    what = [*part.problems, _names(part.failed)] if part.failed else part.problems
    return Text("\n".join(f"{name}: {each}" for each in what), style="red")


def _names(figures: Sequence[str]) -> str:
    return f"{', '.join(figures)} out of range"


def _verdict(figure: Figure) -> Text:
    style = "dim" if not figure.judged else "green" if figure.passed else "bold red"
    return Text(words.verdict(figure), style=style)
