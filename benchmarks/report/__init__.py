"""The report of a run: one HTML page with its pictures inside, and Markdown with its pictures beside it.

It is made from the run's JSON and nothing else, so that it can be made again on another day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.report.markdown import markdown
from benchmarks.report.page import page
from benchmarks.report.pictures import draw_all
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.record import Record


class Report(NamedTuple):
    """What was written.

    Attributes:
        files: For people.
        undrawn: The parts whose plots could not all be drawn; the report says why.
    """

    files: list[Path]
    undrawn: list[str]


def write_report(record: Record, folder: Path, parts: Path) -> Report:
    """Write the report of a run.

    Args:
        record: The run.
        folder: The run's; reports and pictures go there.
        parts: Where the parts are, which draw the pictures.

    Raises:
        InvalidInput: If they cannot be written.
    """
    written = {"report.html": page, "report.md": markdown}
    try:
        pictures = draw_all(record, folder, parts)
        for name, render in written.items():
            (folder / name).write_text(render(record, pictures), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"the report cannot be written: {error}") from error
    undrawn = [name for name, drawn in pictures.items() if any(each.error for each in drawn)]
    return Report([folder / name for name in written], undrawn)
