"""A line that shows what a job is doing while somebody waits for it."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsched.api.job import JobStatus


class Watched(Protocol):
    """What can be watched."""

    name: str

    def status(self) -> JobStatus:
        """How it is now."""
        ...


@contextmanager
def progress(job: Watched, *, shown: bool | None) -> Iterator[None]:
    """Show the phase of a job until the block ends.

    Args:
        job: The job.
        shown: Whether at all; None means on a terminal or in a notebook.
    """
    if not (_is_interactive() if shown is None else shown):
        yield
        return
    from rich.console import Console

    ended = threading.Event()
    with Console(stderr=True).status(f"{job.name}: waiting") as line:

        def follow() -> None:
            while not ended.wait(0.2):
                now = job.status()
                where = f" on {now.placement.backend}" if now.placement is not None else ""
                line.update(f"{job.name}: {now.phase}{where}")

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _is_interactive() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
