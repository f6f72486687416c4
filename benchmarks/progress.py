"""Progress bars of parts.

A part that runs by itself draws them on standard error. Under the harness they are sent to the process that
owns the terminal, so that two processes never draw on it at once.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_EVERY_S = 0.1
_numbers = itertools.count()
_send: Callable[[Bar], None] | None = None


class Bar(msgspec.Struct, frozen=True):
    """The state of one bar.

    Attributes:
        number: Which bar it is.
        says: What is done.
        done: How many are done.
        total: How many there are; None if nobody knows.
        ended: Whether it goes away.
    """

    number: int
    says: str
    done: int
    total: int | None = None
    ended: bool = False


def send_to(send: Callable[[Bar], None] | None) -> None:
    """Let bars of this process be drawn by somebody else; None takes that back."""
    global _send  # noqa: PLW0603 - the terminal is global too
    _send = send


def track(items: Iterable[T], says: str, total: int | None = None) -> Iterator[T]:
    """Go through items behind a bar.

    Args:
        items: What is worked on.
        says: What is done with them.
        total: How many there are; their length by default.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with _sent(_send, says, total) if _send else _drawn(says, total) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def _drawn(says: str, total: int | None) -> Iterator[Callable[[], None]]:
    # Not needed under the harness, where every part would import it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(says, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def _sent(send: Callable[[Bar], None], says: str, total: int | None) -> Iterator[Callable[[], None]]:
    """As ``_drawn``, ten times a second at most, since a part may go through a million items."""
    number, done, last = next(_numbers), 0, time.monotonic()

    def advance() -> None:
        nonlocal done, last
        done += 1
        if (now := time.monotonic()) - last >= _EVERY_S:
            last = now
            send(Bar(number, says, done, total))

    send(Bar(number, says, done, total))
    try:
        yield advance
    finally:
        send(Bar(number, says, done, total, ended=True))
