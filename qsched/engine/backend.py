"""One backend as the engine knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from qsched.api.backend import MAX_WINDOWS, BackendStatus, CalibrationRef
from qsched.api.base import Condition
from qsched.api.quantities import utc
from qsched.drivers import DeviceStatus
from qsched.fleet.durations import OVERHEAD_S
from qsched.fleet.quality import quality
from qsched.fleet.runs import RunModel
from qsched.fleet.snapshot import BackendRecord
from qsched.fleet.waits import WaitModel
from qsched.presets.pricing import priced, priced_drivers

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from qsched.api.backend import BackendSpec, QuantumBackend, Window
    from qsched.api.calibration import Calibration
    from qsched.drivers import Driver

UNKNOWN = DeviceStatus(online=False, message="has not answered yet")


class View(NamedTuple):
    """What of a backend placement depends on.

    Attributes:
        takes_tasks: Whether a task may be handed over.
        gone: Whether its provider answers and says that it takes none.
        calibration_id: The id of its calibration.
        queue_depth: Tasks that wait or run there; None when unknown.
        queue_wait_s: What its provider says one waits; None when it does not.
    """

    takes_tasks: bool
    gone: bool
    calibration_id: str | None
    queue_depth: int | None
    queue_wait_s: float | None


@dataclass
class Backend:
    """One backend as the engine knows it.

    Attributes:
        declared: Its manifest.
        driver: Its driver; None when that does not load, for the reason in ``status.message``.
        status: What the device said last.
        answers: Whether its provider answered when it was last asked; an offline device may still answer.
        trouble: The class of what was raised when it was last asked; empty if it answered.
        calibration: The newest calibration, kept through an outage.
        simulator: Whether no real device does the work.
        qubits: How many qubits the driver says it has.
        compiles: Whether it takes circuits that were not transpiled for it.
        waits: Learns how long tasks wait here.
        runs: Learns what tasks take here over what was computed for them.
        in_flight: Tokens of our tasks there.
        changed_at: When ``status.online`` last changed, or was first known, in Unix seconds.
        asking: The call that asks it now, if one is under way.
        withdrawn: Whether its manifest is gone: it stays for the tasks that run there, and takes no more.
    """

    declared: QuantumBackend
    driver: Driver | None = None
    status: DeviceStatus = UNKNOWN
    answers: bool = False
    trouble: str = ""
    calibration: Calibration | None = None
    simulator: bool = False
    qubits: int | None = None
    compiles: bool = True
    waits: WaitModel = field(default_factory=WaitModel)
    runs: RunModel = field(default_factory=RunModel)
    in_flight: set[str] = field(default_factory=set)
    changed_at: float = 0.0
    status_due: float = 0.0
    calibration_due: float = 0.0
    asking: asyncio.Task[None] | None = None
    withdrawn: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.declared.metadata.name

    @property
    def calibration_id(self) -> str | None:
        """The id of its calibration."""
        return self.calibration.id if self.calibration is not None else None

    @property
    def takes_tasks(self) -> bool:
        """Whether a task may be handed over now."""
        return self.status.online and not self.declared.spec.paused and not self.withdrawn

    @property
    def view(self) -> View:
        """What of it placement depends on."""
        gone = self.answers and not self.takes_tasks
        told = self.status
        return View(self.takes_tasks, gone, self.calibration_id, told.queue_depth, told.queue_wait_s)

    @property
    def news(self) -> tuple[object, ...]:
        """What of it people are told, apart from figures that follow from the calibration."""
        status = self.status
        return (
            self.view,
            status is UNKNOWN,
            self.trouble,
            status.message,
            status.windows,
            len(self.in_flight),
        )

    @property
    def spec(self) -> BackendSpec:
        """Its declaration, with its price preset and the device's own windows where the manifest has none."""
        declared = priced(self.declared.spec)
        if declared.windows or not self.status.windows:
            return declared
        return msgspec.structs.replace(declared, windows=_declared(self.status.windows))

    @property
    def free_slots(self) -> int:
        """How many more tasks it may have now."""
        return self.declared.spec.max_in_flight - len(self.in_flight) if self.takes_tasks else 0

    def depth(self, ours: int) -> int | None:
        """Tasks that wait or run there, at least ``ours``: what was read a while ago may miss some."""
        depth = self.status.queue_depth
        return None if depth is None else max(depth, ours)

    def record(self, backlog_s: float) -> BackendRecord:
        """It as a column of a fleet.

        Args:
            backlog_s: Seconds of work that jobs have which wait in qsched for it.
        """
        calibration = self.calibration
        depth = self.depth(len(self.in_flight))
        ahead_s = backlog_s / (self.declared.spec.max_in_flight if self.simulator else 1)
        wait_s, wait_p90_s = self.waits.predict(depth, self.status.queue_wait_s, ahead_s)
        return BackendRecord(
            name=self.name,
            spec=self.spec,
            labels=self.declared.metadata.labels,
            quality=quality(calibration) if calibration is not None else None,
            calibration_id=self.calibration_id,
            calibration_taken_at=calibration.taken_at if calibration is not None else None,
            simulator=self.simulator,
            qubits=self.qubits,
            online=self.status.online,
            message=self.status.message,
            queue_depth=depth,
            wait_s=wait_s + ahead_s,
            wait_p90_s=wait_p90_s + ahead_s,
            in_flight=len(self.in_flight),
            overhead_s=0.0 if self.simulator else OVERHEAD_S,
            service_s=self.waits.service_s,
            run_factor=self.runs.factor,
            compiles=self.compiles,
            charges=self.declared.spec.driver in priced_drivers(),
        )

    def report(self) -> BackendStatus:
        """What people are told of it."""
        calibration = self.calibration
        return BackendStatus(
            conditions=[self._online()],
            queue_depth=self.status.queue_depth,
            queue_wait_s=self.status.queue_wait_s,
            in_flight=len(self.in_flight),
            windows=_declared(self.status.windows),
            calibration=CalibrationRef(
                id=calibration.id, taken_at=calibration.taken_at, summary=quality(calibration).summary()
            )
            if calibration is not None
            else None,
        )

    def _online(self) -> Condition:
        """Whether it takes tasks, as a condition; unknown before its device was asked."""
        online = self.status.online
        known: Literal["True", "False"] = "True" if online else "False"
        return Condition(
            type="Online",
            status="Unknown" if self.status is UNKNOWN else known,
            reason="Answering" if online else self.trouble or "Offline",
            message=self.status.message,
            last_transition_time=utc(self.changed_at),
        )


def _declared(windows: Sequence[Window]) -> list[Window]:
    """A device's windows as a manifest may have them: no day twice, and no more than it holds."""
    return [
        msgspec.structs.replace(window, days=list(dict.fromkeys(window.days)))
        for window in windows[:MAX_WINDOWS]
    ]
