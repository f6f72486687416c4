"""The report as one HTML page that needs nothing else: pictures and style are inside."""

from __future__ import annotations

import base64
import itertools
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from benchmarks import words
from benchmarks.report import facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.findings import Table
    from benchmarks.record import Figure, Part, Record
    from benchmarks.report.pictures import Picture

_PAGE = Path(__file__).with_name("page.html")
_KINDS = {".svg": "svg+xml", ".png": "png"}


def page(record: Record, pictures: Mapping[str, Sequence[Picture]]) -> str:
    """The whole page.

    Args:
        record: The run.
        pictures: Of each part.
    """
    numbers = _Numbers()
    sections = [_part(record, name, pictures.get(name, []), numbers) for name in record.parts]
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        date=f"{record.started_at:%Y-%m-%d}", summary=_summary(record), parts="\n".join(sections)
    )


class _Numbers:
    """Numbers of tables and figures, which run through the whole report."""

    def __init__(self) -> None:
        self.table = itertools.count(1)
        self.figure = itertools.count(1)


def _summary(record: Record) -> str:
    style = "" if record.passed else ' class="bad"'
    blocks = [f"<p{style}><strong>{escape(facts.headline(record))}</strong></p>"]
    if out := facts.out_of_range(record):
        rows = [
            [_link(name), _code(figure), words.value(each), words.bounds(each), escape(each.says)]
            for name, figure, each in out
        ]
        blocks.append(_table(["part", "figure", "value", "range", "what it is"], rows, right={2}))
    facts_ = "".join(f"<dt>{escape(name)}</dt><dd>{escape(says)}</dd>" for name, says in facts.about(record))
    blocks.append(f"<dl>{facts_}</dl>")
    rows = [
        [_link(name), escape(part.title), _outcome(part), words.duration(part.seconds), _memory(part)]
        for name, part in record.parts.items()
    ]
    blocks.append(_table(["part", "what is measured", "outcome", "time", "memory"], rows, right={3, 4}))
    return "\n".join(blocks)


def _part(record: Record, name: str, pictures: Iterable[Picture], numbers: _Numbers) -> str:
    part = record.parts[name]
    head = f'<p class="name">{escape(name)}</p><h2>{escape(part.title or name)}</h2>'
    blocks = [f'<section id="{escape(name)}">{head}']
    if part.left_out:
        blocks.append(f"<p>Left out: {escape(part.left_out)}.</p>")
    elif part.error:
        blocks.append(f'<p class="bad">Did not run to its end.</p><pre>{escape(part.error)}</pre>')
    else:
        blocks += [f'<p class="bad">{escape(each)}</p>' for each in part.problems]
        blocks += _findings(part, pictures, numbers)
    ran = not part.error and not part.left_out
    how = f"{words.duration(part.seconds)}, {_memory(part)} at most, seed {part.seed}" if ran else ""
    blocks.append(f'<p class="how">{_code(facts.command(record, name))} {how}</p></section>')
    return "\n".join(blocks)


def _findings(part: Part, pictures: Iterable[Picture], numbers: _Numbers) -> Iterator[str]:
    rows = [
        [_code(figure), words.value(each), words.bounds(each), _verdict(each), escape(each.says)]
        for figure, each in part.figures.items()
    ]
    yield _table(["figure", "value", "range", "verdict", "what it is"], rows, right={1})
    for picture in pictures:
        yield _picture(picture, numbers)
    for table in part.tables:
        yield _numbered_table(table, numbers)


def _picture(picture: Picture, numbers: _Numbers) -> str:
    if picture.file is None:
        return f'<p class="bad">A plot could not be drawn.</p><pre>{escape(picture.error)}</pre>'
    content = base64.b64encode(picture.file.read_bytes()).decode()
    source = f"data:image/{_KINDS[picture.file.suffix]};base64,{content}"
    caption = escape(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="{source}">'
        f"<figcaption><b>Figure {next(numbers.figure)}.</b> {caption}</figcaption></figure>"
    )


def _numbered_table(table: Table, numbers: _Numbers) -> str:
    right = {index for index, numeric in enumerate(words.numeric_columns(table)) if numeric}
    rows = [[escape(words.cell(each)) for each in row] for row in table.rows]
    caption = f"<b>Table {next(numbers.table)}.</b> {escape(table.title)}"
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return _table([escape(each) for each in table.columns], rows, right=right, caption=caption) + note


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: set[int], caption: str = ""
) -> str:
    """A table of cells that are HTML already; columns of numbers are aligned to the right."""

    def row(cells: Sequence[str], tag: str) -> str:
        sides = [' class="n"' if index in right else "" for index in range(len(cells))]
        tagged = (f"<{tag}{side}>{each}</{tag}>" for each, side in zip(cells, sides, strict=True))
        return f"<tr>{''.join(tagged)}</tr>"

    said = f"<caption>{caption}</caption>" if caption else ""
    body = "\n".join(row(each, "td") for each in rows)
    return (
        f'<div class="wide"><table>{said}<thead>{row(columns, "th")}</thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _link(name: str) -> str:
    return f'<a href="#{escape(name)}">{escape(name)}</a>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _memory(part: Part) -> str:
    return "" if not part.peak_bytes else f"{part.peak_bytes / 1e6:,.0f} MB"


def _verdict(figure: Figure) -> str:
    style = "" if not figure.judged else "good" if figure.passed else "bad"
    return f'<span class="{style}">{words.verdict(figure)}</span>'


def _outcome(part: Part) -> str:
    style = "" if part.left_out else "good" if part.passed else "bad"
    return f'<span class="{style}">{escape(words.outcome(part))}</span>'
