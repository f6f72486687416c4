"""``Calibration``: an immutable set of measured device properties."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Measured properties of a device, as columns. Not-a-number means "not measured".

    Two calibrations are equal, and hash alike, when their ids are equal.

    Q is the number of qubits, C the number of directed couplers that have a native two-qubit gate (a
    symmetric gate is listed once). Arrays are read-only.

    Attributes:
        device: The device's name as its driver knows it.
        taken_at: When the calibration was taken (UTC).
        one_qubit_gates: Names of native one-qubit gates with an error, without virtual ones (``sx``, ``x``).
        two_qubit_gate: Name of the native two-qubit gate (``cx``, ``ecr``, ``cz``, ``rzz``, ...).
        virtual_gates: Native gates that take no time and make no error (``rz``).
        t1_s: (Q,) relaxation times in seconds.
        t2_s: (Q,) dephasing times in seconds.
        readout_p10: (Q,) probability of reading 1 after preparing 0.
        readout_p01: (Q,) probability of reading 0 after preparing 1.
        readout_s: (Q,) duration of a measurement in seconds.
        gate1_error: (Q,) error of a one-qubit pulse (``sx`` or its equivalent), a fraction.
        gate1_s: (Q,) its duration in seconds.
        couplers: (C, 2) pairs of qubit indices, control first.
        gate2_error: (C,) error of the two-qubit gate, a fraction.
        gate2_s: (C,) its duration in seconds.
        reset_s: Time between shots in seconds (reset or repetition delay).
        dynamic: Whether the device takes mid-circuit measurement and classical control.
        source: Where the figures come from.
    """

    device: str
    taken_at: dt.datetime
    one_qubit_gates: tuple[str, ...]
    two_qubit_gate: str
    virtual_gates: tuple[str, ...]
    t1_s: Floats
    t2_s: Floats
    readout_p10: Floats
    readout_p01: Floats
    readout_s: Floats
    gate1_error: Floats
    gate1_s: Floats
    couplers: Ints
    gate2_error: Floats
    gate2_s: Floats
    reset_s: float
    dynamic: bool
    source: str = ""

    def __post_init__(self) -> None:
        """Copy and freeze the arrays, bring the fields to one form, and check that shapes agree.

        Raises:
            ValueError: If an array has another length than the qubits or couplers, a coupler is wrong or
                listed twice, or ``taken_at`` has no time zone.
        """
        if self.taken_at.tzinfo is None:
            raise ValueError(f"calibration of {self.device}: taken_at has no time zone")
        set_field = object.__setattr__
        set_field(self, "taken_at", self.taken_at.astimezone(dt.UTC).replace(fold=0))
        set_field(self, "reset_s", float(self.reset_s))
        for name in _QUBIT_ARRAYS + _COUPLER_ARRAYS:
            array = np.array(getattr(self, name), dtype=np.float64)
            want = self.qubits if name in _QUBIT_ARRAYS else len(self.couplers)
            if array.shape != (want,):
                raise ValueError(
                    f"calibration of {self.device}: {name} has shape {array.shape}, not ({want},)"
                )
            # One bit pattern for "not measured" and one for zero, so that equal data has equal ids.
            array[np.isnan(array)] = np.nan
            array += 0.0
            array.setflags(write=False)
            set_field(self, name, array)
        couplers = np.array(self.couplers, dtype=np.int32).reshape(-1, 2)
        if couplers.size and (couplers.min() < 0 or couplers.max() >= self.qubits):
            raise ValueError(
                f"calibration of {self.device}: a coupler names a qubit outside 0..{self.qubits - 1}"
            )
        if (couplers[:, 0] == couplers[:, 1]).any():
            raise ValueError(f"calibration of {self.device}: a coupler joins a qubit to itself")
        if len(np.unique(couplers, axis=0)) != len(couplers):
            raise ValueError(f"calibration of {self.device}: a coupler is listed twice")
        couplers.setflags(write=False)
        set_field(self, "couplers", couplers)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Calibration) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def qubits(self) -> int:
        """How many qubits the device has, usable or not."""
        return len(self.t1_s)

    @cached_property
    def readout_error(self) -> Floats:
        """(Q,) mean of the two readout errors."""
        error: Floats = (self.readout_p10 + self.readout_p01) / 2
        return error

    @cached_property
    def id(self) -> str:
        """Content hash: 16 hexadecimal digits over every field but ``source``."""
        digest = hashlib.sha256()
        for field in dataclasses.fields(self):
            if field.name == "source":
                continue
            value = getattr(self, field.name)
            digest.update(field.name.encode())
            if isinstance(value, np.ndarray):
                digest.update(str(value.shape).encode())
                digest.update(value.tobytes())
            else:
                digest.update(repr(value).encode())
        return digest.hexdigest()[:16]


_QUBIT_ARRAYS = ("t1_s", "t2_s", "readout_p10", "readout_p01", "readout_s", "gate1_error", "gate1_s")
_COUPLER_ARRAYS = ("gate2_error", "gate2_s")
