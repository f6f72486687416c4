"""Braket's local simulators as a driver: no account, no network."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from qsched.api.base import Declared
from qsched.api.quantities import utc
from qsched.drivers import (
    Calibration,
    DeviceInfo,
    DeviceStatus,
    NoCalibration,
    NotFound,
    Rejected,
    RemoteTask,
    Task,
    TaskResult,
    TaskStatus,
)
from qsched.drivers.circuits import read
from qsched.drivers.local_tasks import LocalTask, LocalTasks
from qsched.drivers.parameters import read_parameters
from qsched.errors import InvalidInput, Problem
from qsched_braket.local_simulation import Simulated, limits, prepare, simulate
from qsched_braket.programs import Program, plain_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsched.drivers.workers import WorkerPool

_DEVICES = {"braket_sv": "state vector", "braket_dm": "density matrix"}


class LocalParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the local driver.

    Attributes:
        workers: Worker processes, each simulating one task at a time; at most two, or the number of
            processors, when not said.
    """

    workers: Annotated[int, Meta(ge=1, le=1024)] | None = None


class LocalBraketDriver:
    """Braket's local simulators ``braket_sv`` and ``braket_dm``, without noise.

    Tasks live in this driver and its worker processes only, and end with it: after a restart ``find`` knows
    none of them.
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
            parameters: A backend's ``parameters``: see ``LocalParameters``.
            credentials: Refused: a simulation needs none.
            clock: Unix time in seconds.

        Raises:
            InvalidInput: If the parameters are wrong.
        """
        if credentials:
            message = "the braket-local driver needs no credentials; remove it"
            raise InvalidInput(Problem("spec.credentialsSecretRef", message))
        it = read_parameters(parameters or {}, LocalParameters, driver="braket-local")
        self._tasks: LocalTasks[list[Program], list[Simulated]] = LocalTasks(
            "braket-local",
            size=it.workers or min(2, os.cpu_count() or 1),
            threads=1,
            admit=_programs,
            run=_run,
            clock=clock,
        )

    async def warm(self) -> None:
        """Start every worker and let it import Braket, before there is a task."""
        await self._tasks.warm(prepare)

    async def devices(self) -> Sequence[DeviceInfo]:
        """The simulators."""
        return [
            DeviceInfo(
                device=name,
                qubits=(await asyncio.to_thread(limits, name))[0],
                simulator=True,
                description=f"Amazon Braket's local {words} simulator",
                provider="amazon",
            )
            for name, words in _DEVICES.items()
        ]

    async def status(self, device: str) -> DeviceStatus:
        """Always online; the queue is this driver's own tasks for the device."""
        _known(device)
        return DeviceStatus(online=True, queue_depth=self._tasks.depth(device))

    async def calibration(self, device: str) -> Calibration:
        """There is none."""
        _known(device)
        raise NoCalibration(f"{device} is a simulator without noise, and has no calibration")

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Queue a task for the next free worker.

        Raises:
            Rejected: If a circuit is dynamic, or has more qubits than the simulator takes.
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
        """Counts of a task that succeeded, and the seconds that the simulation took."""
        it = self._tasks.succeeded(remote_id)
        assert it.outcome is not None
        assert it.started_s is not None
        assert it.finished_s is not None
        circuits = zip(it.task.circuits, it.work, strict=True)
        return TaskResult(
            remote_id=remote_id,
            counts=tuple(each.counts for each in it.outcome),
            shots=(it.task.shots,) * len(it.outcome),
            transpiled_hashes=tuple(
                circuit.transpiled_hash or hashlib.sha256(program.source.encode()).hexdigest()[:16]
                for circuit, program in circuits
            ),
            run_s=sum(each.wall_s for each in it.outcome),
            started_at=utc(it.started_s),
            finished_at=utc(it.finished_s),
        )

    async def cancel(self, remote_id: str) -> None:
        """Stop a task; the worker that runs it is killed, and another takes its place when needed."""
        await self._tasks.cancel(remote_id)

    async def aclose(self) -> None:
        """Cancel every task and kill every worker."""
        await self._tasks.aclose()


async def _run(pool: WorkerPool, it: LocalTask[list[Program], list[Simulated]]) -> list[Simulated]:
    return await pool.call(simulate, it.task.device, it.work, shots=it.task.shots, seed=it.task.seed)


def _programs(task: Task) -> list[Program]:
    """The programs of a task, if the simulator takes them."""
    _known(task.device)
    if not task.circuits:
        raise Rejected("the task has no circuit; give it at least one")
    if task.readout_mitigation:
        raise Rejected(
            "the simulator has no readout errors to mitigate; leave execution.readoutMitigation away"
        )
    most, operations = limits(task.device)
    programs = []
    for each in task.circuits:
        program = plain_program(each.name, read(each.name, each.qpy), operations)
        if program.qubits > most:
            raise Rejected(f"circuit {each.name!r} has {program.qubits} qubits; {task.device} takes {most}")
        programs.append(program)
    return programs


def _known(device: str) -> None:
    if device not in _DEVICES:
        raise NotFound(f"there is no local Braket simulator {device!r}; there are {' and '.join(_DEVICES)}")
