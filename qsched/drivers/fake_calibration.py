"""A calibration made up from one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.api.calibration import Calibration

if TYPE_CHECKING:
    import datetime as dt


def line_calibration(
    device: str, qubits: int, *, two_qubit_error: float, taken_at: dt.datetime, t1_s: float = 150e-6
) -> Calibration:
    """A line of equal qubits whose errors are in the usual ratio to the two-qubit error.

    Args:
        device: The device's name.
        qubits: How many qubits; qubit i is coupled with i+1, control first.
        two_qubit_error: Error of each ``cx``, a fraction; ``sx`` has 1/30 and the readout 3/2 of it.
        taken_at: When the calibration was taken (UTC).
        t1_s: Relaxation time in seconds; T2 is 2/3 of it.
    """

    def each(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(qubits, value)

    readout = min(0.5, 1.5 * two_qubit_error)
    first = np.arange(qubits - 1, dtype=np.int32)
    return Calibration(
        device=device,
        taken_at=taken_at,
        one_qubit_gates=("sx", "x"),
        two_qubit_gate="cx",
        virtual_gates=("rz",),
        t1_s=each(t1_s),
        t2_s=each(t1_s * 2 / 3),
        readout_p10=each(readout * 0.6),
        readout_p01=each(readout * 1.4),
        readout_s=each(1e-6),
        gate1_error=each(two_qubit_error / 30),
        gate1_s=each(35e-9),
        couplers=np.stack([first, first + 1], axis=1),
        gate2_error=np.full(max(0, qubits - 1), two_qubit_error),
        gate2_s=np.full(max(0, qubits - 1), 300e-9),
        reset_s=250e-6,
        dynamic=True,
        source="made up",
    )
