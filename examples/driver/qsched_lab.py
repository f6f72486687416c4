"""The driver of a laboratory that takes orders through a folder; ``lab_folder`` is its client library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from lab_folder import End, LabFolder, Order

from qsched import drivers
from qsched.api.calibration_file import load_calibration
from qsched.drivers import DeviceInfo, DeviceStatus, RemoteState, RemoteTask, Task, TaskResult, TaskStatus
from qsched.drivers.blocking import Blocking
from qsched.drivers.circuits import read
from qsched.drivers.parameters import read_parameters
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATES: dict[str, RemoteState] = {
    "waiting": "Queued",
    "running": "Running",
    "done": "Succeeded",
    "failed": "Failed",
    "stopped": "Cancelled",
}


class LabParameters(msgspec.Struct, frozen=True):
    """What a backend's ``parameters`` hold: the path of the folder."""

    folder: str


class LabDriver:
    """All that it knows is in the folder: one that starts anew goes on where the last one was."""

    def __init__(self, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None = None) -> None:
        if credentials:
            raise InvalidInput("the driver 'lab' takes no credentials: who may open the folder may order")
        self._lab = LabFolder(read_parameters(parameters, LabParameters, driver="lab").folder)
        self._threads = Blocking("lab", limit=4, translate=translate)

    async def devices(self) -> Sequence[DeviceInfo]:
        """Every device that has a calibration file."""
        found = await self._threads.call(lambda: [*map(load_calibration, self._lab.devices().values())])
        return [DeviceInfo(device=it.device, qubits=it.qubits, simulator=False) for it in found]

    async def status(self, device: str) -> DeviceStatus:
        """Whether it is closed, and how many orders are open."""
        return await self._threads.call(self._status, device)

    async def calibration(self, device: str) -> drivers.Calibration:
        """What is in the device's file."""
        return await self._threads.call(self._calibration, device)

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Order under a name that follows from the token: the second order of a name is none."""
        return await self._threads.call(self._submit, task, name_of(token))

    async def find(self, token: str) -> RemoteTask | None:
        """The order of that name."""
        known = await self.poll([name_of(token)])
        return RemoteTask(remote_id=known[0].remote_id, state=known[0].state) if known else None

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where each order is."""
        ends = await self._threads.call(lambda: [(name, self._lab.end(name)) for name in ids])
        return [status_of(name, end) for name, end in ends if end is not None]

    async def result(self, remote_id: str) -> TaskResult:
        """What the laboratory counted."""
        return await self._threads.call(self._result, remote_id)

    async def cancel(self, remote_id: str) -> None:
        """End the order; the laboratory looks now and then whether somebody did."""
        if await self.poll([remote_id]):
            await self._threads.call(self._lab.finish, remote_id, End(state="stopped"))

    async def aclose(self) -> None:
        """End the threads; what was ordered goes on."""
        await self._threads.aclose()

    def _calibration(self, device: str) -> drivers.Calibration:
        if device not in (files := self._lab.devices()):
            raise drivers.NotFound(f"the laboratory has no device {device!r}; it has {', '.join(files)}")
        return load_calibration(files[device])

    def _status(self, device: str) -> DeviceStatus:
        self._calibration(device)
        why, depth = self._lab.why_offline(device), len(self._lab.open_orders(device))
        return DeviceStatus(online=why is None, queue_depth=depth, message=why or "")

    def _submit(self, task: Task, name: str) -> RemoteTask:
        if self._lab.end(name) is None:
            self._lab.put(name, order_of(task, self._calibration(task.device).qubits))
        return RemoteTask(remote_id=name)

    def _result(self, name: str) -> TaskResult:
        end = self._lab.end(name)
        if end is None or end.state != "done":
            raise drivers.NotFound(f"the laboratory has no counts of {name!r}")
        return TaskResult(
            remote_id=name,
            counts=end.counts,
            shots=tuple(sum(counts.values()) for counts in end.counts),
            transpiled_hashes=self._lab.order(name).notes,
            started_at=end.started_at,
            finished_at=end.finished_at,
        )


def name_of(token: str) -> str:
    """A name that any file system takes."""
    return f"qsched-{quote(token, safe='')}"


def order_of(task: Task, qubits: int) -> Order:
    """A task as the laboratory takes it; refused where that can be known beforehand."""
    for it in task.circuits:
        if (width := read(it.name, it.qpy).num_qubits) > qubits:
            raise drivers.Rejected(f"circuit {it.name!r} has {width} qubits; {task.device} has {qubits}")
    circuits, notes = [it.qpy for it in task.circuits], [it.transpiled_hash or "" for it in task.circuits]
    return Order(device=task.device, shots=task.shots, circuits=tuple(circuits), notes=tuple(notes))


def status_of(name: str, end: End) -> TaskStatus:
    """An order's end in qsched's words; a word that is new to us is no end."""
    return TaskStatus(remote_id=name, state=STATES.get(end.state, "Running"), message=end.message)


def translate(error: Exception) -> drivers.DriverError:
    """The driver's error for what became of opening a file."""
    if isinstance(error, PermissionError):
        return drivers.Unauthenticated(f"qsched may not use the laboratory's folder: {error}")
    if isinstance(error, InvalidInput):
        return drivers.NoCalibration(str(error))
    return drivers.Unavailable(f"the laboratory's folder does not answer: {error}")
