"""The engine's view of its backends: what they declare, how they are now, and how long they make one wait."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

import msgspec
import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.calibration_file import load_calibration, save_calibration
from qsched.api.quantities import utc
from qsched.drivers import Describing, DeviceStatus, Driver, NoCalibration, RateLimited, Unavailable
from qsched.engine.backend import UNKNOWN, Backend
from qsched.errors import NotFound, QschedError
from qsched.fleet.runs import RunModel
from qsched.fleet.snapshot import build_fleet
from qsched.fleet.waits import WaitModel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from qsched.api.calibration import Calibration
    from qsched.drivers import DeviceInfo
    from qsched.drivers.registry import Drivers
    from qsched.engine.clock import Clock
    from qsched.engine.settings import Settings
    from qsched.fleet.snapshot import Fleet

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

ReadCredentials: TypeAlias = "Callable[[BackendSpec], Awaitable[Mapping[str, str] | None]]"

TWIN_SUFFIX = "-twin"
FIRST_ANSWER_S = 5.0
"""How long somebody who wants to see the fleet waits for devices that do not answer."""


async def no_credentials(spec: BackendSpec) -> Mapping[str, str] | None:  # noqa: ARG001 - there are none
    """For machines without Secrets: drivers find credentials in the way of their provider."""
    return None


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
        runs: Mapping[str, bytes] | None = None,
        credentials: ReadCredentials = no_credentials,
    ) -> None:
        """Ask nothing yet.

        Args:
            declared: The manifests.
            drivers: Makes drivers by name.
            clock: Tells the time.
            settings: How often to ask.
            folder: Where calibrations of twins are kept.
            waits: Encoded wait models of an earlier engine, by backend.
            runs: Encoded run models likewise.
            credentials: Reads the Secrets that manifests name.
        """
        self._drivers = drivers
        self._clock = clock
        self._settings = settings
        self._folder = folder
        self._credentials = credentials
        self._spread = random.Random(0)  # noqa: S311 - keeps devices from being asked in step
        self._waits = {name: WaitModel.decode(data) for name, data in (waits or {}).items()}
        self._runs = {name: RunModel.decode(data) for name, data in (runs or {}).items()}
        self._backends: dict[str, Backend] = {}
        self._twins: dict[str, Backend] = {}
        self._listings: dict[int, asyncio.Future[Sequence[DeviceInfo]]] = {}
        self._left_drivers = False  # whether a backend has left its driver, which may be unused since
        self._closing: asyncio.Task[None] | None = None
        for each in declared:
            self.declare(each)

    def declare(self, manifest: QuantumBackend) -> None:
        """Add a backend, or take over what its manifest says now."""
        name = manifest.metadata.name
        known = self._backends.get(name)
        if known is None:
            self._backends[name] = Backend(
                manifest,
                waits=self._waits.get(name, WaitModel()),
                runs=self._runs.get(name, RunModel()),
            )
            return
        before, known.declared, known.withdrawn = known.declared.spec, manifest, False
        if _connection(before) != _connection(manifest.spec):
            self.reconnect(name)
            known.calibration = None
        elif before != manifest.spec:
            known.status_due = 0.0

    def reconnect(self, name: str) -> None:
        """Connect a backend anew before it is asked next: its driver or its credentials have changed."""
        backend = self._backends[name]
        backend.driver, backend.status_due, backend.calibration_due = None, 0.0, 0.0
        self._left_drivers = True
        if backend.asking is not None:
            backend.asking.cancel()
            backend.asking = None

    def withdraw(self, name: str) -> None:
        """Give a backend no more tasks: its manifest is gone. Those that run there are seen to their end."""
        if name in self._backends:
            self._backends[name].withdrawn = True

    def forget_withdrawn(self, told: Collection[str]) -> None:
        """Drop withdrawn backends on which nothing runs any more.

        Args:
            told: Those of whose withdrawal the jobs know.
        """
        for name, each in list(self._backends.items()):
            if each.withdrawn and not each.in_flight and name in told:
                if each.asking is not None:
                    each.asking.cancel()
                del self._backends[name]
                self._left_drivers = True

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

    def ask(self) -> None:
        """Ask each device whose turn it is; one that is slow to answer holds no other up."""
        now = self._clock.now()
        for each in self._backends.values():
            if each.asking is None and now >= each.status_due:
                each.asking = asyncio.create_task(self._refresh(each, now))
        # One that is connecting has a driver that is not its own yet.
        connecting = any(each.driver is None and each.asking is not None for each in self._backends.values())
        if self._left_drivers and not connecting:
            self._left_drivers = False
            used = [each.driver for each in self if each.driver is not None]
            self._closing = asyncio.create_task(self._drivers.keep_only(used))

    async def refresh(self) -> None:
        """Ask each device whose turn it is, and wait for all that are being asked, but not for ever."""
        self.ask()
        asking = [each.asking for each in self._backends.values() if each.asking is not None]
        if asking:
            await asyncio.wait(asking, timeout=FIRST_ANSWER_S)

    async def aclose(self) -> None:
        """Stop asking."""
        asking = [each.asking for each in self._backends.values() if each.asking is not None]
        calls: list[asyncio.Future[Any]] = [*asking, *self._listings.values()]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, *filter(None, [self._closing]), return_exceptions=True)

    def fleet(self, backlog: Mapping[str, float] | None = None) -> Fleet:
        """The snapshot of this moment; twins are not in it, since nothing is placed on them by choice.

        Args:
            backlog: Seconds of work, by backend, that jobs placed there have before they are handed over.
        """
        now = utc(self._clock.now())
        backlog = backlog or {}
        records = [
            each.record(backlog.get(each.name, 0.0)) for each in self._backends.values() if not each.withdrawn
        ]
        return build_fleet(records, now)

    def twin(self, name: str) -> Backend:
        """The twin of a backend, made when first asked for, with the newest calibration that is known.

        Raises:
            NoCalibration: If the backend's calibration was never read, so that nothing can stand in for it.
            QschedError: If the twin's files cannot be written, or Aer is not installed.
        """
        twin_name = name + TWIN_SUFFIX
        path = self._calibration_file(name)
        calibration = self.get(name).calibration
        if twin_name in self._twins and (
            calibration is None or calibration.id == self._twins[twin_name].calibration_id
        ):
            return self._twins[twin_name]
        if calibration is not None:
            _keep(calibration, path)
        elif path.exists():
            calibration = load_calibration(path)
        else:
            raise NoCalibration(f"no calibration of {name} was ever read, so no twin can stand in for it")
        if twin_name not in self._twins:
            spec = BackendSpec(driver="aer", device=str(path), max_in_flight=2)
            self._twins[twin_name] = Backend(
                QuantumBackend(metadata=ObjectMeta(name=twin_name), spec=spec),
                driver=self._drivers.get("aer", {}),
                status=DeviceStatus(online=True),
                answers=True,
                simulator=True,
                compiles=False,
            )
        twin = self._twins[twin_name]
        twin.calibration, twin.qubits = calibration, calibration.qubits
        return twin

    def restore_twin(self, name: str) -> None:
        """Make the twin that a job of an earlier engine runs on, if it can be made."""
        if name.endswith(TWIN_SUFFIX) and not self.knows(name):
            self.twin(name.removesuffix(TWIN_SUFFIX))

    def observe(self, name: str, *, depth: int | None, wait_s: float, run_s: float | None) -> None:
        """Learn from a task that ended: how deep the queue was, how long it waited, and ran if one knows."""
        backend = self.get(name)
        backend.waits = backend.waits.observe(depth, wait_s, run_s)

    def observe_run(self, name: str, *, computed_s: float, took_s: float) -> None:
        """Learn from a task that ended: the seconds that were computed for its run, and those it took."""
        backend = self.get(name)
        backend.runs = backend.runs.observe(computed_s, took_s)

    def encoded_waits(self) -> dict[str, bytes]:
        """The wait models, to be kept for the next engine."""
        return {each.name: each.waits.encode() for each in self._backends.values()}

    def encoded_runs(self) -> dict[str, bytes]:
        """The run models likewise."""
        return {each.name: each.runs.encode() for each in self._backends.values()}

    def manifests(self) -> list[QuantumBackend]:
        """The declared backends with their status, for people."""
        return [
            msgspec.structs.replace(each.declared, status=each.report())
            for each in self._backends.values()
            if not each.withdrawn
        ]

    async def _refresh(self, backend: Backend, now: float) -> None:
        """Ask one device; an outage keeps what was known of it."""
        backend.status_due = now + self._settings.status_every_s * self._spread.uniform(0.9, 1.1)
        try:
            status = await self._status_of(backend, now)
        finally:
            backend.asking = None
        if status.online != backend.status.online or backend.status is UNKNOWN:
            backend.changed_at = now
        backend.status = status

    async def _status_of(self, backend: Backend, now: float) -> DeviceStatus:
        """How a device is, with its calibration read if that is due."""
        spec = backend.declared.spec
        answered, backend.answers = backend.answers, False
        try:
            if backend.driver is None:
                await self._connect(backend)
            assert backend.driver is not None
            status = await self._ask(backend.driver.status, spec.device)
            backend.answers, backend.trouble = True, ""
            if now >= backend.calibration_due and (status.online or backend.calibration is None):
                await self._calibrate(backend, backend.driver, now)
        except RateLimited as error:
            backend.status_due = now + max(self._settings.status_every_s, error.retry_after_s)
            if answered:  # patience is not an outage: what it said last still holds
                backend.answers = True
                return backend.status
            return DeviceStatus(online=False, message=str(error))
        except (QschedError, TimeoutError) as error:
            backend.trouble = type(error).__name__
            await self._recall(backend)
            return DeviceStatus(online=False, message=str(error) or "did not answer in time")
        except Exception as error:
            log.exception("driver failed", backend=backend.name, driver=spec.driver)
            return DeviceStatus(online=False, message=f"driver {spec.driver} failed: {error}")
        return status

    async def _calibrate(self, backend: Backend, driver: Driver, now: float) -> None:
        """Read a device's calibration; one that is known already survives a failure."""
        try:
            calibration = await self._ask(driver.calibration, backend.declared.spec.device)
        except NoCalibration:
            backend.calibration = None
        except (QschedError, TimeoutError) as error:
            if backend.calibration is None:
                raise
            log.warning("a calibration cannot be read now", backend=backend.name, error=str(error))
            return
        else:
            is_new = calibration.id != backend.calibration_id
            backend.calibration = calibration
            if is_new and not backend.simulator:
                await self._remember(backend.name, calibration)
        backend.calibration_due = now + self._settings.calibration_every_s

    async def _remember(self, name: str, calibration: Calibration) -> None:
        """Keep the calibration of a real device, for its twin in a later outage."""
        try:
            await asyncio.to_thread(_keep, calibration, self._calibration_file(name))
        except QschedError as error:
            log.warning("a calibration cannot be kept", backend=name, error=str(error))

    async def _recall(self, backend: Backend) -> None:
        """Use the calibration that an earlier engine kept of a device that this one never saw."""
        path = self._calibration_file(backend.name)
        if backend.calibration is None and path.exists():
            try:
                backend.calibration = await asyncio.to_thread(load_calibration, path)
            except QschedError as error:
                log.warning("a kept calibration cannot be read", backend=backend.name, error=str(error))

    def _calibration_file(self, name: str) -> Path:
        return self._folder / f"{name}.qcal"

    async def _connect(self, backend: Backend) -> None:
        spec = backend.declared.spec
        driver = self._drivers.get(spec.driver, spec.parameters, await self._credentials(spec))
        listed = {info.device: info for info in await self._ask(self._devices, driver)}
        info = listed.get(spec.device)
        if info is None and isinstance(driver, Describing):
            info = await self._ask(driver.info, spec.device)
        if info is not None:
            backend.simulator, backend.qubits, backend.compiles = info.simulator, info.qubits, info.compiles
        backend.driver = driver

    async def _devices(self, driver: Driver) -> Sequence[DeviceInfo]:
        """A driver's devices; backends that connect at the same time share one answer."""
        key = id(driver)

        def forget(listing: asyncio.Future[Sequence[DeviceInfo]]) -> None:
            self._listings.pop(key, None)
            if not listing.cancelled():
                listing.exception()  # seen, even if nobody waits any longer

        if key not in self._listings:
            self._listings[key] = asyncio.ensure_future(driver.devices())
            self._listings[key].add_done_callback(forget)
        return await asyncio.shield(self._listings[key])

    async def _ask(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a driver, with a time limit, and again if it does not answer."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_may_answer),
            stop=stop_after_attempt(2),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        ):
            with attempt:
                async with asyncio.timeout(self._settings.call_timeout_s):
                    return await method(*args, **kwargs)
        raise AssertionError("tenacity returns or raises")


def _connection(spec: BackendSpec) -> tuple[object, ...]:
    """What of a manifest its driver is made from."""
    return spec.driver, spec.device, spec.parameters, spec.credentials_secret_ref


def _keep(calibration: Calibration, path: Path) -> None:
    """Write a calibration file; raises ``InvalidInput`` if it cannot be written."""
    with contextlib.suppress(OSError):  # ``save_calibration`` says what is wrong
        path.parent.mkdir(parents=True, exist_ok=True)
    save_calibration(calibration, path)


def _may_answer(error: BaseException) -> bool:
    """Whether the same call may succeed at once; one that asks for patience shall have it."""
    return isinstance(error, Unavailable) and not isinstance(error, RateLimited)
