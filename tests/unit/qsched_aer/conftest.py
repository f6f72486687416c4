"""A device whose every qubit and coupler is different, so that a mix-up shows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from qsched.api.calibration import Calibration

QUBITS = 30


@pytest.fixture(scope="session")
def uneven() -> Calibration:
    """A line of 30 qubits; qubit 4 is dead, and so is the coupler (1, 2)."""
    index = np.arange(QUBITS)
    gate1_error = 1e-4 * (1 + index / 10)
    gate1_error[4] = np.nan
    gate2_error = 0.005 + 0.002 * index[:-1]
    gate2_error[1] = 1.0
    return Calibration(
        device="uneven",
        taken_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        one_qubit_gates=("sx", "x"),
        two_qubit_gate="cz",
        virtual_gates=("rz",),
        t1_s=50e-6 + 5e-6 * index,
        t2_s=30e-6 + 9e-6 * index,
        readout_p10=0.01 + 0.003 * index,
        readout_p01=0.02 + 0.005 * index,
        readout_s=np.full(QUBITS, 1e-6),
        gate1_error=gate1_error,
        gate1_s=np.full(QUBITS, 40e-9),
        couplers=np.stack([index[:-1], index[1:]], axis=1),
        gate2_error=gate2_error,
        gate2_s=np.full(QUBITS - 1, 200e-9),
        reset_s=100e-6,
        dynamic=True,
    )
