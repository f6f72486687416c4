"""Devices whose makers publish figures but no snapshot: one YAML file each in ``devices/``.

A figure is one number for all (a published median or mean) or a list with one number for each qubit or
coupler. The file says where each comes from, and which are assumptions.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from qsched.api.base import Declared, Time
from qsched.api.calibration import Calibration
from qsched.drivers.errors import NoCalibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIRECTORY = Path(__file__).parent / "devices"
Figure = float | list[float]


class _Published(Declared, frozen=True, kw_only=True):
    """The file's content; see ``Calibration`` for the fields."""

    device: str
    taken_at: Time
    source: str
    qubits: int
    one_qubit_gates: tuple[str, ...]
    two_qubit_gate: str
    virtual_gates: tuple[str, ...] = ()
    t1_s: Figure
    t2_s: Figure
    readout_p10: Figure
    readout_p01: Figure
    readout_s: Figure
    gate1_error: Figure
    gate1_s: Figure
    couplers: Literal["all"] | list[tuple[int, int]]
    gate2_error: Figure
    gate2_s: Figure
    reset_s: float
    dynamic: bool = False


@cache
def published_names() -> frozenset[str]:
    """The devices that have a file."""
    return frozenset(path.stem for path in _DIRECTORY.glob("*.yaml"))


def read_published(name: str) -> Calibration:
    """The calibration of a device from its file.

    Args:
        name: One of ``published_names()``.

    Returns:
        The calibration; a single published figure stands in every row.

    Raises:
        NoCalibration: If the file is damaged.
    """
    try:
        data = (_DIRECTORY / f"{name}.yaml").read_bytes()
        device = msgspec.yaml.decode(data, type=_Published)
        return _calibration(device)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise NoCalibration(f"the data file of {name} cannot be read: {error}; reinstall qsched") from error


def _calibration(device: _Published) -> Calibration:
    qubits = device.qubits
    if device.couplers == "all":
        couplers = np.stack(np.triu_indices(qubits, k=1), axis=1)
    else:
        couplers = np.array(device.couplers)
    return Calibration(
        device=device.device,
        taken_at=device.taken_at,
        one_qubit_gates=device.one_qubit_gates,
        two_qubit_gate=device.two_qubit_gate,
        virtual_gates=device.virtual_gates,
        t1_s=_column(device.t1_s, qubits),
        t2_s=_column(device.t2_s, qubits),
        readout_p10=_column(device.readout_p10, qubits),
        readout_p01=_column(device.readout_p01, qubits),
        readout_s=_column(device.readout_s, qubits),
        gate1_error=_column(device.gate1_error, qubits),
        gate1_s=_column(device.gate1_s, qubits),
        couplers=couplers.astype(np.int32),
        gate2_error=_column(device.gate2_error, len(couplers)),
        gate2_s=_column(device.gate2_s, len(couplers)),
        reset_s=device.reset_s,
        dynamic=device.dynamic,
        source=" ".join(device.source.split()),
    )


def _column(figure: Figure, rows: int) -> NDArray[np.float64]:
    return np.full(rows, figure) if isinstance(figure, float) else np.array(figure, dtype=np.float64)
