"""What both reports say about a run as a whole."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from benchmarks import words
from benchmarks.record import mode

if TYPE_CHECKING:
    from benchmarks.machine import Machine
    from benchmarks.record import Figure, Record


def headline(record: Record) -> str:
    """The outcome in a sentence or two."""
    judged = [each for part in record.parts.values() for each in part.figures.values() if each.judged]
    passed = sum(each.passed for each in judged)
    says = [f"{passed} of {len(judged)} judged figures are in their ranges."] if judged else []
    if broken := [name for name in record.names if name not in record.parts or record.parts[name].error]:
        says.append(f"Did not run to the end: {', '.join(broken)}.")
    if left_out := [name for name, part in record.parts.items() if part.left_out]:
        says.append(f"Left out: {', '.join(left_out)}.")
    load, processors = record.machine.load_1_min, record.machine.processors
    if load > processors:
        says.append(
            f"The machine was busy before the run began (load {load:.1f}), so speeds are not to be trusted."
        )
    if record.arguments:
        says.append("Options were given, so nothing was judged: the ranges are for the defaults.")
    return " ".join(says)


def out_of_range(record: Record) -> list[tuple[str, str, Figure]]:
    """Each figure that is not in its range, with its part's name and its own."""
    return [
        (name, figure, part.figures[figure]) for name, part in record.parts.items() for figure in part.failed
    ]


def about(record: Record) -> list[tuple[str, str]]:
    """What the run depends on, by name."""
    code = record.code
    ended = max((part.ended_at for part in record.parts.values()), default=record.started_at)
    measured = sum(part.seconds for part in record.parts.values())
    says = ", ".join(f"{name} {version}" for name, version in record.versions.items() if version)
    facts = [
        ("Run", f"{mode(quick=record.quick)}, {record.started_at:%Y-%m-%d %H:%M} UTC"),
        ("Time", f"{words.duration(measured)} in the parts; the last ended at {ended:%Y-%m-%d %H:%M} UTC"),
        ("Code", (code.commit or "not a checkout") + (f" (changes {code.changes})" if code.changes else "")),
        ("Machine", _machine(record.machine)),
        ("Versions", says),
    ]
    if record.arguments:
        facts.insert(1, ("Options", shlex.join(record.arguments)))
    return facts


def _machine(machine: Machine) -> str:
    name = machine.processor or "unknown processor"
    memory = f"{machine.memory_bytes / 2**30:.1f} GiB"
    load = f"load {machine.load_1_min:.2f} at the start"
    return f"{name}, {machine.processors} processors, {memory}, {machine.system}; {load}"


def command(record: Record, name: str) -> str:
    """How to measure one part again."""
    quick = ["--quick"] if record.quick else []
    return shlex.join(["python", "-m", "benchmarks", name, *quick, *record.arguments])
