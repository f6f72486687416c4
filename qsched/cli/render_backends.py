"""Backends: what each is good for, what it costs, and whether it takes tasks now."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from qsched.cli import words
from qsched.cli.render_style import grid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from rich.table import Table

    from qsched.api.backend import Pricing, QuantumBackend

_PRICE_UNITS = (
    ("per_task", "task"),
    ("per_shot", "shot"),
    ("per_second", "s"),
    ("per_one_qubit_gate", "1q gate"),
    ("per_two_qubit_gate", "2q gate"),
    ("per_measurement", "measurement"),
)


def backend_table(backends: Iterable[QuantumBackend], now: dt.datetime) -> Table:
    """One line a backend: size, typical errors, coherence, price, and its state with its queue."""
    table = grid(header=True)
    table.add_column("backend", overflow="fold")
    for heading in ("qubits", "2q\nerror", "read\nerror", "T1", "T2"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("cal.\nage", justify="right", no_wrap=True)
    table.add_column("price")
    table.add_column("state", overflow="fold")
    for backend in backends:
        calibration = backend.status.calibration
        summary = calibration.summary if calibration else None
        table.add_row(
            Text(backend.metadata.name, style="bold"),
            str(summary.qubits) if summary else words.ABSENT,
            words.error_rate(summary.two_qubit_error if summary else None),
            words.error_rate(summary.readout_error if summary else None),
            words.duration(summary.t1_s if summary else None),
            words.duration(summary.t2_s if summary else None),
            words.age(calibration.taken_at if calibration else None, now),
            price(backend.spec.pricing),
            state(backend),
        )
    return table


def state(backend: QuantumBackend) -> Text:
    """Whether the backend takes tasks, and if not the reason."""
    if backend.spec.paused:
        return Text("paused", style="yellow")
    for condition in backend.status.conditions:
        if condition.status != "True":
            return Text(condition.message or condition.reason, style="red")
    if not backend.status.conditions:
        return Text("not asked yet", style="dim")
    depth = backend.status.queue_depth
    queue = ", queue unknown" if depth is None else f", {depth:,} queued" if depth else ""
    return Text.assemble(("ready", "green"), queue)


def price(pricing: Pricing | None) -> str:
    """A price list in one line, such as ``USD 0.30/task + 0.00035/shot``."""
    if pricing is None:
        return "free"
    terms = [
        f"{_amount(getattr(pricing, field))}/{unit}"
        for field, unit in _PRICE_UNITS
        if Decimal(getattr(pricing, field))
    ]
    if Decimal(pricing.minimum):
        terms.append(f"at least {_amount(pricing.minimum)}")
    return f"{pricing.currency} {' + '.join(terms)}" if terms else "free"


def _amount(text: str) -> str:
    value = Decimal(text)
    return f"{value:.2f}" if value == value.quantize(Decimal("0.01")) else f"{value.normalize():f}"
