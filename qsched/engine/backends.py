"""The engine's view of its backends: what they declare, how they are now, and how long they make one wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import msgspec
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from qsched.api.backend import BackendSpec, BackendStatus, CalibrationRef, QuantumBackend
from qsched.api.base import Condition, ObjectMeta
from qsched.api.calibration_file import load_calibration, save_calibration
from qsched.api.quantities import utc
from qsched.drivers import DeviceStatus, Driver, NoCalibration, Unavailable
from qsched.errors import NotFound, QschedError
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import BackendRecord, build_fleet
from qsched.fleet.waits import WaitModel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qsched.api.calibration import Calibration
    from qsched.drivers.registry import Drivers
    from qsched.engine.clock import Clock
    from qsched.engine.settings import Settings
    from qsched.fleet.snapshot import Fleet

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

TWIN_SUFFIX = "-twin"
_UNKNOWN = DeviceStatus(online=False, message="not asked yet")


@dataclass
class Backend:
    """One backend as the engine knows it.

    Attributes:
        declared: Its manifest.
        driver: Its driver; None when that does not load, for the reason in ``status.message``.
        status: What the device said last.
        calibration: The newest calibration, kept through an outage.
        simulator: Whether no real device does the work.
        qubits: How many qubits the driver says it has.
        waits: Learns how long tasks wait here.
        in_flight: Tokens of our tasks there.
        changed_at: When ``status.online`` last changed, in Unix seconds.
    """

    declared: QuantumBackend
    driver: Driver | None = None
    status: DeviceStatus = _UNKNOWN
    calibration: Calibration | None = None
    simulator: bool = False
    qubits: int | None = None
    waits: WaitModel = field(default_factory=WaitModel)
    in_flight: set[str] = field(default_factory=set)
    changed_at: float = 0.0
    status_due: float = 0.0
    calibration_due: float = 0.0

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
        return self.status.online and not self.declared.spec.paused

    @property
    def free_slots(self) -> int:
        """How many more tasks it may have now."""
        return self.declared.spec.max_in_flight - len(self.in_flight) if self.takes_tasks else 0


class Backends:
    """Every backend of a fleet, and the twins that stand in for some of them."""

    def __init__(
        self,
        declared: Sequence[QuantumBackend],
        *,
        drivers: Drivers,
        clock: Clock,
        settings: Settings,
        folder: Path,
        waits: Mapping[str, bytes] | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            declared: The manifests.
            drivers: Makes drivers by name.
            clock: Tells the time.
            settings: How often to ask.
            folder: Where calibrations of twins are kept.
            waits: Encoded wait models of an earlier engine, by backend.
        """
        self._drivers = drivers
        self._clock = clock
        self._settings = settings
        self._folder = folder
        models = {name: WaitModel.decode(data) for name, data in (waits or {}).items()}
        self._backends = {
            each.metadata.name: Backend(each, waits=models.get(each.metadata.name, WaitModel()))
            for each in declared
        }
        self._twins: dict[str, Backend] = {}

    def __iter__(self) -> Iterator[Backend]:
        return iter((*self._backends.values(), *self._twins.values()))

    def get(self, name: str) -> Backend:
        """A backend, or a twin, by name.

        Raises:
            NotFound: If there is none.
        """
        if name in self._backends:
            return self._backends[name]
        if name in self._twins:
            return self._twins[name]
        raise NotFound(f"there is no backend {name!r}; there are {', '.join(sorted(self._backends))}")

    def knows(self, name: str) -> bool:
        """Whether there is such a backend or twin."""
        return name in self._backends or name in self._twins

    async def refresh(self, *, everything: bool = False) -> set[str]:
        """Ask each device whose turn it is, all at once.

        Args:
            everything: Ask now, whoever's turn it is.

        Returns:
            The names of the backends that changed in a way that placement should know.
        """
        now = self._clock.now()
        due = [b for b in self._backends.values() if everything or now >= b.status_due]
        changed = await asyncio.gather(*(self._refresh(each, now) for each in due))
        return {each.name for each, is_new in zip(due, changed, strict=True) if is_new}

    def fleet(self, backlog: Mapping[str, float] | None = None) -> Fleet:
        """The snapshot of this moment; twins are not in it, since nothing is placed on them by choice.

        Args:
            backlog: Seconds of work, by backend, that jobs placed there have before they are handed over.
        """
        now = utc(self._clock.now())
        backlog = backlog or {}
        records = [self._record(each, backlog.get(each.name, 0.0)) for each in self._backends.values()]
        return build_fleet(records, now)

    def calibration(self, name: str) -> Calibration | None:
        """The calibration that a task for this backend is transpiled to."""
        return self.get(name).calibration

    def twin(self, name: str) -> Backend:
        """The twin of a backend, made when first asked for.

        Raises:
            NoCalibration: If the backend's calibration was never read, so that nothing can stand in for it.
        """
        twin_name = name + TWIN_SUFFIX
        if twin_name in self._twins:
            return self._twins[twin_name]
        path = self._folder / f"{name}.qcal"
        calibration = self.get(name).calibration
        if calibration is not None:
            save_calibration(calibration, path)
        elif path.exists():
            calibration = load_calibration(path)
        else:
            raise NoCalibration(f"no calibration of {name} was ever read, so no twin can stand in for it")
        declared = QuantumBackend(
            metadata=ObjectMeta(name=twin_name),
            spec=BackendSpec(driver="aer", device=str(path), max_in_flight=2),
        )
        twin = Backend(
            declared,
            driver=self._drivers.get("aer", {}),
            status=DeviceStatus(online=True),
            calibration=calibration,
            simulator=True,
            qubits=calibration.qubits,
        )
        self._twins[twin_name] = twin
        return twin

    def restore_twin(self, name: str) -> None:
        """Make the twin that a job of an earlier engine runs on, if it can be made."""
        if name.endswith(TWIN_SUFFIX) and not self.knows(name):
            self.twin(name.removesuffix(TWIN_SUFFIX))

    def observe(self, name: str, *, depth: int | None, wait_s: float, run_s: float) -> None:
        """Learn from a task that ended: how deep the queue was, how long it waited and ran."""
        backend = self.get(name)
        backend.waits = backend.waits.observe(depth, wait_s, run_s)

    def encoded_waits(self) -> dict[str, bytes]:
        """The wait models, to be kept for the next engine."""
        return {each.name: each.waits.encode() for each in self._backends.values()}

    def encoded_manifests(self) -> dict[str, bytes]:
        """``manifests`` as the store keeps them, by backend."""
        return {each.metadata.name: msgspec.json.encode(each) for each in self.manifests()}

    def manifests(self) -> list[QuantumBackend]:
        """The declared backends with their status, for people."""
        return [
            msgspec.structs.replace(each.declared, status=self._status(each))
            for each in self._backends.values()
        ]

    async def _refresh(self, backend: Backend, now: float) -> bool:
        """Ask one device; an outage keeps what was known of it."""
        before = backend.takes_tasks, backend.calibration_id, backend.status.queue_depth
        spec = backend.declared.spec
        backend.status_due = now + self._settings.status_every_s
        try:
            if backend.driver is None:
                await self._connect(backend)
            assert backend.driver is not None
            status = await self._ask(backend.driver.status, spec.device)
            if now >= backend.calibration_due and status.online:
                backend.calibration = await self._calibration(backend.driver, spec.device)
                backend.calibration_due = now + self._settings.calibration_every_s
        except (QschedError, TimeoutError) as error:
            status = DeviceStatus(online=False, message=str(error) or "did not answer in time")
        except Exception as error:
            log.exception("driver failed", backend=backend.name, driver=spec.driver)
            status = DeviceStatus(online=False, message=f"driver {spec.driver} failed: {error}")
        if status.online != backend.status.online:
            backend.changed_at = now
        backend.status = status
        after = backend.takes_tasks, backend.calibration_id, backend.status.queue_depth
        return after != before

    async def _connect(self, backend: Backend) -> None:
        spec = backend.declared.spec
        driver = self._drivers.get(spec.driver, spec.parameters)
        for info in await self._ask(driver.devices):
            if info.device == spec.device:
                backend.simulator, backend.qubits = info.simulator, info.qubits
        backend.driver = driver

    async def _calibration(self, driver: Driver, device: str) -> Calibration | None:
        try:
            return await self._ask(driver.calibration, device)
        except NoCalibration:
            return None

    async def _ask(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a driver, with a time limit, and again if it does not answer."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(2),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        ):
            with attempt:
                async with asyncio.timeout(self._settings.call_timeout_s):
                    return await method(*args, **kwargs)
        raise AssertionError("tenacity returns or raises")

    def _record(self, backend: Backend, backlog_s: float) -> BackendRecord:
        calibration = backend.calibration
        depth = backend.status.queue_depth
        if depth is not None:  # what was read a while ago may miss tasks of ours
            depth = max(depth, len(backend.in_flight))
        wait_s, wait_p90_s = backend.waits.predict(depth, backend.status.queue_wait_s)
        ahead_s = backlog_s / (backend.declared.spec.max_in_flight if backend.simulator else 1)
        return BackendRecord(
            name=backend.name,
            spec=backend.declared.spec,
            labels=backend.declared.metadata.labels,
            quality=quality(calibration) if calibration is not None else None,
            calibration_id=backend.calibration_id,
            calibration_taken_at=calibration.taken_at if calibration is not None else None,
            simulator=backend.simulator,
            qubits=backend.qubits,
            online=backend.status.online,
            message=backend.status.message,
            queue_depth=depth,
            wait_s=wait_s + ahead_s,
            wait_p90_s=wait_p90_s + ahead_s,
            in_flight=len(backend.in_flight),
            service_s=backend.waits.service_s,
        )

    def _status(self, backend: Backend) -> BackendStatus:
        calibration = backend.calibration
        online = backend.status.online
        return BackendStatus(
            conditions=[
                Condition(
                    type="Online",
                    status="True" if online else "False",
                    reason="Answering" if online else "Offline",
                    message=backend.status.message,
                    last_transition_time=utc(backend.changed_at),
                )
            ],
            queue_depth=backend.status.queue_depth,
            in_flight=len(backend.in_flight),
            calibration=CalibrationRef(
                id=calibration.id, taken_at=calibration.taken_at, summary=quality(calibration).summary()
            )
            if calibration is not None
            else None,
        )
