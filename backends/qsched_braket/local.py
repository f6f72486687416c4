"""Braket's local simulators as a driver: no account, no network."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, field
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
    RemoteState,
    RemoteTask,
    Task,
    TaskResult,
    TaskStatus,
    Unavailable,
)
from qsched.drivers.circuits import read
from qsched.drivers.parameters import read_parameters
from qsched.drivers.workers import WorkerDiedError, WorkerPool
from qsched.errors import InvalidInput, Problem
from qsched_braket.local_simulation import Simulated, limits, prepare, simulate
from qsched_braket.programs import Program, plain_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_DEVICES = {"braket_sv": "state vector", "braket_dm": "density matrix"}
_KEPT = 256
"""Tasks that are remembered after they failed, were cancelled, or had their result fetched."""


class LocalParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the local driver.

    Attributes:
        workers: Worker processes, each simulating one task at a time; at most two, or the number of
            processors, when not said.
    """

    workers: Annotated[int, Meta(ge=1, le=1024)] | None = None


@dataclass(slots=True)
class _Entry:
    """A task and what became of it."""

    remote_id: str
    task: Task
    programs: list[Program]
    state: RemoteState = "Queued"
    message: str = ""
    started_s: float | None = None
    finished_s: float | None = None
    simulated: list[Simulated] = field(default_factory=list)
    runner: asyncio.Task[None] | None = None


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
        self._clock = clock
        self._size = it.workers or min(2, os.cpu_count() or 1)
        self._slots = asyncio.Semaphore(self._size)
        self._pool = WorkerPool(self._size, environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
        self._entries: dict[str, _Entry] = {}
        self._admitting: dict[str, asyncio.Task[None]] = {}
        self._done_with: OrderedDict[str, None] = OrderedDict()
        self._closed = False

    async def warm(self) -> None:
        """Start every worker and let it import Braket, before there is a task."""
        with contextlib.suppress(WorkerDiedError):
            await asyncio.gather(*(self._pool.call(prepare) for _ in range(self._size)))

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
        depth = sum(
            entry.task.device == device and entry.state in {"Queued", "Running"}
            for entry in self._entries.values()
        )
        return DeviceStatus(online=True, queue_depth=depth)

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
        if self._closed:
            raise Unavailable("the braket-local driver is closed")
        remote_id = f"braket-local-{token}"
        if remote_id not in self._entries:
            if remote_id not in self._admitting:
                self._admitting[remote_id] = asyncio.create_task(self._admit(remote_id, task))
            # Shielded, because a second caller with the same token may wait for it too.
            await asyncio.shield(self._admitting[remote_id])
        return _remote(self._entries[remote_id])

    async def find(self, token: str) -> RemoteTask | None:
        """A task of this process."""
        remote_id = f"braket-local-{token}"
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
        """Counts of a task that succeeded, and the seconds that the simulation took."""
        entry = self._entries.get(remote_id)
        if entry is None or entry.state != "Succeeded":
            raise NotFound(f"task {remote_id!r} has no result")
        assert entry.started_s is not None
        assert entry.finished_s is not None
        self._forget_later(remote_id)
        circuits = zip(entry.task.circuits, entry.programs, strict=True)
        return TaskResult(
            remote_id=remote_id,
            counts=tuple(each.counts for each in entry.simulated),
            shots=(entry.task.shots,) * len(entry.simulated),
            transpiled_hashes=tuple(
                circuit.transpiled_hash or hashlib.sha256(program.source.encode()).hexdigest()[:16]
                for circuit, program in circuits
            ),
            run_s=sum(each.wall_s for each in entry.simulated),
            started_at=utc(entry.started_s),
            finished_at=utc(entry.finished_s),
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

    async def _admit(self, remote_id: str, task: Task) -> None:
        try:
            programs = await asyncio.to_thread(_programs, task)
        finally:
            del self._admitting[remote_id]
        entry = self._entries[remote_id] = _Entry(remote_id, task, programs)
        entry.runner = asyncio.create_task(self._run(entry))

    async def _run(self, entry: _Entry) -> None:
        async with self._slots:
            entry.state = "Running"
            entry.started_s = self._clock()
            task = entry.task
            try:
                entry.simulated = await self._pool.call(
                    simulate, task.device, entry.programs, shots=task.shots, seed=task.seed
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


def _remote(entry: _Entry) -> RemoteTask:
    return RemoteTask(remote_id=entry.remote_id, state=entry.state)
