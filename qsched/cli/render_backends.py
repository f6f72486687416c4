"""Backends: what each is good for, what it costs, and whether it takes tasks now."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from qsched.cli import words
from qsched.cli.render_pricing import backend_price
from qsched.cli.render_style import grid
from qsched.fleet.windows import closes_in_s, opens_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from qsched.api.backend import BackendStatus, QuantumBackend
    from qsched.drivers import DeviceStatus

TROUBLE = "red"
LONGEST_STATE = 32
"""Columns that a state may take; longer trouble stands below the table."""


def backend_table(backends: Iterable[QuantumBackend], now: dt.datetime) -> RenderableType:
    """One line a backend: size, typical errors, coherence, price, and its state with its queue."""
    table = grid(header=True)
    remarks: list[tuple[str, str]] = []
    table.add_column("backend", overflow="fold")
    for heading in ("qubits", "2q\nerror", "read\nerror", "T1", "T2"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("cal.\nage", justify="right", no_wrap=True)
    table.add_column("price", overflow="fold")
    table.add_column("state", overflow="fold")
    for backend in backends:
        name, now_it_is = backend.metadata.name, state(backend, now)
        if now_it_is.style == TROUBLE and len(now_it_is) > LONGEST_STATE:
            remarks.append((name, now_it_is.plain))
            now_it_is = Text("see below", style=TROUBLE)
        calibration = backend.status.calibration
        summary = calibration.summary if calibration else None
        table.add_row(
            Text(name, style="bold"),
            str(summary.qubits) if summary else words.ABSENT,
            words.error_rate(summary.two_qubit_error if summary else None),
            words.error_rate(summary.readout_error if summary else None),
            words.duration(summary.t1_s if summary else None),
            words.duration(summary.t2_s if summary else None),
            words.age(calibration.taken_at if calibration else None, now),
            backend_price(backend.spec),
            now_it_is,
        )
    return Group(table, *below(remarks))


def below(remarks: Iterable[tuple[str, str]]) -> list[Text]:
    """What a table has no room for: each message once, after the names that it is about.

    Args:
        remarks: Pairs of a backend's name and what there is to say of it.
    """
    about: dict[str, list[str]] = {}
    for name, message in remarks:
        about.setdefault(message, []).append(name)
    return [
        Text.assemble(("\n" + ", ".join(names), "bold"), f": {message}") for message, names in about.items()
    ]


def state(backend: QuantumBackend, now: dt.datetime) -> Text:
    """Whether the backend takes tasks, and if not the reason; and when its window opens or closes."""
    if backend.spec.paused:
        return Text("paused", style="yellow")
    for condition in backend.status.conditions:
        if condition.status != "True":
            return Text(condition.message or condition.reason, style=TROUBLE)
    if not backend.status.conditions:
        return Text("not asked yet", style="dim")
    windows = backend.spec.windows or backend.status.windows
    left_s = closes_in_s(windows, now)
    if left_s <= 0:
        opens = opens_at(windows, now)
        when = f", opens {opens:%a %H:%M} UTC" if opens is not None else ""
        return Text(f"outside its windows{when}", style="yellow")
    until = f", until {now + dt.timedelta(seconds=left_s):%a %H:%M} UTC" if math.isfinite(left_s) else ""
    return Text.assemble(("ready", "green"), queue(backend.status), until)


def queue(status: BackendStatus | DeviceStatus) -> str:
    """What there is to say of a device's queue, after a comma; nothing of one that is empty."""
    depth, wait_s = status.queue_depth, status.queue_wait_s
    if depth is None and wait_s is None:
        return ", queue unknown"
    queued = f", {depth:,} queued" if depth else ""
    return f"{queued}, about {words.duration(wait_s)} to wait" if wait_s else queued
