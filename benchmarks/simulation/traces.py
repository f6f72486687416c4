"""Trace files: jobs that came, and queues that were, as CSV. A wrong line is named with its number."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import gzip
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.scenarios.circuits import TYPICAL, circuits
from benchmarks.scenarios.profiles import kept_profiles
from benchmarks.simulation.mix import columns
from benchmarks.simulation.scenario import Change
from qsched.api.findings import nearest
from qsched.circuits.profile import Profile, profile
from qsched.errors import InvalidInput, Problem, QschedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from qsched.scoring import JobColumns

    Floats = NDArray[np.float64]

NEEDED = ("seconds", "circuit", "shots")
OPTIONAL = ("name", "circuits", "priority", "fidelity", "complete_within_s")
"""Columns of a trace of jobs: when a job came, its circuit as ``ghz-5`` (a family of MQT Bench and a number
of qubits), shots; name, circuits, priority, weight of fidelity, seconds until it must be done."""

_MOST_PROBLEMS = 20
_MOST_QUBITS = 127
_MOST_SHOTS = 1e9
_LONGEST_S = 31 * 86_400.0
_MEAN_S = 20.0
"""Mean seconds of somebody else's task."""

_MOST_DEPTH = 200.0
"""Deeper queues are cut off here: they are not waited out within a simulation."""


class TracedJobs(NamedTuple):
    """N jobs of a trace.

    Attributes:
        names: (N,) their names.
        columns: The jobs as they are when they come.
        arrives_s: (N,) seconds since the first line's time, ascending.
    """

    names: list[str]
    columns: JobColumns
    arrives_s: Floats


@dataclass(frozen=True, eq=False)
class Depths:
    """Queue depths of Q devices at T moments.

    Attributes:
        devices: (Q,) their names.
        at_s: (T,) seconds since the first moment.
        depth: (T, Q) tasks; not-a-number where it was not read, -1 where the device was down.
    """

    devices: list[str]
    at_s: Floats
    depth: Floats


class _Row(NamedTuple):
    """One line of a trace of jobs."""

    seconds: float
    circuit: str
    shots: float
    name: str
    circuits: float
    priority: float
    fidelity: float
    complete_within_s: float


def read_jobs(path: Path) -> TracedJobs:
    """Jobs of a trace file.

    Raises:
        InvalidInput: With every line that is wrong, up to twenty.
    """
    problems: list[Problem] = []
    rows: list[_Row] = []
    kinds: dict[str, Profile] = {}
    for line, cells in _lines(path, NEEDED, OPTIONAL):
        try:
            row = _job(line, cells)
            _later("seconds", row.seconds, rows[-1].seconds if rows else -math.inf)
            _soon(row.seconds, rows[0].seconds if rows else row.seconds)
            if row.circuit not in kinds:
                kinds[row.circuit] = _profile(row.circuit)
        except (ValueError, QschedError) as error:
            problems.append(Problem("", str(error), file=str(path), line=line))
        else:
            rows.append(row)
        if len(problems) >= _MOST_PROBLEMS:
            break
    if not problems and not rows:
        problems = [Problem("", "it has no jobs; add a line for each job", file=str(path))]
    if problems:
        raise InvalidInput(problems)
    order = {kind: index for index, kind in enumerate(kinds)}
    plain = columns(list(kinds.values())).take(np.array([order[row.circuit] for row in rows], dtype=np.int32))
    fidelity = np.array([row.fidelity for row in rows])
    weights = np.column_stack([fidelity, 1 - fidelity, 0 * fidelity, 0 * fidelity])
    made = dataclasses.replace(
        plain,
        shots=np.array([row.shots for row in rows], dtype=np.float32),
        circuits=np.array([row.circuits for row in rows], dtype=np.float32),
        priority=np.array([row.priority for row in rows], dtype=np.int32),
        remaining_s=np.array([row.complete_within_s for row in rows], dtype=np.float32),
        weights=weights.astype(np.float32),
    )
    seconds = np.array([row.seconds for row in rows])
    return TracedJobs([row.name for row in rows], made, seconds - seconds[0])


def read_depths(path: Path) -> Depths:
    """Queue depths of a trace file: ``minute_utc`` and a column for each device.

    Raises:
        InvalidInput: With every line that is wrong, up to twenty.
    """
    problems: list[Problem] = []
    moments: list[float] = []
    depths: list[list[float]] = []
    devices: list[str] = []
    for line, cells in _lines(path, ("minute_utc",), None):
        devices = devices or [name for name in cells if name != "minute_utc"]
        try:
            moment = dt.datetime.fromisoformat(cells["minute_utc"]).timestamp()
            depths.append([_depth(cells[name], name) for name in devices])
            _later("minute_utc", moment, moments[-1] + 1 if moments else -math.inf)
            moments.append(moment)
        except ValueError as error:
            problems.append(Problem("", str(error), file=str(path), line=line))
        if len(problems) >= _MOST_PROBLEMS:
            break
    if not problems and not (moments and devices):
        problems = [Problem("", "it has no queues; it needs minute_utc and devices", file=str(path))]
    if problems:
        raise InvalidInput(problems)
    return Depths(devices, np.array(moments) - moments[0], np.array(depths))


def replay(depths: Depths, backends: int, until_s: float, seed: int) -> list[Change]:
    """Other people's tasks that make queues like those of a trace, if nobody else comes.

    Whenever the trace is deeper than what is left, as many tasks come as are missing. -1 is an outage.

    Args:
        depths: The trace; with more backends than devices its queues are used again.
        backends: How many backends.
        until_s: Where to stop.
        seed: Of the tasks' run times.
    """
    rng = np.random.default_rng([seed, 8])
    changes: list[Change] = []
    for column in range(backends):
        left, last_s, down = 0.0, 0.0, False
        for at_s, depth in zip(depths.at_s, depths.depth[:, column % len(depths.devices)], strict=True):
            if at_s > until_s:
                break
            if math.isnan(depth):
                continue
            if (depth < 0) != down:
                down = not down
                changes.append(Change(float(at_s), column, "down" if down else "up"))
            left = max(0.0, left - (0.0 if down else (at_s - last_s) / _MEAN_S))
            last_s = at_s
            for _ in range(math.ceil(min(depth, _MOST_DEPTH) - left)):
                changes.append(Change(float(at_s), column, "foreign", run_s=float(rng.exponential(_MEAN_S))))
                left += 1
        if down:
            changes.append(Change(until_s, column, "up"))
    return sorted(changes, key=lambda change: change.at_s)


def _lines(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...] | None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line after the head, with its number; ``optional`` None allows any other column."""
    opened: Callable[..., object] = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:  # type: ignore[attr-defined]
            reader = csv.DictReader(file, strict=True)
            head = reader.fieldnames or []
            if missing := [name for name in needed if name not in head]:
                message = f"the head has no column {missing[0]!r}; it needs {', '.join(needed)}"
                raise InvalidInput(Problem("", message, file=str(path), line=1))
            known = None if optional is None else (*needed, *optional)
            if known and (strange := [name for name in head if name not in known]):
                message = f"unknown column {strange[0]!r}; {nearest(strange[0], known)}"
                raise InvalidInput(Problem("", message, file=str(path), line=1))
            for cells in reader:
                if None in cells or None in cells.values():
                    message = f"it has another number of cells than the head, {len(head)}"
                    raise InvalidInput(Problem("", message, file=str(path), line=reader.line_num))
                yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error, EOFError, zlib.error) as error:
        raise InvalidInput(Problem("", f"the trace cannot be read: {error}", file=str(path))) from error


def _later(name: str, value: float, before: float) -> None:
    if value < before:
        raise ValueError(f"{name} is not after the line above; sort the file by time")


def _soon(seconds: float, first: float) -> None:
    if seconds - first > _LONGEST_S:
        days = _LONGEST_S / 86_400
        raise ValueError(f"seconds is more than {days:.0f} days after the first line; cut the trace there")


def _job(line: int, cells: dict[str, str]) -> _Row:
    """One line, checked."""
    return _Row(
        seconds=_number(cells, "seconds", least=0.0),
        circuit=cells["circuit"],
        shots=_number(cells, "shots", least=1.0, most=_MOST_SHOTS),
        name=cells.get("name") or f"line-{line}",
        circuits=_number(cells, "circuits", least=1.0, otherwise=1.0),
        priority=_number(cells, "priority", least=-1000.0, most=1000.0, otherwise=0.0),
        fidelity=_number(cells, "fidelity", least=0.0, most=1.0, otherwise=0.5),
        complete_within_s=_number(cells, "complete_within_s", least=1.0, otherwise=math.inf),
    )


def _number(
    cells: dict[str, str],
    name: str,
    *,
    least: float,
    most: float = math.inf,
    otherwise: float | None = None,
) -> float:
    text = cells.get(name, "")
    if not text and otherwise is not None:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None
    if not (least <= value <= most) or not math.isfinite(value):
        limit = f"at least {least:g}" if math.isinf(most) else f"{least:g} to {most:,.10g}"
        raise ValueError(f"{name} is {text}; it must be {limit}")
    return value


def _depth(text: str, name: str) -> float:
    if not text:
        return math.nan
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"the depth of {name} is {text!r}, not a whole number") from None
    if value < -1:
        raise ValueError(f"the depth of {name} is {value}; it must be -1 (down) or more")
    return float(value)


def _profile(name: str) -> Profile:
    """The profile of a circuit of MQT Bench, such as ``ghz-5``."""
    family, _, size = name.rpartition("-")
    family = family.replace("-", "_")
    if family not in TYPICAL:
        known = [each.replace("_", "-") for each in TYPICAL]
        raise ValueError(f"circuit {name!r} has no known family; {nearest(family, known)}")
    if not size.isdigit() or not 2 <= int(size) <= _MOST_QUBITS:
        raise ValueError(f"circuit {name!r} does not end in 2 to {_MOST_QUBITS} qubits, as ghz-5 does")

    def make() -> list[Profile]:
        return [profile(each) for each in circuits([int(size)], seed=0, families=[family])]

    made = kept_profiles("profile-by-name", {"circuit": name}, make)
    if not made:
        raise ValueError(f"MQT Bench has no {family.replace('_', '-')} of {size} qubits; take another size")
    return made[0]
