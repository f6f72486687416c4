"""Small devices for tests."""

from __future__ import annotations

import datetime as dt

import numpy as np

from qsched.api.calibration import Calibration

TAKEN_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def device(qubits: int, couplers: list[tuple[int, int]], **changes: object) -> Calibration:
    """A good device of that shape, with the changes made to it."""
    fields = {
        "device": "test",
        "taken_at": TAKEN_AT,
        "one_qubit_gates": ("sx", "x"),
        "two_qubit_gate": "cz",
        "virtual_gates": ("rz",),
        "t1_s": np.full(qubits, 100e-6),
        "t2_s": np.full(qubits, 80e-6),
        "readout_p10": np.full(qubits, 0.01),
        "readout_p01": np.full(qubits, 0.02),
        "readout_s": np.full(qubits, 1e-6),
        "gate1_error": np.full(qubits, 1e-4),
        "gate1_s": np.full(qubits, 32e-9),
        "couplers": np.array(couplers, dtype=np.int32).reshape(-1, 2),
        "gate2_error": np.full(len(couplers), 1e-2),
        "gate2_s": np.full(len(couplers), 68e-9),
        "reset_s": 250e-6,
        "dynamic": True,
    }
    return Calibration(**(fields | changes))


def line(qubits: int, **changes: object) -> Calibration:
    """A chain of qubits."""
    return device(qubits, [(q, q + 1) for q in range(qubits - 1)], **changes)


def complete(qubits: int, **changes: object) -> Calibration:
    """Every qubit coupled to every other."""
    pairs = [(a, b) for a in range(qubits) for b in range(a + 1, qubits)]
    return device(qubits, pairs, **changes)


def replaced(values: np.ndarray, index: int, value: float) -> np.ndarray:
    """A copy with one value replaced."""
    copy = np.array(values)
    copy[index] = value
    return copy
