"""Drivers that only the leader calls, and whose calls are counted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal, ParamSpec, Protocol, TypeAlias, TypeVar

from qsched.drivers import Describing, Driver, DriverError, Unavailable, Warmable
from qsched.drivers.registry import Drivers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from typing import Any

    from qsched.drivers import (
        Calibration,
        DeviceInfo,
        DeviceStatus,
        RemoteTask,
        Task,
        TaskResult,
        TaskStatus,
    )
    from qsched.drivers.registry import DriverReport

P = ParamSpec("P")
T = TypeVar("T")

Call: TypeAlias = Literal[
    "devices", "info", "status", "calibration", "submit", "find", "poll", "result", "cancel", "warm"
]


class CallMeter(Protocol):
    """Takes note of calls to drivers."""

    def called(self, driver: str, call: Call, seconds: float, error: str) -> None:
        """A call has ended.

        Args:
            driver: The driver's name in backends' manifests.
            call: The method.
            seconds: How long it took.
            error: Empty if it succeeded; else the class of the ``DriverError``, ``Cancelled`` if the caller
                waited no longer, or ``Unexpected`` for what no driver may raise.
        """
        ...


class Guarded:
    """A ``Driver`` over another one: asks before each call whether this process may act, and meters it.

    A call that has begun is not cut short when the leadership ends meanwhile. It does no harm: a driver is
    idempotent in the token, and what comes of the call cannot be stored any more.
    """

    def __init__(self, driver: Driver, name: str, *, may_act: Callable[[], bool], meter: CallMeter) -> None:
        """Call nobody yet; ``guard`` makes the right kind.

        Args:
            driver: What is called.
            name: Its name in backends' manifests.
            may_act: Whether this process is the leader, beyond doubt.
            meter: Told of every call that was made.
        """
        self.driver = driver
        self._name = name
        self._may_act = may_act
        self._meter = meter

    async def devices(self) -> Sequence[DeviceInfo]:
        """See ``Driver.devices``.

        Raises:
            Unavailable: If another process may lead by now; the same holds for every method but ``aclose``.
        """
        return await self._call("devices", self.driver.devices)

    async def status(self, device: str) -> DeviceStatus:
        """See ``Driver.status``."""
        return await self._call("status", self.driver.status, device)

    async def calibration(self, device: str) -> Calibration:
        """See ``Driver.calibration``."""
        return await self._call("calibration", self.driver.calibration, device)

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """See ``Driver.submit``."""
        return await self._call("submit", self.driver.submit, task, token)

    async def find(self, token: str) -> RemoteTask | None:
        """See ``Driver.find``."""
        return await self._call("find", self.driver.find, token)

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """See ``Driver.poll``."""
        return await self._call("poll", self.driver.poll, ids)

    async def result(self, remote_id: str) -> TaskResult:
        """See ``Driver.result``."""
        return await self._call("result", self.driver.result, remote_id)

    async def cancel(self, remote_id: str) -> None:
        """See ``Driver.cancel``."""
        await self._call("cancel", self.driver.cancel, remote_id)

    async def aclose(self) -> None:
        """See ``Driver.aclose``; a process that leads no longer closes its connections too."""
        await self.driver.aclose()

    async def _call(
        self, call: Call, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if not self._may_act():
            raise Unavailable("this controller no longer leads; the next one goes on")
        begun = time.perf_counter()
        error = "Unexpected"
        try:
            answer = await method(*args, **kwargs)
            error = ""
        except DriverError as raised:
            error = type(raised).__name__
            raise
        except asyncio.CancelledError:
            error = "Cancelled"
            raise
        finally:
            self._meter.called(self._name, call, time.perf_counter() - begun, error)
        return answer


class WarmGuarded(Guarded):
    """The same over a driver that can get ready before its first task."""

    async def warm(self) -> None:
        """See ``Warmable.warm``."""
        assert isinstance(self.driver, Warmable)
        await self._call("warm", self.driver.warm)


class DescribingGuarded(Guarded):
    """The same over a driver with devices that it does not list."""

    async def info(self, device: str) -> DeviceInfo:
        """See ``Describing.info``."""
        assert isinstance(self.driver, Describing)
        return await self._call("info", self.driver.info, device)


class WarmDescribingGuarded(WarmGuarded, DescribingGuarded):
    """The same over a driver with both abilities."""


_KINDS: dict[tuple[bool, bool], type[Guarded]] = {
    (False, False): Guarded,
    (True, False): WarmGuarded,
    (False, True): DescribingGuarded,
    (True, True): WarmDescribingGuarded,
}
"""By whether a driver is ``Warmable``, and whether it is ``Describing``."""


def guard(driver: Driver, name: str, *, may_act: Callable[[], bool], meter: CallMeter) -> Guarded:
    """A driver that only the leader calls, with the abilities that it has.

    Args:
        driver: What is called.
        name: Its name in backends' manifests.
        may_act: Whether this process is the leader, beyond doubt.
        meter: Told of every call that was made.
    """
    kind = _KINDS[isinstance(driver, Warmable), isinstance(driver, Describing)]
    return kind(driver, name, may_act=may_act, meter=meter)


class GuardedDrivers(Drivers):
    """Other drivers by name, each of them guarded; backends that share a driver share its guard."""

    def __init__(self, drivers: Drivers, *, may_act: Callable[[], bool], meter: CallMeter) -> None:
        """Make nothing yet.

        Args:
            drivers: Makes the drivers, and keeps them.
            may_act: Whether this process is the leader, beyond doubt.
            meter: Told of every call that was made.
        """
        super().__init__()
        self._inner = drivers
        self._may_act = may_act
        self._meter = meter
        self._guards: dict[int, Guarded] = {}  # by the id of the driver, which its guard keeps alive

    def get(
        self, name: str, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None = None
    ) -> Driver:
        """See ``Drivers.get``."""
        driver = self._inner.get(name, parameters, credentials)
        known = self._guards.get(id(driver))
        if known is None:
            known = guard(driver, name, may_act=self._may_act, meter=self._meter)
            self._guards[id(driver)] = known
        return known

    def __iter__(self) -> Iterator[Driver]:
        return iter(list(self._guards.values()))

    async def drop(self, driver: Driver) -> None:
        """See ``Drivers.drop``."""
        if isinstance(driver, Guarded) and self._guards.pop(id(driver.driver), None) is not None:
            await self._inner.drop(driver.driver)

    async def aclose(self) -> None:
        """See ``Drivers.aclose``."""
        self._guards.clear()
        await self._inner.aclose()

    def describe(self) -> list[DriverReport]:
        """See ``Drivers.describe``."""
        return self._inner.describe()
