"""``python -m benchmarks``: run parts, judge every figure by its range, and write a report.

Exit codes: 0 every figure is in its range, 1 one is not or a part or plot failed, 2 the input is wrong, 130
Ctrl-C, 143 SIGTERM, 129 SIGHUP.
"""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.catalogue import card, known_parts
from benchmarks.command import Command, Places, read_command
from benchmarks.ranges import read_rangespec
from benchmarks.record import claimed, mode, new_folder, new_record, newest_unfinished, read_record
from benchmarks.session import Session, run_missing
from benchmarks.table import catalogue_table, summary
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from benchmarks.ranges import Range
    from benchmarks.record import Record


class _Ended(KeyboardInterrupt):
    """A signal says that the run is to end; what it started must end with it."""


def main(arguments: Sequence[str] | None = None, places: Places | None = None) -> int:
    """Do what the command line says and return the exit code."""
    try:
        return _main(arguments, places or Places())
    except InvalidInput as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


def _main(arguments: Sequence[str] | None, places: Places) -> int:
    spec = read_rangespec(places.spec)
    command = read_command(arguments, known_parts(spec, places.parts), places)
    console = Console()
    if command.show:
        console.print(catalogue_table(card(name, places.parts) for name in known_parts(spec, places.parts)))
        return 0
    if command.report is not None:
        record, folder = read_record(command.report), command.report
        return _report(console, record, folder if folder.is_dir() else folder.parent, places)
    return _measure(console, command, spec, places)


def _measure(
    console: Console, command: Command, spec: Mapping[str, Mapping[str, Range]], places: Places
) -> int:
    if command.resume:
        folder, record = newest_unfinished(places.results, quick=command.quick)
        console.print(_taken_over(record), soft_wrap=True)
    else:
        record = new_record(command.names or list(spec), command.arguments, quick=command.quick)
        folder = new_folder(record, places.results)
    session = Session(spec, places, folder, command.limit_s, Console(stderr=True), console)
    try:
        with _ended_by_signals(), claimed(folder):
            record = run_missing(session, record)
            return _report(console, record, folder, places)
    except KeyboardInterrupt as interrupt:
        quick = " --quick" if record.quick else ""
        goes_on = f"{quick} --resume" if record.missing else f" --report {folder}"
        print(f"benchmarks: interrupted; to go on: python -m benchmarks{goes_on}", file=sys.stderr)
        number: int = interrupt.args[0] if isinstance(interrupt, _Ended) else signal.SIGINT
        return 128 + number


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: parts clear up, and what they started ends."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signals call it
        raise _Ended(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(console: Console, record: Record, folder: Path, places: Places) -> int:
    from benchmarks.report import write_report  # matplotlib is not needed before there is something to draw

    report = write_report(record, folder, places.parts)
    for path in report.files:
        console.print(f"written to {path}", soft_wrap=True)
    for name in report.undrawn:
        console.print(f"{name}: a plot could not be drawn; the report says why", style="red", soft_wrap=True)
    console.print(summary(record))
    if any(each.wrong_input for each in record.parts.values()):
        return 2
    return 0 if record.passed and not report.undrawn else 1


def _taken_over(record: Record) -> str:
    """What a resumed run already has."""
    missing = record.missing
    done = [name for name in record.names if name not in missing]
    return (
        f"going on with the {mode(quick=record.quick)} run of {record.started_at:%Y-%m-%d %H:%M} UTC; "
        f"taken over: {', '.join(done) or 'nothing'}; to run: {', '.join(missing)}"
    )


if __name__ == "__main__":
    sys.exit(main())
