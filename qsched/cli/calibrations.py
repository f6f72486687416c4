"""Backends by name, and their calibrations as their drivers give them."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

from qsched.cli import words
from qsched.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.api.calibration import Calibration


def named(backends: Sequence[QuantumBackend], name: str) -> QuantumBackend:
    """The backend of a name.

    Raises:
        NotFound: If there is none; names the nearest that there are.
    """
    by_name = {backend.metadata.name: backend for backend in backends}
    if name not in by_name:
        hint = (
            words.did_you_mean(name, by_name) or f"; there are {words.listed(by_name) if by_name else 'none'}"
        )
        raise NotFound(f"there is no backend {name!r} in this fleet{hint}")
    return by_name[name]


def calibration_of(backend: QuantumBackend) -> Calibration:
    """The newest calibration of a backend, from its driver.

    Raises:
        DriverError: If there is none, or the driver does not answer.
        InvalidInput: If the backend's driver or its parameters are unknown.
    """
    return asyncio.run(_ask(backend))


async def _ask(backend: QuantumBackend) -> Calibration:
    from qsched.drivers.registry import Drivers

    drivers = Drivers()
    try:
        driver = drivers.get(backend.spec.driver, backend.spec.parameters)
        return await driver.calibration(backend.spec.device)
    finally:
        await drivers.aclose()


def calibration_json(calibration: Calibration) -> str:
    """The content of the calibration's file, unpacked: gzip it to have the file."""
    from qsched.api.calibration_file import dumps

    return gzip.decompress(dumps(calibration)).decode()
