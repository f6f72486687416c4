"""The devices of an emulated cloud: queues, outages, calibrations, and an Aer twin that does the work."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from qsched.circuits.qpy import to_qpy
from qsched.circuits.transpile import transpile
from qsched.drivers import Rejected
from qsched.fleet.target import to_target
from qsched_aer.circuits import unroll
from qsched_aer.methods import choose_method
from qsched_aer.properties import properties
from qsched_aer.simulate import Limits, Order, simulate
from qsched_aer.survey import survey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qiskit import QuantumCircuit

    from qsched.api.calibration import Calibration

State = Literal["Queued", "Running", "Succeeded", "Failed", "Cancelled"]

ENDED: frozenset[State] = frozenset({"Succeeded", "Failed", "Cancelled"})
_MEMORY_MB = 2048
_THREADS = 2
_COMPILER = threading.Lock()
"""Qiskit's pass managers, of which one is kept for each target, are not made for several threads at once."""


@dataclass
class Device:
    """One device of an emulated cloud.

    Attributes:
        name: As the cloud calls it.
        calibration: What its twin imitates; None for an ideal simulator.
        qubits: How many it has.
        wait_s: Seconds that each task waits at the head of the queue.
        run_s: Seconds that each task takes at least.
        slots: Tasks that run at once.
        online: Whether it runs tasks; while it does not, they wait.
        queue: Tasks of other people, which are told of and never end.
        failing: Whether tasks end as failed.
    """

    name: str
    calibration: Calibration | None
    qubits: int
    wait_s: float = 0.0
    run_s: float = 0.05
    slots: int = 4
    online: bool = True
    queue: int = 0
    failing: bool = False


@dataclass
class Disturbance:
    """What is wrong with tasks and results, until it is changed.

    Attributes:
        result_late_s: Seconds after its end at which a task's result is there.
        shots_factor: What share of the shots a result has: .9 loses some, 2 has them twice.
        listed_late_s: Seconds after a task was made at which lists of tasks have it, where they are read from
            a copy.
        used_up: Whether the account has no time left, where it has a limit.
        strange_state: A state that no client knows, told of tasks that have not ended; none when empty.
    """

    result_late_s: float = 0.0
    shots_factor: float = 1.0
    listed_late_s: float = 0.0
    used_up: bool = False
    strange_state: str = ""


@dataclass
class Record:
    """A task as the cloud knows it.

    Attributes:
        id: The cloud's name for it.
        key: What the client sent to have it made once, or to find it by.
        device: The device's name.
        shots: How many were asked for.
        tags: What the client attached.
        kept: Whatever the emulator keeps with it.
        counts: One mapping a circuit once it has run, in Qiskit's keys.
        charge: What it costs, in the maker's currency, as a decimal text; empty when the cloud does not tell.
    """

    id: str
    key: str
    device: str
    shots: int
    tags: Mapping[str, str] | Sequence[str]
    kept: Any
    created: dt.datetime
    state: State = "Queued"
    message: str = ""
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    counts: list[dict[str, int]] | None = None
    charge: str = ""
    runner: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED


class Cloud:
    """Devices and the tasks on them; lives in one asyncio loop."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._initial = [replace(device) for device in devices]
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="twin")
        self.records: dict[str, Record] = {}
        self.reset_state()

    def reset_state(self) -> None:
        """Devices as they were at the start, and no tasks; those that run are ended."""
        for record in self.records.values():
            if record.runner is not None:
                record.runner.cancel()
        self.devices = {device.name: replace(device) for device in self._initial}
        self.records = {}
        self.disturbance = Disturbance()
        self._changed = asyncio.Event()
        self._running: dict[str, int] = dict.fromkeys(self.devices, 0)

    def submit(
        self,
        device: str,
        circuits: Sequence[QuantumCircuit],
        *,
        shots: int,
        key: str,
        native: bool,
        tags: Mapping[str, str] | Sequence[str] = (),
        kept: Any = None,
        task_id: str | None = None,
    ) -> Record:
        """Take a task; whether a key makes one task only is the emulator's to decide.

        Args:
            device: One of ``devices``.
            circuits: What to run.
            shots: How often, each.
            key: The client's token, or what else identifies the task for people who count.
            native: Whether the circuits are on the device's qubits and in its gates; else they are compiled.
            tags: What the client attached.
            kept: Whatever the emulator wants to keep with it.
            task_id: The task's name; a new one when not said.
        """
        record = Record(
            id=task_id or uuid.uuid4().hex,
            key=key,
            device=device,
            shots=shots,
            tags=tags,
            kept=kept,
            created=now(),
        )
        self.records[record.id] = record
        record.runner = asyncio.create_task(self._run(record, tuple(circuits), native))
        return record

    def cancel(self, task_id: str) -> bool:
        """End a task that has not ended; whether there was one."""
        record = self.records.get(task_id)
        if record is None or record.done:
            return False
        self._end(record, "Cancelled")
        if record.runner is not None:
            record.runner.cancel()
        return True

    def waiting(self, device: str) -> int:
        """Tasks that wait or run on a device, other people's too."""
        own = sum(record.device == device and not record.done for record in self.records.values())
        return self.devices[device].queue + own

    def change(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change a device; ``recalibrate`` true gives it new, slightly worse figures, taken now."""
        changes = dict(changes)
        device = self.devices[name]
        if changes.pop("recalibrate", False) and device.calibration is not None:
            device.calibration = _recalibrated(device.calibration)
        self.devices[name] = replace(device, **changes)
        self.wake()

    def wake(self) -> None:
        """Let tasks that wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def result_is_there(self, record: Record) -> bool:
        """Whether the result of a task that succeeded can be read by now."""
        late = dt.timedelta(seconds=self.disturbance.result_late_s)
        return record.state == "Succeeded" and record.ended is not None and now() >= record.ended + late

    def counts(self, record: Record) -> list[dict[str, int]]:
        """The counts of a task that succeeded, disturbed as told."""
        factor = self.disturbance.shots_factor
        assert record.counts is not None
        if factor == 1.0:
            return record.counts
        return [{key: int(count * factor) for key, count in each.items()} for each in record.counts]

    async def aclose(self) -> None:
        """End every task."""
        runners = [each.runner for each in self.records.values() if each.runner is not None]
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, record: Record, circuits: tuple[QuantumCircuit, ...], native: bool) -> None:  # noqa: FBT001
        devices, running = self.devices, self._running
        await asyncio.sleep(devices[record.device].wait_s)
        while not devices[record.device].online or running[record.device] >= devices[record.device].slots:
            await self._changed.wait()
        running[record.device] += 1
        try:
            device = devices[record.device]
            record.state, record.started = "Running", now()
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(
                self._threads, run_circuits, circuits, device.calibration, record.shots, native
            )
            counts, _ = await asyncio.gather(work, asyncio.sleep(device.run_s))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the task is what failed
            self._end(record, "Failed", str(error) or type(error).__name__)
        else:
            record.counts = counts
            failing = devices[record.device].failing
            self._end(record, "Failed" if failing else "Succeeded", "the device failed" if failing else "")
        finally:
            running[record.device] -= 1
            self.wake()

    def _end(self, record: Record, state: State, message: str = "") -> None:
        if not record.done:
            record.state, record.message, record.ended = state, message, now()


def now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


def run_circuits(
    circuits: Sequence[QuantumCircuit],
    calibration: Calibration | None,
    shots: int,
    native: bool,  # noqa: FBT001 - it goes through an executor
) -> list[dict[str, int]]:
    """Counts of circuits on a twin, or ideal ones without a calibration.

    Raises:
        QschedError: If a circuit cannot run there.
    """
    return [_counts(circuit, calibration, shots, native=native) for circuit in circuits]


def _counts(
    circuit: QuantumCircuit, calibration: Calibration | None, shots: int, *, native: bool
) -> dict[str, int]:
    if calibration is not None and not native:
        from qsched.circuits.qpy import from_qpy

        with _COMPILER:
            made = transpile(circuit, to_target(calibration), level=1, seed=0)
        circuit = from_qpy(made.qpy, name=circuit.name)
    device = None if calibration is None else properties(calibration)
    # A twin takes delays in whole dt, as ``to_qpy`` writes them.
    qpy = to_qpy(circuit)
    size = survey(unroll(circuit) if device is None else _reread(circuit.name, qpy), device)
    if not circuit.num_clbits:
        raise Rejected(f"circuit {circuit.name!r} measures nothing")
    choice = choose_method(circuit.name, size, shots=shots, noisy=device is not None, memory_mb=_MEMORY_MB)
    order = Order(circuit.name, qpy, choice.method, size.measured)
    limits = Limits(threads=1, memory_mb=_MEMORY_MB)
    (simulated,) = simulate((order,), shots=shots, seed=None, calibration=calibration, limits=limits)
    return simulated.counts


def _reread(name: str, qpy: bytes) -> QuantumCircuit:
    from qsched.drivers.circuits import read

    return read(name, qpy)


def _recalibrated(calibration: Calibration) -> Calibration:
    """The same device, one per cent worse at two-qubit gates, measured now."""
    return replace(
        calibration,
        taken_at=now(),
        gate2_error=np.minimum(calibration.gate2_error * 1.01, 1.0),
    )
