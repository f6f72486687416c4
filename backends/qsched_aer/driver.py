"""The Aer driver: tasks, their workers, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qsched.drivers import (
    DeviceStatus,
    NotFound,
    RemoteState,
    RemoteTask,
    Task,
    TaskResult,
    TaskStatus,
    Unavailable,
)
from qsched.drivers.parameters import read_parameters
from qsched.drivers.workers import WorkerDiedError, WorkerPool
from qsched_aer.admission import Work, admit, task_result
from qsched_aer.catalog import AerDevices, device_calibration
from qsched_aer.parameters import AerParameters, refuse_credentials
from qsched_aer.simulate import Limits, Simulated, prepare, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

if find_spec("qiskit_aer") is None:
    raise ModuleNotFoundError("the package qiskit-aer is not installed", name="qiskit_aer")

_KEPT = 256
"""Tasks that are remembered after they failed, were cancelled, or had their result fetched."""


@dataclass(slots=True)
class _Entry:
    """A task and what became of it."""

    remote_id: str
    task: Task
    work: Work
    state: RemoteState = "Queued"
    message: str = ""
    started_s: float | None = None
    finished_s: float | None = None
    simulated: list[Simulated] = field(default_factory=list)
    runner: asyncio.Task[None] | None = None


class AerDriver(AerDevices):
    """Twins of calibrated devices, and an ideal simulator.

    Tasks live in this driver and its worker processes only. When the engine dies its tasks die with it:
    after a restart ``find`` knows none of them, so they are submitted again and no task is ever run twice
    at once.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start nothing yet; workers start with the first task, or with ``warm``.

        Args:
            parameters: A backend's ``parameters``: see ``AerParameters``.
            credentials: Refused: a simulation needs none.
            clock: Unix time in seconds.

        Raises:
            InvalidInput: If the parameters are wrong.
        """
        refuse_credentials(credentials)
        it = read_parameters(parameters or {}, AerParameters, driver="aer")
        processors = os.cpu_count() or 1
        self._clock = clock
        self._limits = Limits(threads=it.thread_count(processors), memory_mb=it.memory_mb)
        self._size = it.worker_count(processors)
        self._slots = asyncio.Semaphore(self._size)
        # Aer's own threads are set by an option; this keeps other libraries from starting theirs.
        threads = str(self._limits.threads)
        self._pool = WorkerPool(
            self._size, environment={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        )
        self._entries: dict[str, _Entry] = {}
        self._admitting: dict[str, asyncio.Task[_Entry]] = {}
        self._done_with: OrderedDict[str, None] = OrderedDict()
        self._closed = False

    async def warm(self) -> None:
        """Start every worker and let it import Aer, before there is a task."""
        with contextlib.suppress(WorkerDiedError):
            await asyncio.gather(*(self._pool.call(prepare) for _ in range(self._size)))

    async def status(self, device: str) -> DeviceStatus:
        """Always online; the queue is this driver's own tasks for the device."""
        await asyncio.to_thread(device_calibration, device)
        depth = sum(
            entry.task.device == device and entry.state in {"Queued", "Running"}
            for entry in self._entries.values()
        )
        return DeviceStatus(online=True, queue_depth=depth)

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Admit a task and queue it for the next free worker.

        A twin takes circuits that are transpiled for its device. The ideal simulator takes any, and has no
        readout errors to mitigate.

        Raises:
            Rejected: If a circuit uses a gate or coupler that the device has not, or fits no memory, or
                readout mitigation is asked for and impossible, as for a dynamic circuit.
            NotFound: If there is no such device.
            Unavailable: If the driver is closed.
        """
        if self._closed:
            raise Unavailable("the Aer driver is closed")
        remote_id = f"aer-{token}"
        if remote_id not in self._entries:
            if remote_id not in self._admitting:
                self._admitting[remote_id] = asyncio.create_task(self._admit(remote_id, task))
            # Shielded, because a second caller with the same token may wait for it too.
            await asyncio.shield(self._admitting[remote_id])
        return _remote(self._entries[remote_id])

    async def find(self, token: str) -> RemoteTask | None:
        """A task of this process."""
        remote_id = f"aer-{token}"
        if remote_id in self._admitting:
            await asyncio.wait([self._admitting[remote_id]])
        entry = self._entries.get(remote_id)
        return _remote(entry) if entry else None

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where tasks are now."""
        return [
            TaskStatus(remote_id=remote_id, state=entry.state, message=entry.message)
            for remote_id in ids
            if (entry := self._entries.get(remote_id))
        ]

    async def result(self, remote_id: str) -> TaskResult:
        """Counts of a task that succeeded, and the time that the device itself would have taken."""
        entry = self._entries.get(remote_id)
        if entry is None or entry.state != "Succeeded":
            raise NotFound(f"task {remote_id!r} has no result")
        assert entry.started_s is not None
        assert entry.finished_s is not None
        self._forget_later(remote_id)
        return task_result(
            remote_id,
            entry.simulated,
            shots=entry.work.shots,
            hashes=entry.work.hashes,
            device_s=entry.work.device_s,
            started_s=entry.started_s,
            finished_s=entry.finished_s,
        )

    async def cancel(self, remote_id: str) -> None:
        """Stop a task; the worker that runs it is killed, and another takes its place when needed."""
        entry = self._entries.get(remote_id)
        if entry is None or entry.runner is None or entry.state not in {"Queued", "Running"}:
            return
        self._end(entry, "Cancelled")
        entry.runner.cancel()
        await asyncio.wait([entry.runner])

    async def aclose(self) -> None:
        """Cancel every task and kill every worker."""
        self._closed = True
        for admitting in self._admitting.values():
            admitting.cancel()
        await asyncio.gather(*self._admitting.values(), return_exceptions=True)
        await asyncio.gather(*(self.cancel(remote_id) for remote_id in list(self._entries)))
        await self._pool.aclose()

    async def _admit(self, remote_id: str, task: Task) -> _Entry:
        try:
            work = await asyncio.to_thread(admit, task, self._limits.memory_mb)
        finally:
            del self._admitting[remote_id]
        entry = _Entry(remote_id, task, work)
        self._entries[remote_id] = entry
        entry.runner = asyncio.create_task(self._run(entry))
        return entry

    async def _run(self, entry: _Entry) -> None:
        async with self._slots:
            entry.state = "Running"
            entry.started_s = self._clock()
            try:
                entry.simulated = await self._pool.call(
                    simulate,
                    entry.work.orders,
                    shots=entry.work.shots,
                    seed=entry.work.seed,
                    calibration=entry.work.calibration,
                    limits=self._limits,
                )
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the task is what failed
                self._end(entry, "Failed", str(error) or type(error).__name__)
            else:
                self._end(entry, "Succeeded")

    def _end(self, entry: _Entry, state: RemoteState, message: str = "") -> None:
        entry.state = state
        entry.message = message
        entry.finished_s = self._clock()
        if state != "Succeeded":
            self._forget_later(entry.remote_id)

    def _forget_later(self, remote_id: str) -> None:
        """Note that nobody needs to ask for a task again, and forget those noted longest ago."""
        self._done_with[remote_id] = None
        self._done_with.move_to_end(remote_id)
        while len(self._done_with) > _KEPT:
            oldest, _ = self._done_with.popitem(last=False)
            del self._entries[oldest]


def _remote(entry: _Entry) -> RemoteTask:
    return RemoteTask(remote_id=entry.remote_id, state=entry.state)
