"""Progress bars of parts, on standard error, so that what a part prints can be piped."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def track(items: Iterable[T], says: str, total: int | None = None) -> Iterator[T]:
    """Go through items behind a bar.

    Args:
        items: What is worked on.
        says: What is done with them.
        total: How many there are; their length by default.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total, description=says)
