"""What a driver's account can reach: every device, with what it says of itself now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from qsched.drivers import NoCalibration, NotFound, RateLimited, Rejected
from qsched.errors import QschedError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Mapping

    from qsched.api.base import Json
    from qsched.drivers import DeviceInfo, DeviceStatus, Driver

T = TypeVar("T")

CALL_TIMEOUT_S = 60.0
"""How long a device may take to answer one question."""

_PATIENCE = 3
"""How often a provider may put a question off."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """A device as its provider shows it.

    Attributes:
        info: What it is.
        status: What it says of itself; None if it could not be asked.
        calibrated_at: When its calibration was taken; None without one.
        trouble: Why something could not be asked; empty if everything was.
        usable: Whether it can take tasks, now or later.
    """

    info: DeviceInfo
    status: DeviceStatus | None = None
    calibrated_at: dt.datetime | None = None
    trouble: str = ""
    usable: bool = True


def discover(driver: str, parameters: Json, credentials: Mapping[str, str] | None) -> list[Discovered]:
    """Ask a driver for its devices, and each of them how it is. One that fails holds no other up.

    Args:
        driver: The driver's name.
        parameters: As a backend's ``parameters``.
        credentials: As a backend's Secret holds them; None for the provider's own way to find some.

    Raises:
        InvalidInput: If there is no such driver, or it refuses the parameters.
        DriverError: If the account cannot be asked for its devices.
    """
    return asyncio.run(_discover(driver, parameters, credentials))


async def _discover(name: str, parameters: Json, credentials: Mapping[str, str] | None) -> list[Discovered]:
    from qsched.drivers.registry import Drivers

    drivers = Drivers()
    try:
        return await ask_devices(drivers.get(name, parameters, credentials))
    finally:
        await drivers.aclose()


async def ask_devices(driver: Driver) -> list[Discovered]:
    """The devices of a driver, in its order; see ``discover``."""
    devices = await driver.devices()
    return list(await asyncio.gather(*(_ask(driver, info) for info in devices)))


async def _ask(driver: Driver, info: DeviceInfo) -> Discovered:
    status = calibrated_at = None
    trouble, usable = "", True
    try:
        status = await _patiently(driver.status, info.device)
        with suppress(NoCalibration):
            calibrated_at = (await _patiently(driver.calibration, info.device)).taken_at
    except (NotFound, Rejected) as error:
        trouble, usable = str(error), False
    except TimeoutError:
        trouble = f"did not answer within {CALL_TIMEOUT_S:.0f} s"
    except QschedError as error:
        trouble = str(error)
    except Exception as error:  # noqa: BLE001 - a driver's bug with one device must not hide the others
        trouble = f"the driver failed: {type(error).__name__}: {error}"
    return Discovered(info, status, calibrated_at, trouble, usable)


async def _patiently(ask: Callable[[str], Awaitable[T]], device: str) -> T:
    """Ask a device; a provider that asks for patience gets it a few times."""
    for _ in range(_PATIENCE):
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await ask(device)
        except RateLimited as error:
            await asyncio.sleep(min(error.retry_after_s, CALL_TIMEOUT_S))
    async with asyncio.timeout(CALL_TIMEOUT_S):
        return await ask(device)
