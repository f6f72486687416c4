"""A run from its first part to its last, kept after each of them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from benchmarks.catalogue import card
from benchmarks.child import Order, Run
from benchmarks.display import Display
from benchmarks.ranges import judge, unbounded
from benchmarks.record import with_part, write_record
from benchmarks.runner import Limit, run_part
from benchmarks.table import verdict_table
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from benchmarks.command import Places
    from benchmarks.ranges import Range, Verdict
    from benchmarks.record import Record


class Session(NamedTuple):
    """What the parts of a run have in common.

    Attributes:
        spec: The ranges, by part and figure.
        places: Where the parts are.
        folder: The run's, in the results.
        limit_s: How long one part may take.
        terminal: Shows progress.
        tables: Shows verdicts.
    """

    spec: Mapping[str, Mapping[str, Range]]
    places: Places
    folder: Path
    limit_s: float
    terminal: Console
    tables: Console


def run_missing(session: Session, record: Record) -> Record:
    """Run the parts of a run that it does not have, and write it after each.

    Args:
        session: What they have in common.
        record: The run so far.

    Returns:
        The run with all its parts.

    Raises:
        InvalidInput: If results cannot be written, or the first part's options are wrong.
        KeyboardInterrupt: From the terminal; what the parts before gave is written.
    """
    write_record(record, session.folder)
    everything = record.names == list(session.spec)
    for name in record.missing:
        about = card(name, session.places.parts)
        if record.quick and everything and about.full_only:
            run = Run(name, about.title, left_out=f"full runs only: {about.full_only}")
        else:
            run = _run(session, record, name)
        if run.wrong_input and not record.parts:
            shutil.rmtree(session.folder)  # there is nothing in it to keep or to go on with
            raise InvalidInput(f"{name}: {run.error.strip()}")
        verdicts = _verdicts(run, session.spec.get(name, {}), record)
        record = with_part(record, replace(run, title=run.title or about.title), verdicts)
        write_record(record, session.folder)
        session.tables.print(verdict_table(name, record.parts[name]))
    return record


def _verdicts(run: Run, ranges: Mapping[str, Range], record: Record) -> list[Verdict]:
    """The figures of a part with their verdicts."""
    if run.left_out or run.error:
        return []
    figures = run.findings.figures
    if record.arguments:  # a workload of somebody's own may give other figures
        ranges = unbounded({name: each for name, each in ranges.items() if name in figures})
    return judge(figures, ranges, quick=record.quick)


def _run(session: Session, record: Record, name: str) -> Run:
    order = Order(name, record.quick, record.arguments, str(session.places.parts))
    limit = Limit(session.limit_s, session.folder / f"{name}.log")
    with Display(session.terminal, name, record.names.index(name), len(record.names)) as display:
        return run_part(order, limit=limit, display=display)
