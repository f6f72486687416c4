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
    """One line a backend: size, typical errors, coherence, queue, price, state."""
    table = grid(header=True)
    table.add_column("backend", overflow="fold")
    for heading in ("qubits", "2q error", "readout\nerror", "T1", "T2", "queue"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("price", overflow="fold")
    table.add_column("state", overflow="fold")
    table.add_column("cal.\nage", justify="right", no_wrap=True)
    for backend in backends:
        calibration = backend.status.calibration
        summary = calibration.summary if calibration else None
        queue = backend.status.queue_depth
        table.add_row(
            Text(backend.metadata.name, style="bold"),
            str(summary.qubits) if summary else words.ABSENT,
            words.error_rate(summary.two_qubit_error if summary else None),
            words.error_rate(summary.readout_error if summary else None),
            words.duration(summary.t1_s if summary else None),
            words.duration(summary.t2_s if summary else None),
            "?" if queue is None else f"{queue:,}",
            price(backend.spec.pricing),
            state(backend),
            words.age(calibration.taken_at if calibration else None, now),
        )
    return table


def state(backend: QuantumBackend) -> Text:
    """Whether the backend takes tasks, and if not the reason."""
    if backend.spec.paused:
        return Text("paused", style="yellow")
    for condition in backend.status.conditions:
        if condition.status != "True":
            return Text(condition.message or condition.reason, style="red")
    return Text("ready", style="green") if backend.status.conditions else Text("not asked yet", style="dim")


def price(pricing: Pricing | None) -> str:
    """A price list in one line, such as ``0.30 USD/task + 0.00035 USD/shot``."""
    if pricing is None:
        return "free"
    terms = [
        f"{_amount(getattr(pricing, field))} {pricing.currency}/{unit}"
        for field, unit in _PRICE_UNITS
        if Decimal(getattr(pricing, field))
    ]
    if Decimal(pricing.minimum):
        terms.append(f"at least {_amount(pricing.minimum)} {pricing.currency}")
    return " + ".join(terms) or "free"


def _amount(text: str) -> str:
    value = Decimal(text)
    return f"{value:.2f}" if value == value.quantize(Decimal("0.01")) else f"{value.normalize():f}"
