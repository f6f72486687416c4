"""Discovered devices: what each is, how it is now, and what it is reckoned to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsched.cli import words
from qsched.cli.render_backends import queue
from qsched.cli.render_pricing import backend_price
from qsched.cli.render_style import grid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from rich.table import Table

    from qsched.api.backend import QuantumBackend
    from qsched.cli.discovery import Discovered


def discovery_table(
    found: Sequence[Discovered], backends: Sequence[QuantumBackend], now: dt.datetime
) -> Table:
    """One line a device, under the name that its manifest gives it, with the provider's own name below."""
    table = grid(header=True)
    table.add_column("backend\ndevice", overflow="fold")
    table.add_column("vendor")
    table.add_column("qubits", justify="right", no_wrap=True)
    table.add_column("cal.\nage", justify="right", no_wrap=True)
    table.add_column("price")
    table.add_column("state", overflow="fold")
    for device, backend in zip(found, backends, strict=True):
        name = Text(backend.metadata.name, style="bold" if device.usable else "dim")
        table.add_row(
            name.append(f"\n{device.info.device}", style="dim not bold"),
            device.info.provider or words.ABSENT,
            f"{device.info.qubits:,}",
            words.age(device.calibrated_at, now),
            backend_price(backend.spec) if device.usable else words.ABSENT,
            device_state(device),
        )
    return table


def device_state(device: Discovered) -> Text:
    """How a device is now; what could not be asked, and why."""
    status = device.status
    if status is None:
        return Text(device.trouble, style="red" if device.usable else "dim")
    if not status.online:
        return Text(status.message or "offline", style="yellow")
    parts: list[str | tuple[str, str]] = [("ready", "green"), queue(status)]
    if device.trouble:
        parts.append((f"\n{device.trouble}", "red"))
    return Text.assemble(*parts)
