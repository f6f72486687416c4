"""The look that every table shares."""

from __future__ import annotations

from rich import box
from rich.table import Table

PHASE_STYLES = {
    "Pending": "dim",
    "Placed": "cyan",
    "Submitting": "cyan",
    "Queued": "blue",
    "Running": "bold blue",
    "Collecting": "blue",
    "Suspended": "yellow",
    "Complete": "green",
    "Failed": "bold red",
    "Cancelled": "magenta",
}
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def grid(*, header: bool = False) -> Table:
    """A table without vertical lines; a header is underlined."""
    return Table(
        box=box.SIMPLE_HEAD if header else None,
        show_header=header,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1 if header else 2, 0, 0),
    )


def bar(fraction: float, cells: int) -> str:
    """A horizontal bar of Unicode blocks, an eighth of a cell fine and exactly ``cells`` wide."""
    eighths = round(min(1.0, max(0.0, fraction)) * cells * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest] * bool(rest)).ljust(cells)
