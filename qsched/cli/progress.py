"""Following jobs until they have ended: a live view on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from qsched.cli.render_jobs import phase_text, progress_view, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from qsched.cli.render_jobs import JobRow

    Read = Callable[[], Sequence[JobRow]]

_EXPLAINED = frozenset({"Pending", "Failed", "Cancelled"})


def now() -> dt.datetime:
    """The present moment; commands read the clock here and nowhere deeper."""
    return dt.datetime.now(dt.UTC)


def follow(
    read: Read,
    console: Console,
    *,
    every_s: float = 0.2,
    timeout_s: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Show jobs until all have ended.

    Args:
        read: Gives the jobs' present rows.
        console: Where to show them.
        every_s: Seconds between two looks.
        timeout_s: How long to look; for ever if None.
        pause: Waits for a number of seconds.

    Returns:
        Whether all jobs have ended.
    """
    start = time.monotonic()
    rows = read()
    if console.is_terminal:
        with Live(progress_view(rows, now()), console=console, transient=True, auto_refresh=False) as live:
            while not _over(rows, start, timeout_s):
                pause(every_s)
                rows = read()
                live.update(progress_view(rows, now()), refresh=True)
    else:
        seen: dict[tuple[str, str], str] = {}
        _print_changes(rows, seen, console)
        while not _over(rows, start, timeout_s):
            pause(every_s)
            rows = read()
            _print_changes(rows, seen, console)
    return all(row.finished for row in rows)


def _over(rows: Sequence[JobRow], start: float, timeout_s: float | None) -> bool:
    if all(row.finished for row in rows):
        return True
    return timeout_s is not None and time.monotonic() - start >= timeout_s


def _print_changes(rows: Sequence[JobRow], seen: dict[tuple[str, str], str], console: Console) -> None:
    """A line for each job whose phase, backend or reason is new."""
    for row in rows:
        key = row.namespace, row.name
        where = f" on {row.backend}" if row.backend else ""
        reason = f": {row.message}" if row.phase in _EXPLAINED and row.message else ""
        line = Text.assemble(f"{row.name} ", phase_text(row.phase), f"{where}{shortened(reason)}")
        if seen.get(key) != line.plain:
            seen[key] = line.plain
            console.print(line, soft_wrap=True)
