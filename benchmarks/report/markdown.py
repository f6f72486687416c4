"""The report as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import words
from benchmarks.report import facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.findings import Table
    from benchmarks.record import Part, Record
    from benchmarks.report.pictures import Picture


def markdown(record: Record, pictures: Mapping[str, Sequence[Picture]]) -> str:
    """The whole report.

    Args:
        record: The run.
        pictures: Of each part; their files are beside the report.
    """
    blocks = ["# qsched benchmarks", facts.headline(record)]
    if out := facts.out_of_range(record):
        rows = [
            [name, figure, words.value(each), words.bounds(each), each.says] for name, figure, each in out
        ]
        blocks.append(_table(["part", "figure", "value", "range", "what it is"], rows, "lllll"))
    blocks.append(_table(["", ""], [list(fact) for fact in facts.about(record)], "ll"))
    overview = [
        [f"[{name}](#{name})", part.title, words.outcome(part), words.duration(part.seconds)]
        for name, part in record.parts.items()
    ]
    blocks.append(_table(["part", "what is measured", "outcome", "time"], overview, "lllr"))
    for name, part in record.parts.items():
        blocks += _part(record, name, part, pictures.get(name, []))
    return "\n\n".join(blocks) + "\n"


def _part(record: Record, name: str, part: Part, pictures: Sequence[Picture]) -> Iterator[str]:
    yield f"## {name}"
    if part.title:
        yield _text(part.title)
    if part.left_out:
        yield f"Left out: {_text(part.left_out)}."
        return
    if part.error:
        yield f"Did not run to its end:\n\n{_code(part.error)}"
        return
    for problem in part.problems:
        yield f"**{_text(problem)}**"
    rows = [
        [figure, words.value(each), words.bounds(each), words.verdict(each), each.says]
        for figure, each in part.figures.items()
    ]
    yield _table(["figure", "value", "range", "verdict", "what it is"], rows, "lrlll")
    yield f"`{facts.command(record, name)}`: {words.duration(part.seconds)}, seed {part.seed}."
    for table in part.tables:
        yield f"**{_text(table.title)}**"
        yield _table(table.columns, [[words.cell(each) for each in row] for row in table.rows], _sides(table))
        if table.note:
            yield _text(table.note)
    for picture in pictures:
        if picture.file is None:
            yield f"A plot could not be drawn:\n\n{_code(picture.error)}"
        else:
            yield f"![{_text(picture.caption)}]({picture.file.name})"
            yield _text(picture.caption)


def _sides(table: Table) -> str:
    """Where each column is aligned: numbers to the right."""
    return "".join("r" if numeric else "l" for numeric in words.numeric_columns(table))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> str:
    rule = ["---:" if side == "r" else "---" for side in sides]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in (columns, rule, *rows))


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Words in one line, in which nothing is taken for HTML."""
    return " ".join(text.split()).replace("<", "&lt;")


def _code(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
