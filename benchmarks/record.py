"""A run as JSON: figures and verdicts, tables and data, with what they depend on.

It is written again after every part, so that what was measured is kept whatever happens next.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from benchmarks.findings import Table  # noqa: TC001 - msgspec reads the types
from benchmarks.machine import Code, Machine, code, machine, versions
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.child import Run
    from benchmarks.ranges import Verdict

FILE = "run.json"


class Figure(msgspec.Struct, frozen=True):
    """One figure with its verdict.

    Attributes:
        value: What was measured; None if the part did not give it.
        says: What it is.
        unit: Of the value and its bounds.
        min: The least that passes.
        max: The most that passes.
        judged: Whether it could fail in this run.
        passed: Whether it did not.
    """

    value: float | None
    says: str
    unit: str
    min: float | None
    max: float | None
    judged: bool
    passed: bool


class Part(msgspec.Struct, frozen=True):
    """What one part gave; see ``Run``.

    Attributes:
        ended_at: When it ended.
        figures: By name, with their verdicts.
    """

    title: str
    ended_at: dt.datetime
    seed: int
    seconds: float
    peak_bytes: int
    error: str
    wrong_input: bool
    left_out: str
    figures: dict[str, Figure]
    tables: list[Table]
    data: dict[str, Any]
    problems: list[str] = []

    @property
    def failed(self) -> list[str]:
        """The figures that are not in their ranges."""
        return [name for name, each in self.figures.items() if not each.passed]

    @property
    def broken(self) -> bool:
        """Whether it failed and might not if it ran again."""
        return bool(self.error) and not self.wrong_input

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.error and not self.failed and not self.problems


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run, whole or so far.

    Attributes:
        format: Of this file.
        started_at: When it began.
        quick: Whether its workloads were small.
        names: The parts that it is made of, in order.
        arguments: Options for the part, if it is one.
        code: What was measured.
        machine: What it was measured on.
        versions: Of Python and of packages.
        parts: What each part gave, as far as they ran.
    """

    format: Literal[1] = 1
    started_at: dt.datetime
    quick: bool
    names: list[str]
    arguments: list[str] = []
    code: Code
    machine: Machine
    versions: dict[str, str | None]
    parts: dict[str, Part] = {}

    @property
    def missing(self) -> list[str]:
        """The parts that a run can go on with: those that did not run or failed, but not by their options."""
        return [name for name in self.names if name not in self.parts or self.parts[name].broken]

    @property
    def passed(self) -> bool:
        """Whether every part ran and nothing is wrong with any."""
        return not self.missing and all(each.passed for each in self.parts.values())


def new_record(names: Sequence[str], arguments: Sequence[str], *, quick: bool) -> Record:
    """A run that begins now."""
    return Record(
        started_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        quick=quick,
        names=list(names),
        arguments=list(arguments),
        code=code(),
        machine=machine(),
        versions=versions(),
    )


def with_part(record: Record, run: Run, verdicts: Sequence[Verdict]) -> Record:
    """The record with what a part gave."""
    part = Part(
        title=run.title,
        ended_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        seed=run.seed,
        seconds=run.seconds,
        peak_bytes=run.peak_bytes,
        error=run.error,
        wrong_input=run.wrong_input,
        left_out=run.left_out,
        figures={each.figure: _figure(each) for each in verdicts},
        tables=run.findings.tables,
        data=run.findings.data,
        problems=run.findings.problems,
    )
    return msgspec.structs.replace(record, parts={**record.parts, run.part: part})


def new_folder(record: Record, results: Path) -> Path:
    """Make the folder of a new run, named by when it began; a second one of that second gets a number.

    Raises:
        InvalidInput: If it cannot be made.
    """
    stamp = f"{record.started_at:%Y%m%dT%H%M%SZ}"
    number = 1
    while True:
        folder = results / (f"{stamp}-{number}" if number > 1 else stamp)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise InvalidInput(f"results cannot be written: {error}") from error
        else:
            return folder


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process alone works on a run; it keeps the claim as long as it lives, and no longer."""
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(file)


def write_record(record: Record, folder: Path) -> Path:
    """Write a run, whole or not at all.

    Args:
        record: The run.
        folder: Made if it is missing.

    Returns:
        The file.

    Raises:
        InvalidInput: If it cannot be written.
    """
    path = folder / FILE
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
        temporary.replace(path)
    except OSError as error:
        raise InvalidInput(f"results cannot be written: {error}") from error
    return path


def read_record(path: Path) -> Record:
    """Read a run.

    Args:
        path: The file, or the folder that holds it.

    Raises:
        InvalidInput: If it cannot be read or is not a run.
    """
    file = path / FILE if path.is_dir() else path
    try:
        return msgspec.json.decode(file.read_bytes(), type=Record)
    except OSError as error:
        raise InvalidInput(f"no run can be read: {error}") from error
    except msgspec.MsgspecError as error:
        problem = Problem("", f"not a run of this version of the benchmarks: {error}", file=str(file))
        raise InvalidInput(problem) from error


def newest_unfinished(results: Path, *, quick: bool) -> tuple[Path, Record]:
    """The newest run of the same code and mode that has parts to go on with and that nobody works on.

    Args:
        results: Where runs are.
        quick: Its mode.

    Returns:
        Its folder, and the run.

    Raises:
        InvalidInput: If there is none; says what there is.
    """
    here, others = code(), []
    for path in sorted(results.glob(f"*/{FILE}"), reverse=True):
        try:
            record = read_record(path)
        except InvalidInput:
            continue  # of another version
        if not record.missing:
            continue
        with claimed(path.parent) as free:
            if not free:
                others.append(f"{path.parent.name} is still running")
                continue
        if record.code == here and record.quick == quick:
            return path.parent, record
        others.append(f"{path.parent.name} is {_kind(record, here)}")
    rest = f": {', '.join(others)}" if others else ""
    raise InvalidInput(f"there is no unfinished {mode(quick=quick)} run of this code to resume{rest}")


def mode(*, quick: bool) -> str:
    """The word for it."""
    return "quick" if quick else "full"


def _kind(record: Record, here: Code) -> str:
    if record.code == here:
        return f"a {mode(quick=record.quick)} run"
    return f"of {record.code.commit}, other code" if record.code.commit else "of other code"


def _figure(verdict: Verdict) -> Figure:
    each = verdict.range
    return Figure(
        verdict.value if verdict.measured else None,
        each.says,
        each.unit,
        each.min,
        each.max,
        verdict.judged,
        verdict.passed,
    )
