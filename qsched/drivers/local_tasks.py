"""Tasks that a driver simulates itself, in worker processes: their queue, and what became of each.

They live in this process only, and end with it: after a restart nobody knows of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from qsched.drivers.errors import NotFound, Unavailable
from qsched.drivers.types import RemoteState, RemoteTask, Task, TaskStatus
from qsched.drivers.workers import WorkerDiedError, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

W = TypeVar("W")
O = TypeVar("O")  # noqa: E741 - an outcome

_KEPT = 256
"""Tasks that are remembered after they failed, were cancelled, or had their result fetched."""


@dataclass(slots=True)
class LocalTask(Generic[W, O]):
    """A task and what became of it.

    Attributes:
        remote_id: Its name.
        task: What was submitted.
        work: What was made of it when it was admitted.
        state: Where it is.
        message: Why it failed.
        started_s: Unix time; None while it waits.
        finished_s: Unix time; None until it has ended.
        outcome: What came out; None unless it succeeded.
    """

    remote_id: str
    task: Task
    work: W
    state: RemoteState = "Queued"
    message: str = ""
    started_s: float | None = None
    finished_s: float | None = None
    outcome: O | None = None
    runner: asyncio.Task[None] | None = None


class LocalTasks(Generic[W, O]):
    """The tasks of one driver, as many at once as it has workers."""

    def __init__(
        self,
        driver: str,
        *,
        size: int,
        threads: int,
        admit: Callable[[Task], W],
        run: Callable[[WorkerPool, LocalTask[W, O]], Awaitable[O]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start nothing yet; workers start with the first task, or with ``warm``.

        Args:
            driver: Its name, for messages and ids.
            size: Worker processes.
            threads: Of each worker's libraries.
            admit: What is to be done for a task, or ``Rejected``; runs in a thread.
            run: Has a worker do it.
            clock: Unix time in seconds.
        """
        self._driver = driver
        self._size = size
        self._admission = admit
        self._work = run
        self._clock = clock
        self._slots = asyncio.Semaphore(size)
        environment = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self._pool = WorkerPool(size, environment=environment)
        self._known: dict[str, LocalTask[W, O]] = {}
        self._admitting: dict[str, asyncio.Task[None]] = {}
        self._done_with: OrderedDict[str, None] = OrderedDict()
        self._closed = False

    async def warm(self, prepare: Callable[[], None]) -> None:
        """Start every worker and let it import what it needs, before there is a task."""
        with contextlib.suppress(WorkerDiedError):
            await asyncio.gather(*(self._pool.call(prepare) for _ in range(self._size)))

    def depth(self, device: str) -> int:
        """Tasks that wait or run for a device."""
        return sum(
            each.task.device == device and each.state in {"Queued", "Running"}
            for each in self._known.values()
        )

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Admit a task and queue it for the next free worker, once for its token.

        Raises:
            Unavailable: If the driver is closed.
            Exception: Whatever admission raises.
        """
        if self._closed:
            raise Unavailable(f"the {self._driver} driver is closed")
        remote_id = self._id(token)
        if remote_id not in self._known:
            if remote_id not in self._admitting:
                self._admitting[remote_id] = asyncio.create_task(self._admit(remote_id, task))
            # Shielded, because a second caller with the same token may wait for it too.
            await asyncio.shield(self._admitting[remote_id])
        return _remote(self._known[remote_id])

    async def find(self, token: str) -> RemoteTask | None:
        """A task of this process."""
        remote_id = self._id(token)
        if remote_id in self._admitting:
            await asyncio.wait([self._admitting[remote_id]])
        known = self._known.get(remote_id)
        return _remote(known) if known else None

    def poll(self, ids: Sequence[str]) -> list[TaskStatus]:
        """Where tasks are now."""
        return [
            TaskStatus(remote_id=remote_id, state=known.state, message=known.message)
            for remote_id in ids
            if (known := self._known.get(remote_id))
        ]

    def succeeded(self, remote_id: str) -> LocalTask[W, O]:
        """A task whose result is fetched, which need not be remembered for long after.

        Raises:
            NotFound: If there is none of this name that succeeded.
        """
        known = self._known.get(remote_id)
        if known is None or known.state != "Succeeded":
            raise NotFound(f"task {remote_id!r} has no result")
        self._forget_later(remote_id)
        return known

    async def cancel(self, remote_id: str) -> None:
        """Stop a task; the worker that runs it is killed, and another takes its place when needed."""
        known = self._known.get(remote_id)
        if known is None or known.runner is None or known.state not in {"Queued", "Running"}:
            return
        self._end(known, "Cancelled")
        known.runner.cancel()
        await asyncio.wait([known.runner])

    async def aclose(self) -> None:
        """Cancel every task and kill every worker."""
        self._closed = True
        for admitting in self._admitting.values():
            admitting.cancel()
        await asyncio.gather(*self._admitting.values(), return_exceptions=True)
        await asyncio.gather(*(self.cancel(remote_id) for remote_id in list(self._known)))
        await self._pool.aclose()

    def _id(self, token: str) -> str:
        return f"{self._driver}-{token}"

    async def _admit(self, remote_id: str, task: Task) -> None:
        try:
            work = await asyncio.to_thread(self._admission, task)
        finally:
            del self._admitting[remote_id]
        known = self._known[remote_id] = LocalTask[W, O](remote_id, task, work)
        known.runner = asyncio.create_task(self._run(known))

    async def _run(self, known: LocalTask[W, O]) -> None:
        async with self._slots:
            known.state = "Running"
            known.started_s = self._clock()
            try:
                known.outcome = await self._work(self._pool, known)
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the task is what failed
                self._end(known, "Failed", str(error) or type(error).__name__)
            else:
                self._end(known, "Succeeded")

    def _end(self, known: LocalTask[W, O], state: RemoteState, message: str = "") -> None:
        known.state = state
        known.message = message
        known.finished_s = self._clock()
        if state != "Succeeded":
            self._forget_later(known.remote_id)

    def _forget_later(self, remote_id: str) -> None:
        """Note that nobody needs to ask for a task again, and forget those noted longest ago."""
        self._done_with[remote_id] = None
        self._done_with.move_to_end(remote_id)
        while len(self._done_with) > _KEPT:
            oldest, _ = self._done_with.popitem(last=False)
            del self._known[oldest]


def _remote(known: LocalTask[W, O]) -> RemoteTask:
    return RemoteTask(remote_id=known.remote_id, state=known.state)
