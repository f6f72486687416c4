"""How well stage 1 could choose: its estimate, told a part of what only the transpiler knows.

What it does not know is how many gates and how much idle time there will be, and on which qubits.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.api.backend import BackendSpec
from qsched.api.job import Circuit, JobSpec
from qsched.circuits.profile import profile
from qsched.fleet.quality import quality
from qsched.fleet.region import LINE, NET
from qsched.fleet.snapshot import BackendRecord, build_fleet
from qsched.scoring.coefficients import ROUTING, coefficients
from qsched.scoring.jobs import JobRecord, build_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from benchmarks.truth.pairs import Pair
    from qsched.api.calibration import Calibration
    from qsched.circuits.profile import Profile
    from qsched.circuits.usage import Usage
    from qsched.fleet.quality import DeviceQuality

    Floats = NDArray[np.float64]

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class _Counts(NamedTuple):
    """Of a circuit on a device: pulses, two-qubit gates, measurements, and idle time in seconds."""

    gates1: float
    gates2: float
    measurements: float
    idle_s: float


class _Place(NamedTuple):
    """Of a part of a device: mean errors, and the rates 1 / T1 and 1 / T2."""

    e1: float
    e2: float
    er: float
    rate1: float
    rate2: float


def told(
    circuits: Sequence[QuantumCircuit], pairs: Sequence[Sequence[Pair]], calibrations: Sequence[Calibration]
) -> dict[str, Floats]:
    """(C, D) log success by stage 1, told more and more.

    Args:
        circuits: C circuits.
        pairs: Each of them transpiled for each of D devices.
        calibrations: The devices'.
    """
    devices = [quality(calibration) for calibration in calibrations]
    profiles = [profile(circuit) for circuit in circuits]
    guessed = _guessed_counts(circuits, profiles, devices, pairs)

    def each(count: Callable[[int, int], _Counts], place: Callable[[int, int], _Place]) -> Floats:
        rows = [[_log(count(c, d), place(c, d)) for d in range(len(devices))] for c in range(len(circuits))]
        return np.array(rows)

    def counted(circuit: int, device: int) -> _Counts:
        return _real_counts(pairs[circuit][device].usage)

    def placed(circuit: int, device: int) -> _Place:
        return _real_place(pairs[circuit][device].usage, devices[device])

    def expected(circuit: int, device: int) -> _Place:
        return _table(profiles[circuit], devices[device])

    return {
        "stage 1, told the gates and idle times": each(counted, expected),
        "stage 1, told the qubits": each(lambda c, d: guessed[c][d], placed),
        "stage 1, told both": each(counted, placed),
    }


def _log(count: _Counts, place: _Place) -> float:
    gates = count.gates1 * np.log1p(-place.e1) + count.gates2 * np.log1p(-place.e2)
    idle = count.idle_s * (place.rate1 + place.rate2) / 4
    return float(gates + count.measurements * np.log1p(-place.er) - idle)


def _real_counts(usage: Usage) -> _Counts:
    gates = usage.gates1.sum(), usage.coupler_gates.sum(), usage.measurements.sum()
    return _Counts(*(float(each) for each in (*gates, usage.idle_s.sum())))


def _real_place(usage: Usage, device: DeviceQuality) -> _Place:
    calibration, qubits = device.calibration, usage.qubits
    t1_s, t2_s = device.qubit_t1_s[qubits], device.qubit_t2_s[qubits]
    means = calibration.gate1_error[qubits], calibration.gate2_error[_couplers(usage, device)]
    every = *means, calibration.readout_error[qubits], 1 / t1_s, 1 / t2_s
    return _Place(*(float(each.mean()) for each in every))


def _table(circuit: Profile, device: DeviceQuality) -> _Place:
    where = LINE if circuit.line else NET, circuit.qubits
    errors = device.e1[where], device.e2[where], device.er[where]
    return _Place(*(float(each) for each in (*errors, 1 / device.t1_s[where], 1 / device.t2_s[where])))


def _guessed_counts(
    circuits: Sequence[QuantumCircuit],
    profiles: Sequence[Profile],
    devices: Sequence[DeviceQuality],
    pairs: Sequence[Sequence[Pair]],
) -> list[list[_Counts]]:
    """What stage 1 takes them to be; seconds by the gates of the real qubits."""
    spec = JobSpec(circuits=[Circuit(name="c", qasm="")])
    jobs = build_jobs(
        [
            JobRecord(name=circuit.name, spec=spec, profiles=[each], submitted_at=_NOW)
            for circuit, each in zip(circuits, profiles, strict=True)
        ],
        _NOW,
    )
    backend = BackendSpec(driver="aer", device="any")
    fleet = build_fleet([BackendRecord(name=str(id(d)), spec=backend, quality=d) for d in devices], _NOW)
    layouts, which = np.unique(jobs.layout, return_inverse=True)
    detour = ROUTING * coefficients(fleet, jobs.selections, layouts).detour[which]
    found = []
    for row, (gates1, gates2, measurements, idle) in enumerate(jobs.gates.tolist()):
        added2, added_idle = jobs.routed[row].tolist()
        counts = []
        for column, device in enumerate(devices):
            usage, far = pairs[row][column].usage, float(detour[row, column])
            more2 = gates2 + added2 * far
            # A pulse is counted with each of the circuit's gates; the device has as many as its gate brings.
            more1 = gates1 - gates2 + device.dressing * more2
            gate_s = float(device.gate2_s[_couplers(usage, device)].mean()) + device.dressing * device.d1_s
            counts.append(_Counts(more1, more2, measurements, (idle + added_idle * far) * gate_s))
        found.append(counts)
    return found


def _couplers(usage: Usage, device: DeviceQuality) -> list[int]:
    """The calibration's row of each coupler that is used, in either direction."""
    rows = {pair: row for row, pair in enumerate(map(tuple, device.calibration.couplers.tolist()))}
    used = usage.couplers.tolist()
    return [rows[first, second] if (first, second) in rows else rows[second, first] for first, second in used]
