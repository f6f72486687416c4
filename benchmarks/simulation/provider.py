"""The simulated provider: backends that run one task after the other, first come, first served."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOREIGN = -1
"""The job number of other people's tasks."""


class Task(NamedTuple):
    """A task in a backend's queue.

    Attributes:
        job: The number of its job; ``FOREIGN`` for somebody else's.
        run_s: Seconds that it really takes.
        expected_s: Seconds that it is expected to take.
        came_s: When it came.
        ahead: How many tasks were ahead of it then.
    """

    job: int
    run_s: float
    expected_s: float
    came_s: float
    ahead: int


class Servers:
    """B backends as their providers see them; what all of them are asked for at once is kept as columns.

    Attributes:
        online: (B,) whether it is up.
        open: (B,) whether it is within its availability window.
        own: (B,) tasks of ours that wait or run.
        depth: (B,) tasks that wait or run.
        busy_s: (B,) seconds that it worked for us.
        running: The task that each runs.
        started_s: When that started.
        run: The number of each one's run, so that the end of one that was cut off is known to be stale.
    """

    def __init__(self, backends: int) -> None:
        """All are up, open and idle."""
        self.online, self.open = np.ones(backends, dtype=bool), np.ones(backends, dtype=bool)
        self.own, self.depth = np.zeros(backends, dtype=np.int32), np.zeros(backends, dtype=np.int64)
        self.busy_s = np.zeros(backends)
        self.running: list[Task | None] = [None] * backends
        self.started_s, self.run = [0.0] * backends, [0] * backends
        self._queues: list[deque[Task]] = [deque() for _ in range(backends)]
        self._expected_s = np.zeros(backends)  # of our work that waits in the queue
        self._strangers = np.zeros(backends, dtype=np.int64)  # other people's tasks that wait there
        self._until_s = np.full(backends, -np.inf)  # when the running task is expected to end

    def add(self, column: int, job: int, run_s: float, expected_s: float, now_s: float) -> None:
        """A task comes."""
        self._queues[column].append(Task(job, run_s, expected_s, now_s, int(self.depth[column])))
        self.depth[column] += 1
        self._waits(column, job, expected_s, 1)
        self.own[column] += job != FOREIGN

    def start(self, column: int, now_s: float) -> Task | None:
        """Start the next task, if the backend is free and takes tasks."""
        queue = self._queues[column]
        if not queue or self.running[column] is not None or not (self.online[column] and self.open[column]):
            return None
        task = queue.popleft()
        self.running[column], self.started_s[column] = task, now_s
        self.run[column] += 1
        self._until_s[column] = now_s + task.expected_s
        self._waits(column, task.job, task.expected_s, -1)
        return task

    def stop(self, column: int, now_s: float) -> Task:
        """The running task ends, at its own end or because the backend failed."""
        task = self.running[column]
        assert task is not None
        self.running[column] = None
        self._until_s[column] = -np.inf
        self.depth[column] -= 1
        if task.job != FOREIGN:
            self.busy_s[column] += now_s - self.started_s[column]
            self.own[column] -= 1
        return task

    def withdraw(self, column: int, job: int) -> None:
        """Take a waiting task of ours out of the queue."""
        queue = self._queues[column]
        task = next(each for each in queue if each.job == job)
        queue.remove(task)
        self.depth[column] -= 1
        self.own[column] -= 1
        self._waits(column, job, task.expected_s, -1)

    def ahead_s(self, now_s: float, stranger_s: Floats) -> Floats:
        """(B,) seconds until a task that came now would start, as expected.

        Args:
            now_s: Now.
            stranger_s: (B,) seconds that one of other people's tasks is expected to take.
        """
        waiting_s = np.maximum(self._expected_s, 0.0) + self._strangers * stranger_s
        ahead_s: Floats = waiting_s + np.maximum(self._until_s - now_s, 0.0)
        return ahead_s

    def _waits(self, column: int, job: int, expected_s: float, sign: int) -> None:
        """One task more, or less, waits in the queue."""
        if job == FOREIGN:
            self._strangers[column] += sign
        else:
            self._expected_s[column] += sign * expected_s
