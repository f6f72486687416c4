"""Independent tasks, some at the same time: numpy lets go of the interpreter's lock while it works."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

THREADS = 2
"""Tasks that are worked on at the same time, where nobody says."""


def in_threads(
    work: Callable[[T], R], tasks: Sequence[T], threads: int, pool: ThreadPoolExecutor | None = None
) -> list[R]:
    """What ``work`` makes of each task, in order, whichever thread comes to it.

    Threads take the next task themselves: handing each over would cost as much as a small one takes.

    Args:
        work: Safe to call from several threads.
        tasks: What it is called with.
        threads: How many at the same time.
        pool: Theirs, for whoever calls often; a new one by default.
    """
    if threads < 2 or len(tasks) < 2:
        return [work(task) for task in tasks]
    if pool is None:
        with ThreadPoolExecutor(threads) as own:
            return in_threads(work, tasks, threads, own)
    made: list[R | None] = [None] * len(tasks)
    turn = itertools.count()

    def run() -> None:
        while (index := next(turn)) < len(tasks):
            made[index] = work(tasks[index])

    for each in [pool.submit(run) for _ in range(threads)]:
        each.result()
    return made  # type: ignore[return-value]
