"""The Aer driver: twins and an ideal simulator, in worker processes."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qsched.drivers import DeviceStatus, RemoteTask, Task, TaskResult, TaskStatus
from qsched.drivers.local_tasks import LocalTask, LocalTasks
from qsched.drivers.parameters import read_parameters
from qsched_aer.admission import Work, admit, task_result
from qsched_aer.catalog import AerDevices, device_calibration
from qsched_aer.parameters import AerParameters, refuse_credentials
from qsched_aer.simulate import Limits, Simulated, prepare, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsched.drivers.workers import WorkerPool

if find_spec("qiskit_aer") is None:
    raise ModuleNotFoundError("the package qiskit-aer is not installed", name="qiskit_aer")


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
        self._limits = Limits(threads=it.thread_count(processors), memory_mb=it.memory_mb)
        # Aer's own threads are set by an option; the variables keep other libraries from starting theirs.
        self._tasks: LocalTasks[Work, list[Simulated]] = LocalTasks(
            "aer",
            size=it.worker_count(processors),
            threads=self._limits.threads,
            admit=partial(admit, memory_mb=it.memory_mb),
            run=self._run,
            clock=clock,
        )

    async def warm(self) -> None:
        """Start every worker and let it import Aer, before there is a task."""
        await self._tasks.warm(prepare)

    async def status(self, device: str) -> DeviceStatus:
        """Always online; the queue is this driver's own tasks for the device."""
        await asyncio.to_thread(device_calibration, device)
        return DeviceStatus(online=True, queue_depth=self._tasks.depth(device))

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
        return await self._tasks.submit(task, token)

    async def find(self, token: str) -> RemoteTask | None:
        """A task of this process."""
        return await self._tasks.find(token)

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where tasks are now."""
        return self._tasks.poll(ids)

    async def result(self, remote_id: str) -> TaskResult:
        """Counts of a task that succeeded, and the time that the device itself would have taken."""
        it = self._tasks.succeeded(remote_id)
        assert it.outcome is not None
        assert it.started_s is not None
        assert it.finished_s is not None
        return task_result(
            remote_id,
            it.outcome,
            shots=it.work.shots,
            hashes=it.work.hashes,
            device_s=it.work.device_s,
            started_s=it.started_s,
            finished_s=it.finished_s,
        )

    async def cancel(self, remote_id: str) -> None:
        """Stop a task; the worker that runs it is killed, and another takes its place when needed."""
        await self._tasks.cancel(remote_id)

    async def aclose(self) -> None:
        """Cancel every task and kill every worker."""
        await self._tasks.aclose()

    async def _run(self, pool: WorkerPool, it: LocalTask[Work, list[Simulated]]) -> list[Simulated]:
        return await pool.call(
            simulate,
            it.work.orders,
            shots=it.work.shots,
            seed=it.work.seed,
            calibration=it.work.calibration,
            limits=self._limits,
        )
