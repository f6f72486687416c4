"""The daily calibrations of ibm_perth, January to May 2023 (data of Qonductor, arXiv:2408.04312)."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations at run time
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from benchmarks.findings import LeftOut
from benchmarks.measured.files import lines
from qsched.api.calibration import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FILE = "ibm-perth-calibrations-2023.jsonl.gz"

_RESET_S = 250e-6


class Calibrations(NamedTuple):
    """D calibrations of one device with Q qubits and C couplers, in the order of time.

    Attributes:
        taken_at: (D,) days since 1970.
        month: (D,) of the year.
        t1_s: (D, Q) seconds.
        t2_s: (D, Q) seconds.
        readout_error: (D, Q).
        gate1_error: (D, Q).
        gate2_error: (D, C).
        couplers: (C, 2) pairs of qubits.
    """

    taken_at: Floats
    month: Ints
    t1_s: Floats
    t2_s: Floats
    readout_error: Floats
    gate1_error: Floats
    gate2_error: Floats
    couplers: Ints


class _Qubit(msgspec.Struct, frozen=True):
    """Times in microseconds, but the readout's, which is in nanoseconds."""

    T1: float
    T2: float
    prob_meas0_prep1: float
    prob_meas1_prep0: float
    readout_error: float
    readout_length: float


class _Gate(msgspec.Struct, frozen=True):
    gate: str
    qubits: list[int]
    gate_error: float
    gate_length: float


class _Day(msgspec.Struct, frozen=True):
    read_at: dt.datetime
    last_update_date: dt.datetime
    qubits: list[_Qubit]
    gates: list[_Gate]


def read_calibrations() -> Calibrations:
    """All calibrations; one that was read twice counts once.

    Raises:
        LeftOut: If the data are not here.
    """
    by_time = {day.last_update_date: day for day in _days()}
    days = [by_time[time] for time in sorted(by_time)]
    each = [_calibration(day) for day in days]
    once = each[0].couplers[:, 0] < each[0].couplers[:, 1]  # a gate's two directions have one error
    return Calibrations(
        taken_at=np.array([known.taken_at.timestamp() / 86_400 for known in each]),
        month=np.array([known.taken_at.month for known in each]),
        t1_s=np.stack([known.t1_s for known in each]),
        t2_s=np.stack([known.t2_s for known in each]),
        readout_error=np.array([[qubit.readout_error for qubit in day.qubits] for day in days]),
        gate1_error=np.stack([known.gate1_error for known in each]),
        gate2_error=np.stack([known.gate2_error[once] for known in each]),
        couplers=each[0].couplers[once].astype(np.int64),
    )


@cache
def epochs() -> dict[dt.date, Calibration]:
    """What the device was like, by the day on which that was read; empty without the data."""
    try:
        return {day.read_at.date(): _calibration(day) for day in _days()}
    except LeftOut:
        return {}


def _days() -> list[_Day]:
    return [msgspec.json.decode(line, type=_Day) for line in lines(FILE)]


def _calibration(day: _Day) -> Calibration:
    pulses = {gate.qubits[0]: gate for gate in day.gates if gate.gate == "sx"}
    couplers = sorted((gate for gate in day.gates if gate.gate == "cx"), key=lambda gate: gate.qubits)
    qubits = day.qubits
    order = range(len(qubits))
    return Calibration(
        device="perth",
        taken_at=day.last_update_date,
        one_qubit_gates=("sx", "x"),
        two_qubit_gate="cx",
        virtual_gates=("rz",),
        t1_s=np.array([qubit.T1 for qubit in qubits]) * 1e-6,
        t2_s=np.array([qubit.T2 for qubit in qubits]) * 1e-6,
        readout_p10=np.array([qubit.prob_meas1_prep0 for qubit in qubits]),
        readout_p01=np.array([qubit.prob_meas0_prep1 for qubit in qubits]),
        readout_s=np.array([qubit.readout_length for qubit in qubits]) * 1e-9,
        gate1_error=np.array([pulses[qubit].gate_error for qubit in order]),
        gate1_s=np.array([pulses[qubit].gate_length for qubit in order]) * 1e-9,
        couplers=np.array([gate.qubits for gate in couplers], dtype=np.int32),
        gate2_error=np.array([gate.gate_error for gate in couplers]),
        gate2_s=np.array([gate.gate_length for gate in couplers]) * 1e-9,
        reset_s=_RESET_S,
        dynamic=True,
        source="Qonductor, arXiv:2408.04312",
    )
