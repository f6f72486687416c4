"""The devices of the Aer driver: the ideal simulator, snapshots, and calibration files."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from qsched.api.calibration_file import load_calibration
from qsched.drivers import DeviceInfo, NoCalibration, NotFound
from qsched.errors import InvalidInput
from qsched_aer.snapshots import load_snapshot, snapshot_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.drivers import Calibration

IDEAL = "ideal"
IDEAL_QUBITS = 1000
"""Width of the ideal simulator; what is too entangled for its memory is rejected when it is submitted."""


class AerDevices:
    """The part of a driver that tells of devices; the same wherever tasks run."""

    async def devices(self) -> Sequence[DeviceInfo]:
        """The ideal simulator and a twin of every snapshot; calibration files are devices too."""
        return await asyncio.to_thread(device_infos)

    async def info(self, device: str) -> DeviceInfo:
        """The twin that a calibration file describes."""
        return _twin_info(await self.calibration(device), device)

    async def calibration(self, device: str) -> Calibration:
        """The snapshot or file that the twin imitates; the ideal simulator has none."""
        calibration = await asyncio.to_thread(device_calibration, device)
        if calibration is None:
            raise NoCalibration("the ideal simulator has no calibration")
        return calibration


def device_infos() -> list[DeviceInfo]:
    """The devices that need no file of the user's."""
    twins = [_twin_info(load_snapshot(name)) for name in snapshot_names()]
    ideal = DeviceInfo(device=IDEAL, qubits=IDEAL_QUBITS, simulator=True, description="without noise")
    return [ideal, *twins]


def device_calibration(device: str) -> Calibration | None:
    """The calibration of a device; None for the ideal simulator. A changed file is read anew.

    Args:
        device: ``ideal``, a snapshot's name, or a calibration file as a path or ``file://`` URI.

    Raises:
        NotFound: If there is no such snapshot or file.
        NoCalibration: If it cannot be read.
    """
    if device == IDEAL:
        return None
    path = _path(device)
    if path is None:
        return _snapshot(device)
    try:
        return _file(path, path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise NotFound(f"there is no calibration file {path}") from error
    except (OSError, InvalidInput) as error:
        raise NoCalibration(f"calibration file {path} cannot be read: {error}") from error


def _path(device: str) -> Path | None:
    """The file that a device names; snapshots have neither a slash nor a suffix."""
    if device.startswith("file:"):
        return Path(unquote(urlsplit(device).path))
    return Path(device) if "/" in device or "." in device else None


@lru_cache(maxsize=128)
def _snapshot(name: str) -> Calibration:
    return load_snapshot(name)


@lru_cache(maxsize=128)
def _file(path: Path, _changed_ns: int) -> Calibration:
    return load_calibration(path)


def _twin_info(calibration: Calibration, device: str | None = None) -> DeviceInfo:
    """A twin, under its device's name unless it has another; it takes that device's gates only."""
    taken = calibration.taken_at.date().isoformat()
    return DeviceInfo(
        device=device or calibration.device,
        qubits=calibration.qubits,
        simulator=True,
        description=f"twin of {calibration.device} as calibrated on {taken}",
        compiles=False,
    )
