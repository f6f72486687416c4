"""A calibration: the spread of each property over a device, and every qubit and coupler if asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group
from rich.text import Text

from qsched.cli import words
from qsched.cli.render_style import grid
from qsched.fleet.quality import quality

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from numpy.typing import NDArray
    from rich.console import RenderableType
    from rich.table import Table

    from qsched.api.calibration import Calibration

    Format = Callable[[float | None], str]

# For each property: its name, the array, how it is written, and whether larger is better.
_PROPERTIES: tuple[tuple[str, str, Format, bool], ...] = (
    ("T1", "t1_s", words.duration, True),
    ("T2", "t2_s", words.duration, True),
    ("readout error", "readout_error", words.error_rate, False),
    ("1q error", "gate1_error", words.error_rate, False),
    ("2q error", "gate2_error", words.error_rate, False),
    ("readout time", "readout_s", words.duration, False),
    ("1q time", "gate1_s", words.duration, False),
    ("2q time", "gate2_s", words.duration, False),
)


def calibration_view(
    calibration: Calibration, now: dt.datetime, *, every_qubit: bool = False
) -> RenderableType:
    """When it was taken and from what, the quartiles of each property, and what was not measured.

    Args:
        calibration: What to show.
        now: For the age.
        every_qubit: Whether to list each qubit and coupler too.
    """
    gates = ", ".join((*calibration.one_qubit_gates, calibration.two_qubit_gate, *calibration.virtual_gates))
    facts = grid()
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("Device", Text(calibration.device, style="bold"))
    facts.add_row("Calibration", calibration.id)
    facts.add_row(
        "Taken", f"{words.moment(calibration.taken_at)} ({words.age(calibration.taken_at, now)} ago)"
    )
    device = quality(calibration)
    couplers = words.count(len(calibration.couplers), "coupler")
    facts.add_row("Size", f"{words.count(calibration.qubits, 'qubit')}, {couplers}")
    facts.add_row("Usable", f"{words.count(device.qubits, 'qubit')}, {device.coupler_usable.sum()} couplers")
    facts.add_row("Native gates", f"{gates} ({', '.join(calibration.virtual_gates) or 'none'} virtual)")
    facts.add_row("Mid-circuit", "measurement and control" if calibration.dynamic else "not supported")
    if calibration.source:
        facts.add_row("Source", calibration.source)
    parts: list[RenderableType] = [facts, Text(), spread(calibration)]
    if every_qubit:
        parts += [Text(), qubit_table(calibration), Text(), coupler_table(calibration)]
    return Group(*parts)


def spread(calibration: Calibration) -> Table:
    """For each property the best, the quartiles and the worst over the device, and how many are missing."""
    table = grid(header=True)
    table.add_column("property", no_wrap=True)
    for heading in ("best", "25 %", "median", "75 %", "worst", "missing"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, field, text, larger_is_better in _PROPERTIES:
        values = getattr(calibration, field)
        known = values[~np.isnan(values)]
        if not known.size:
            table.add_row(name, *[words.ABSENT] * 5, str(values.size))
            continue
        quantiles = np.quantile(
            known, (1, 0.75, 0.5, 0.25, 0) if larger_is_better else (0, 0.25, 0.5, 0.75, 1)
        )
        missing = values.size - known.size
        table.add_row(name, *(text(float(value)) for value in quantiles), str(missing) if missing else "")
    return table


def qubit_table(calibration: Calibration) -> Table:
    """One line a qubit."""
    table = grid(header=True)
    columns = [row for row in _PROPERTIES if row[1] in {"t1_s", "t2_s", "readout_error", "gate1_error"}]
    for heading in ("qubit", *(name for name, *_ in columns)):
        table.add_column(heading, justify="right", no_wrap=True)
    for qubit in range(calibration.qubits):
        table.add_row(
            str(qubit), *(_cell(getattr(calibration, field), qubit, text) for _, field, text, _ in columns)
        )
    return table


def coupler_table(calibration: Calibration) -> Table:
    """One line a coupler."""
    table = grid(header=True)
    for heading in ("coupler", f"{calibration.two_qubit_gate} error", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for index, (first, second) in enumerate(calibration.couplers):
        error = _cell(calibration.gate2_error, index, words.error_rate)
        table.add_row(f"{first} - {second}", error, _cell(calibration.gate2_s, index, words.duration))
    return table


def _cell(values: NDArray[np.float64], index: int, text: Format) -> str:
    value = float(values[index])
    return words.ABSENT if np.isnan(value) else text(value)
