"""The simulated provider: backends that run one task after the other, first come, first served."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

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


@dataclass
class Server:
    """One backend as its provider sees it.

    Attributes:
        queue: The tasks that wait.
        running: The task that runs.
        started_s: When it started.
        run: The number of the run, so that the end of one that was cut off is known to be stale.
        online: Whether it is up.
        open: Whether it is within its availability window.
        own: Tasks of ours that wait or run.
        busy_s: Seconds that it worked for us.
        foreign_s: Seconds that it worked for others.
        expected_s: Seconds of our work that wait in the queue, as expected.
    """

    queue: deque[Task] = field(default_factory=deque)
    running: Task | None = None
    started_s: float = 0.0
    run: int = 0
    online: bool = True
    open: bool = True
    own: int = 0
    busy_s: float = 0.0
    foreign_s: float = 0.0
    expected_s: float = 0.0

    @property
    def depth(self) -> int:
        """Tasks that wait or run."""
        return len(self.queue) + (self.running is not None)

    def add(self, job: int, run_s: float, expected_s: float, now_s: float) -> None:
        """A task comes."""
        self.queue.append(Task(job, run_s, expected_s, now_s, self.depth))
        if job != FOREIGN:
            self.own += 1
            self.expected_s += expected_s

    def start(self, now_s: float) -> Task | None:
        """Start the next task, if the backend is free and takes tasks."""
        if self.running is not None or not self.queue or not (self.online and self.open):
            return None
        task = self.queue.popleft()
        self.running, self.started_s = task, now_s
        self.run += 1
        if task.job != FOREIGN:
            self.expected_s -= task.expected_s
        return task

    def stop(self, now_s: float) -> Task:
        """The running task ends, at its own end or because the backend failed."""
        task, spent_s = self.running, now_s - self.started_s
        assert task is not None
        self.running = None
        if task.job == FOREIGN:
            self.foreign_s += spent_s
        else:
            self.busy_s += spent_s
            self.own -= 1
        return task

    def withdraw(self, job: int) -> None:
        """Take a waiting task of ours out of the queue."""
        task = next(each for each in self.queue if each.job == job)
        self.queue.remove(task)
        self.own -= 1
        self.expected_s -= task.expected_s

    def ahead_s(self, now_s: float, foreign_service_s: float) -> float:
        """Seconds until a task that came now would start, as expected."""
        own = self.own - (self.running is not None and self.running.job != FOREIGN)
        wait_s = self.expected_s + (len(self.queue) - own) * foreign_service_s
        if self.running is not None:
            wait_s += max(self.started_s + self.running.expected_s - now_s, 0.0)
        return max(wait_s, 0.0)
