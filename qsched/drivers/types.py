"""The Driver protocol and the values that cross it."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads it
from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads them
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from qsched.api.backend import Window  # noqa: TC001 - msgspec reads it
from qsched.api.job import Money  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from qsched.api.calibration import Calibration

RemoteState = Literal["Queued", "Running", "Succeeded", "Failed", "Cancelled"]


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A device that a driver can reach.

    Attributes:
        device: The name to put into a backend's ``device``.
        qubits: How many qubits it has.
        simulator: Whether no real device does the work.
        description: A line for people.
        provider: Who runs it, in lower-case words: ``ibm``, ``ionq``, ``iqm``; empty when unknown.
        location: Where it stands, such as a region; empty when unknown.
        compiles: Whether it takes circuits that were not transpiled for it.
    """

    device: str
    qubits: int
    simulator: bool
    description: str = ""
    provider: str = ""
    location: str = ""
    compiles: bool = True


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says of itself now.

    Attributes:
        online: Whether it takes tasks.
        queue_depth: Tasks that wait or run there; None when unknown.
        queue_wait_s: The provider's own prediction of the wait in seconds, for those that give one.
        message: Why it is offline, for people.
        windows: When the device takes tasks at all, if its provider says so; always when empty. They hold
            where the backend's manifest has none of its own.
    """

    online: bool
    queue_depth: int | None = None
    queue_wait_s: float | None = None
    message: str = ""
    windows: tuple[Window, ...] = ()


class TaskCircuit(msgspec.Struct, frozen=True, kw_only=True):
    """One circuit of a task, ready for the device.

    Attributes:
        name: Its name in the job.
        qpy: The circuit as QPY bytes, parameters bound; transpiled and scheduled when ``transpiled_hash``
            is set. Delays are in ``dt`` of ``qsched.api.quantities.DELAY_DT_S`` seconds.
        transpiled_hash: Content hash of the transpiled circuit, or None when the driver is to transpile.
    """

    name: str
    qpy: bytes
    transpiled_hash: str | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One submission of a job's circuits to one provider.

    Attributes:
        device: The driver's name for the device.
        circuits: What to run.
        shots: How often, each.
        calibration_id: The calibration that the circuits were transpiled for.
        seed: Makes a simulation repeatable.
        optimization_level: 0 to 3, for a driver that transpiles.
        readout_mitigation: Whether to correct readout errors.
        dynamical_decoupling: Whether to fill idle times with echo pulses.
        tags: For people who look at the provider's console.
    """

    device: str
    circuits: tuple[TaskCircuit, ...]
    shots: int
    calibration_id: str | None = None
    seed: int | None = None
    optimization_level: int = 2
    readout_mitigation: bool = False
    dynamical_decoupling: bool = False
    tags: Mapping[str, str] = {}


class RemoteTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task as the provider knows it."""

    remote_id: str
    state: RemoteState = "Queued"


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of a task.

    Attributes:
        remote_id: The provider's id.
        state: Where it is.
        message: Why it failed, for people.
        position: Place in the provider's queue, if it tells.
    """

    remote_id: str
    state: RemoteState
    message: str = ""
    position: int | None = None


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came out of a task.

    Attributes:
        remote_id: The provider's id.
        counts: One mapping a circuit, in the task's order; bit strings in Qiskit's order.
        shots: Shots done, one number a circuit.
        transpiled_hashes: Content hash of what ran, one a circuit.
        run_s: Seconds on the device, as the provider bills them; for a twin, as its device would take.
        cost: What the provider charged, if it tells.
        started_at: When the device began.
        finished_at: When it ended.
    """

    remote_id: str
    counts: tuple[Mapping[str, int], ...]
    shots: tuple[int, ...]
    transpiled_hashes: tuple[str, ...]
    run_s: float | None = None
    cost: Money | None = None
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None


@runtime_checkable
class Driver(Protocol):
    """The adapter to one provider. Methods raise only ``qsched.drivers.errors``.

    A driver is made from a backend's ``parameters`` by its entry point (``DriverFactory``), is
    used from one asyncio loop, and is closed with ``aclose``.
    """

    async def devices(self) -> Sequence[DeviceInfo]:
        """Every device that this account can reach."""
        ...

    async def status(self, device: str) -> DeviceStatus:
        """Whether the device is online, and its queue."""
        ...

    async def calibration(self, device: str) -> Calibration:
        """The newest calibration; raises ``NoCalibration`` if there is none."""
        ...

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Hand over a task; a second call with the same token gives the same remote task."""
        ...

    async def find(self, token: str) -> RemoteTask | None:
        """The task that was submitted with this token, or None; ``PartlyTaken`` if a part of it was."""
        ...

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """The status of each task that is known, in any order; unknown ids are left out."""
        ...

    async def result(self, remote_id: str) -> TaskResult:
        """The result of a task that succeeded; raises ``NotFound`` for any other."""
        ...

    async def cancel(self, remote_id: str) -> None:
        """Stop a task; one that has ended, or is unknown, is left as it is."""
        ...

    async def aclose(self) -> None:
        """Release every connection, process and thread."""
        ...


@runtime_checkable
class Warmable(Protocol):
    """A driver that can get ready before its first task; to be called beside other work."""

    async def warm(self) -> None:
        """Start what the first task would otherwise wait for."""
        ...


@runtime_checkable
class Describing(Protocol):
    """A driver with devices that ``devices`` does not list, such as files."""

    async def info(self, device: str) -> DeviceInfo:
        """What is known of such a device; raises ``NotFound`` if there is none."""
        ...


class DriverFactory(Protocol):
    """What an entry point of the group ``qsched.drivers`` names."""

    def __call__(
        self, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None = None, /
    ) -> Driver:
        """Make a driver from a backend's ``parameters``, and what its Secret holds if it names one.

        Credentials must not show in a log, an error or a ``repr``.
        """
        ...
