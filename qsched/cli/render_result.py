"""Results: where they come from, and a histogram of the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from qsched.cli import words
from qsched.cli.render_style import bar, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from qsched.api.job import CircuitResult, Counts, Result

DEFAULT_TOP = 12
_LONGEST_OUTCOME = 34
_LABEL_AND_BAR = 58  # columns, so that a line fits a terminal of 80


def top_counts(counts: Counts, top: int) -> tuple[list[tuple[str, int]], int, int]:
    """The most frequent outcomes, ties in the order of their bit strings.

    Returns:
        The ``top`` outcomes with their counts, the number of other outcomes, and those others' counts.
    """
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = order[top:]
    return order[:top], len(rest), sum(number for _, number in rest)


def result_view(job: str, result: Result, *, top: int = DEFAULT_TOP) -> RenderableType:
    """What came out, circuit by circuit, under one line that says where it came from.

    Args:
        job: The job's name.
        result: Its result.
        top: Outcomes that are shown of each circuit.
    """
    parts: list[RenderableType] = [
        Text.assemble((job, "bold"), " ran on ", (result.backend, "bold cyan"), origin(result))
    ]
    for circuit in result.circuits:
        parts += [Text(), *_circuit(circuit, top)]
    if result.uri is not None:
        parts += [Text(), Text(f"stored at {result.uri}", style="dim", overflow="fold")]
    return Group(*parts)


def origin(result: Result) -> Text:
    """How the result was made: simulated or not, for whom, how long and for how much."""
    facts = ["simulated" if result.simulated else "a real device"]
    if result.run_s is not None:
        facts.append(f"{words.duration(result.run_s)} on the device")
    facts.append(cost(result))
    text = Text(f" ({', '.join(facts)})", style="dim")
    if result.intended_backend is not None:
        text.append(f" as a stand-in for {result.intended_backend}", style="yellow")
    return text


def cost(result: Result) -> str:
    """What the job cost, and whether that is what the provider charged."""
    text = words.money(result.cost)
    return f"{text} by its price" if result.cost_estimated and text != "free" else text


def _circuit(circuit: CircuitResult, top: int) -> Sequence[RenderableType]:
    heading = Text.assemble((circuit.name, "bold"), (f"  {words.count(circuit.shots, 'shot')}", "dim"))
    if circuit.counts is None:
        return [
            heading,
            Text("counts are too large to be kept with the job; they are in the stored result", style="dim"),
        ]
    if not circuit.counts:
        return [heading, Text("no counts: the circuit measures nothing", style="dim")]
    return [heading, histogram(circuit.counts, top=top)]


def histogram(counts: Counts, *, top: int = DEFAULT_TOP, cells: int = 30) -> Table:
    """Bars of the most frequent outcomes, at most ``cells`` wide; one last line sums up all others."""
    shown, others, others_count = top_counts(counts, top)
    total, largest = sum(counts.values()), shown[0][1]
    labels = [_shortened(outcome) for outcome, _ in shown]
    cells = min(cells, _LABEL_AND_BAR - max(map(len, labels)))
    table = grid()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="dim")
    for label, (_, number) in zip(labels, shown, strict=True):
        share = words.percent(number / total)
        table.add_row(Text(label), bar(number / largest, cells), f"{number:,}", share)
    if others:
        rest = Text(f"{others:,} more", style="dim")
        table.add_row(rest, "", f"{others_count:,}", words.percent(others_count / total))
    return table


def _shortened(outcome: str) -> str:
    """A bit string that fits a line: the middle of a very long one is left out."""
    if len(outcome) <= _LONGEST_OUTCOME:
        return outcome
    half = _LONGEST_OUTCOME // 2 - 1
    return f"{outcome[:half]}…{outcome[-half:]}"
