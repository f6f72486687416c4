"""Discovered devices: what each is, how it is now, and what it is reckoned to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from qsched.cli import words
from qsched.cli.render_backends import LONGEST_STATE, below, queue
from qsched.cli.render_pricing import backend_price
from qsched.cli.render_style import grid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qsched.api.backend import QuantumBackend
    from qsched.cli.discovery import Discovered


def discovery_table(
    found: Sequence[Discovered], backends: Sequence[QuantumBackend], now: dt.datetime
) -> RenderableType:
    """One line a device, under the name that its manifest gives it, with the provider's own name below."""
    table = grid(header=True)
    remarks: list[tuple[str, str]] = []
    table.add_column("backend\ndevice", overflow="fold")
    table.add_column("vendor")
    table.add_column("qubits", justify="right", no_wrap=True)
    table.add_column("cal.\nage", justify="right", no_wrap=True)
    table.add_column("price", overflow="fold")
    table.add_column("state", overflow="fold")
    for device, backend in zip(found, backends, strict=True):
        name = Text(backend.metadata.name, style="bold" if device.usable else "dim")
        state = device_state(device)
        if device.trouble and len(state) > LONGEST_STATE:
            remarks.append((backend.metadata.name, device.trouble))
            state = device_state(device, trouble="see below")
        table.add_row(
            name.append(f"\n{device.info.device}", style="dim not bold"),
            device.info.provider or words.ABSENT,
            f"{device.info.qubits:,}",
            words.age(device.calibrated_at, now),
            backend_price(backend.spec) if device.usable else words.ABSENT,
            state,
        )
    return Group(table, *below(remarks))


def device_state(device: Discovered, *, trouble: str | None = None) -> Text:
    """How a device is now; what could not be asked, and why.

    Args:
        device: The device.
        trouble: What to say in place of the device's own trouble.
    """
    status = device.status
    trouble = device.trouble if trouble is None else trouble
    if status is None:
        return Text(trouble, style="red" if device.usable else "dim")
    if not status.online:
        return Text(status.message or "offline", style="yellow")
    parts: list[str | tuple[str, str]] = [("ready", "green"), queue(status)]
    if trouble:
        parts.append((f"\n{trouble}", "red"))
    return Text.assemble(*parts)
