"""A driver for tests: a provider that remembers what it was asked and fails when told to.

The provider's memory is an SQLite database: ``:memory:`` by default, or a file, and then the provider
outlives the process that talks to it, as real providers do. A restarted engine finds its tasks there, and
a test reads every submission that ever arrived.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from qsched.api.base import Declared, Fraction
from qsched.api.quantities import utc
from qsched.drivers.errors import (
    DriverError,
    NoCalibration,
    NotFound,
    RateLimited,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from qsched.drivers.fake_calibration import line_calibration
from qsched.drivers.fake_records import Record, Records, Submission
from qsched.drivers.parameters import read_parameters
from qsched.drivers.types import DeviceInfo, DeviceStatus, RemoteTask, Task, TaskResult, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsched.api.calibration import Calibration

Call = Literal["devices", "status", "calibration", "submit", "find", "poll", "result", "cancel"]


class FakeDevice(Declared, frozen=True, kw_only=True):
    """A device of the fake provider.

    Attributes:
        name: What a backend's ``device`` says.
        qubits: How many, in a line.
        online: Whether it takes tasks.
        simulator: What ``devices`` says of it.
        queue_depth: What ``status`` says, besides this driver's own tasks; None for a silent provider.
        wait_s: Seconds that a task waits before it runs.
        run_s: Seconds that a task runs.
        two_qubit_error: Error of every two-qubit gate, from which the others follow; None for a device
            without a calibration.
    """

    name: str
    qubits: int = 5
    online: bool = True
    simulator: bool = False
    queue_depth: int | None = 0
    wait_s: float = 0.0
    run_s: float = 0.0
    two_qubit_error: Fraction | None = 0.01


class FakeParameters(Declared, frozen=True, kw_only=True):
    """What a backend's ``parameters`` may say to the fake driver.

    Attributes:
        devices: The devices of the provider.
        path: The provider's SQLite file; ``:memory:`` dies with the driver.
        latency_s: Seconds that every call takes.
        unavailable: Probability that a call raises ``Unavailable`` and does nothing.
        lost_answer: Probability that a submission is taken but its answer is lost (``Unavailable``).
        task_failure: Probability that a task ends as Failed.
        outcomes: Bit strings that share the shots of every circuit equally.
        seed: Of the three probabilities.
        key: The credential that every call needs; none when not said.
    """

    devices: tuple[FakeDevice, ...] = (FakeDevice(name="fake"),)
    path: str = ":memory:"
    latency_s: float = 0.0
    unavailable: Fraction = 0.0
    lost_answer: Fraction = 0.0
    task_failure: Fraction = 0.0
    outcomes: tuple[str, ...] = ("00", "11")
    seed: int = 0
    key: str | None = None


@dataclass(slots=True)
class _Fault:
    error: DriverError
    times: int
    after: bool


class FakeDriver:
    """A provider in a test's hands.

    Attributes:
        calls: How often each method was called, failures included.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | FakeParameters | None = None,
        credentials: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the provider, or connect to the one that its file holds.

        Args:
            parameters: ``FakeParameters``, or the same as a manifest has it.
            credentials: What a Secret holds; its ``key`` must be that of the parameters, if they have one.
            clock: Unix time in seconds; tells when tasks start and end.

        Raises:
            InvalidInput: If the parameters are wrong.
        """
        if not isinstance(parameters, FakeParameters):
            parameters = read_parameters(parameters or {}, FakeParameters, driver="fake")
        self.calls: Counter[Call] = Counter()
        self._parameters = parameters
        self._clock = clock
        self._random = random.Random(parameters.seed)  # noqa: S311 - faults, not secrets
        self._records = Records(parameters.path)
        self._refused = parameters.key is not None and (credentials or {}).get("key") != parameters.key
        self._closed = False
        self._rests_until = float("-inf")
        self._shots_factor = 1.0
        self._faults: dict[Call, list[_Fault]] = {}
        self._open: dict[Call, asyncio.Event] = {}
        self._devices = {device.name: device for device in parameters.devices}
        self._calibrations: dict[str, Calibration] = {}
        for name in self._devices:
            self.recalibrate(name)

    # What a test does to the provider.

    def fail(self, call: Call, error: DriverError, *, times: int = 1, after: bool = False) -> None:
        """Let the next calls of a method fail.

        Args:
            call: The method.
            error: What it raises.
            times: How many calls fail.
            after: Whether the call is carried out first, so that only its answer is lost.
        """
        self._faults.setdefault(call, []).append(_Fault(error, times, after))

    def heal(self) -> None:
        """Let no call fail any more."""
        self._faults.clear()

    def rest(self, seconds: float) -> None:
        """Ask for patience: until the time is over, every call raises ``RateLimited`` and does not count."""
        self._rests_until = self._clock() + seconds

    def miscount(self, factor: float) -> None:
        """Let results have so many times the shots that were asked for."""
        self._shots_factor = factor

    def hold(self, call: Call) -> asyncio.Event:
        """Let calls of a method wait until the returned event is set."""
        return self._open.setdefault(call, asyncio.Event())

    def change(self, name: str, **changes: Any) -> None:
        """Replace fields of a device: ``change("fake", queue_depth=40)``."""
        self._devices[name] = msgspec.structs.replace(self._devices[name], **changes)

    def set_online(self, name: str, online: bool) -> None:  # noqa: FBT001 - it is the value
        """Take a device down, or bring it back."""
        self.change(name, online=online)

    def recalibrate(self, name: str, calibration: Calibration | None = None, **changes: Any) -> None:
        """Calibrate a device now: with its fields, after ``changes`` to them, or as given."""
        self.change(name, **changes)
        device = self._devices[name]
        self._calibrations.pop(name, None)
        if calibration is not None:
            self._calibrations[name] = calibration
        elif device.two_qubit_error is not None:
            self._calibrations[name] = line_calibration(
                name, device.qubits, two_qubit_error=device.two_qubit_error, taken_at=utc(self._clock())
            )

    def submissions(self) -> list[Submission]:
        """Every submission that the provider ever received, repeated tokens included, oldest first."""
        return self._records.submissions()

    # The driver protocol.

    async def devices(self) -> Sequence[DeviceInfo]:
        """Every device."""
        await self._begin("devices")
        return [
            DeviceInfo(device=d.name, qubits=d.qubits, simulator=d.simulator, description="a fake for tests")
            for d in self._devices.values()
        ]

    async def status(self, device: str) -> DeviceStatus:
        """The device's fields, its queue lengthened by the unfinished tasks of this provider."""
        await self._begin("status")
        it = self._device(device)
        depth = it.queue_depth
        if depth is not None:
            depth += self._records.unfinished(device, self._clock())
        message = "" if it.online else f"{device} is offline"
        return DeviceStatus(online=it.online, queue_depth=depth, message=message)

    async def calibration(self, device: str) -> Calibration:
        """The calibration last made."""
        await self._begin("calibration")
        self._device(device)
        if device not in self._calibrations:
            raise NoCalibration(f"fake device {device!r} is not calibrated")
        return self._calibrations[device]

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Record the submission; the task is new only if the token is."""
        await self._begin("submit")
        device = self._device(task.device)
        if not device.online and self._records.get(f"fake-{token}") is None:
            raise Unavailable(f"fake device {device.name!r} is offline")
        if not task.circuits:
            raise Rejected("the task has no circuit; give it at least one")
        now = self._clock()
        start_s = now + device.wait_s
        record = Record(
            remote_id=f"fake-{token}",
            device=device.name,
            shots=task.shots,
            hashes=tuple(c.transpiled_hash or f"as-given-{c.name}" for c in task.circuits),
            start_s=start_s,
            end_s=start_s + device.run_s,
            cancelled_s=None,
            failure="the fake provider failed it" if self._chance(self._parameters.task_failure) else "",
        )
        self._records.submit(record, token, now, task.tags)
        if self._chance(self._parameters.lost_answer):
            raise Unavailable("the fake provider's answer was lost")
        self._end("submit")
        return self._remote(self._records.get(record.remote_id) or record)

    async def find(self, token: str) -> RemoteTask | None:
        """The task of a token."""
        await self._begin("find")
        record = self._records.get(f"fake-{token}")
        self._end("find")
        return self._remote(record) if record else None

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Statuses as of the clock."""
        await self._begin("poll")
        now = self._clock()
        found = [
            TaskStatus(remote_id=record.remote_id, state=record.state(now), message=record.failure)
            for record in map(self._records.get, ids)
            if record
        ]
        self._end("poll")
        return found

    async def result(self, remote_id: str) -> TaskResult:
        """Counts that follow from the parameters alone."""
        await self._begin("result")
        record = self._records.get(remote_id)
        if record is None or record.state(self._clock()) != "Succeeded":
            raise NotFound(f"task {remote_id!r} has no result")
        self._end("result")
        shots = int(record.shots * self._shots_factor)
        counts = _share(shots, self._parameters.outcomes)
        return TaskResult(
            remote_id=remote_id,
            counts=(counts,) * len(record.hashes),
            shots=(shots,) * len(record.hashes),
            transpiled_hashes=record.hashes,
            run_s=record.end_s - record.start_s,
            started_at=utc(record.start_s),
            finished_at=utc(record.end_s),
        )

    async def cancel(self, remote_id: str) -> None:
        """End an unfinished task now."""
        await self._begin("cancel")
        record = self._records.get(remote_id)
        now = self._clock()
        if record is not None and record.state(now) in {"Queued", "Running"}:
            self._records.cancel(remote_id, now)
        self._end("cancel")

    async def aclose(self) -> None:
        """Close the database; a file keeps what it holds."""
        self._closed = True
        self._records.close()

    def _device(self, name: str) -> FakeDevice:
        if name not in self._devices:
            raise NotFound(f"the fake provider has no device {name!r}; it has {', '.join(self._devices)}")
        return self._devices[name]

    def _remote(self, record: Record) -> RemoteTask:
        return RemoteTask(remote_id=record.remote_id, state=record.state(self._clock()))

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability

    async def _begin(self, call: Call) -> None:
        left_s = self._rests_until - self._clock()
        if left_s > 0:
            raise RateLimited(f"the fake provider asked for patience for {left_s:.1f} s more", left_s)
        self.calls[call] += 1
        if self._closed:
            raise Unavailable("the fake driver is closed")
        if self._parameters.latency_s:
            await asyncio.sleep(self._parameters.latency_s)
        if call in self._open:
            await self._open[call].wait()
        if self._refused:
            raise Unauthenticated("the fake provider does not know this credential")
        self._raise(call, after=False)
        if self._chance(self._parameters.unavailable):
            raise Unavailable(f"the fake provider did not answer {call}")

    def _end(self, call: Call) -> None:
        self._raise(call, after=True)

    def _raise(self, call: Call, *, after: bool) -> None:
        faults = self._faults.get(call)
        if faults and faults[0].after == after:
            faults[0].times -= 1
            error = faults[0].error
            if faults[0].times == 0:
                del faults[0]
            raise error


def _share(shots: int, outcomes: Sequence[str]) -> dict[str, int]:
    each, rest = divmod(shots, len(outcomes))
    counts = {outcome: each + (index < rest) for index, outcome in enumerate(outcomes)}
    return {outcome: count for outcome, count in counts.items() if count}
