"""Drivers: the one line between qsched and the providers of quantum computing."""

from qsched.api.calibration import Calibration
from qsched.drivers.errors import (
    DriverError,
    NoCalibration,
    NotFound,
    PartlyTaken,
    RateLimited,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from qsched.drivers.types import (
    Describing,
    DeviceInfo,
    DeviceStatus,
    Driver,
    DriverFactory,
    RemoteState,
    RemoteTask,
    Task,
    TaskCircuit,
    TaskResult,
    TaskStatus,
    Warmable,
)

__all__ = [
    "Calibration",
    "Describing",
    "DeviceInfo",
    "DeviceStatus",
    "Driver",
    "DriverError",
    "DriverFactory",
    "NoCalibration",
    "NotFound",
    "PartlyTaken",
    "RateLimited",
    "Rejected",
    "RemoteState",
    "RemoteTask",
    "Task",
    "TaskCircuit",
    "TaskResult",
    "TaskStatus",
    "Unauthenticated",
    "Unavailable",
    "Warmable",
]
