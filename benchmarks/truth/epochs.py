"""The daily calibrations of ibm_perth, January to May 2023 (data of Qonductor, arXiv:2408.04312)."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations at run time
import gzip
from functools import cache

import msgspec
import numpy as np

from benchmarks.measured.files import FOLDER
from qsched.api.calibration import Calibration

FILE = FOLDER / "ibm-perth-calibrations-2023.jsonl.gz"

_RESET_S = 250e-6


class _Qubit(msgspec.Struct, frozen=True):
    """Times in microseconds, but the readout's, which is in nanoseconds."""

    T1: float
    T2: float
    prob_meas0_prep1: float
    prob_meas1_prep0: float
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


@cache
def epochs() -> dict[dt.date, Calibration]:
    """What the device was like, by the day on which that was read; empty without the data."""
    if not FILE.exists():
        return {}
    lines = gzip.decompress(FILE.read_bytes()).splitlines()
    days = [msgspec.json.decode(line, type=_Day) for line in lines]
    return {day.read_at.date(): _calibration(day) for day in days}


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
