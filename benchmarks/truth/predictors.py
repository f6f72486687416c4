"""What guesses how well a circuit does on a device: qsched's two stages, and predictors from the literature.

Each gives one number for each pair of a circuit and a device, the higher the better. All but stage 1 and the
median error read the same transpiled circuit.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.truth.layouts import best_layout_log
from qsched.api.backend import BackendSpec
from qsched.api.job import Circuit, JobSpec
from qsched.circuits.profile import profile
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import BackendRecord, build_fleet
from qsched.scoring.estimate import estimate
from qsched.scoring.jobs import JobRecord, build_jobs
from qsched.scoring.refine import refine, refined_log_success

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from benchmarks.truth.pairs import Pair
    from qsched.api.calibration import Calibration
    from qsched.circuits.usage import Usage
    from qsched.fleet.quality import DeviceQuality
    from qsched.scoring import Refinements

    Floats = NDArray[np.float64]
    Table = Sequence[Sequence[Pair]]

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def stage1(circuits: Sequence[QuantumCircuit], calibrations: Sequence[Calibration]) -> Floats:
    """(C, D) success that the scheduler's stage 1 estimates, from the profiles alone.

    Args:
        circuits: C circuits.
        calibrations: D devices, all calibrated just now.
    """
    return _estimated(circuits, calibrations, [0.0] * len(calibrations), {})


def aged(
    circuits: Sequence[QuantumCircuit],
    pairs: Table,
    calibrations: Sequence[Calibration],
    ages_s: Sequence[float],
) -> Floats:
    """(C, D) success that the scheduler estimates from stage 2 and the age of each calibration.

    Args:
        circuits: C circuits.
        pairs: Each circuit transpiled for each calibration.
        calibrations: D devices.
        ages_s: (D,) how old each calibration is.
    """
    refined = {
        (row, column): refine([pair.usage], quality(calibration))
        for row, each in enumerate(pairs)
        for column, (pair, calibration) in enumerate(zip(each, calibrations, strict=True))
    }
    return _estimated(circuits, calibrations, ages_s, refined)


def _estimated(
    circuits: Sequence[QuantumCircuit],
    calibrations: Sequence[Calibration],
    ages_s: Sequence[float],
    refined: Refinements,
) -> Floats:
    """(C, D) what the production scorer makes of circuits on idle QPUs, each a backend of its own."""
    fleet = build_fleet(
        [
            BackendRecord(
                name=f"device-{number}",
                spec=BackendSpec(driver="aer", device=calibration.device),
                quality=quality(calibration),
                calibration_id=calibration.id,
                calibration_taken_at=_NOW - dt.timedelta(seconds=age_s),
            )
            for number, (calibration, age_s) in enumerate(zip(calibrations, ages_s, strict=True))
        ],
        _NOW,
    )
    spec = JobSpec(circuits=[Circuit(name="c", qasm="")])
    jobs = [
        JobRecord(name=circuit.name, spec=spec, profiles=[profile(circuit)], submitted_at=_NOW)
        for circuit in circuits
    ]
    return np.exp(estimate(build_jobs(jobs, _NOW), fleet, refined).log_success.astype(np.float64))


def stage2(pairs: Table, calibrations: Sequence[Calibration]) -> Floats:
    """(C, D) success that stage 2 estimates, from the transpiled circuits."""
    return np.exp(_each(pairs, calibrations, refined_log_success))


def esp(pairs: Table, calibrations: Sequence[Calibration]) -> Floats:
    """(C, D) product of 1 - e over gates and measurements (Nishio et al., arXiv:1903.10963)."""
    return np.exp(_each(pairs, calibrations, _log_esp))


def esp_idle(pairs: Table, calibrations: Sequence[Calibration]) -> Floats:
    """(C, D) the same times exp(-idle / min(T1, T2)) for each idle interval, as MQT Predictor has it."""

    def log_esp_idle(usage: Usage, device: DeviceQuality) -> float:
        shorter_s = np.minimum(device.qubit_t1_s, device.qubit_t2_s)[usage.idle_qubit]
        return _log_esp(usage, device) - float((usage.idle_s / shorter_s).sum())

    return np.exp(_each(pairs, calibrations, log_esp_idle))


def best_layout(pairs: Table, calibrations: Sequence[Calibration]) -> Floats:
    """(C, D) 1 - mapomatic's score: the greatest ESP over all layouts of the transpiled circuit."""
    return np.exp(_each(pairs, calibrations, best_layout_log))


def median_error(circuits: int, calibrations: Sequence[Calibration]) -> Floats:
    """(C, D) 1 - the device's median two-qubit error, for any circuit."""
    medians = [float(np.nanmedian(calibration.gate2_error)) for calibration in calibrations]
    return np.tile(1 - np.array(medians), (circuits, 1))


def chance(circuits: int, devices: int, seed: int) -> Floats:
    """(C, D) numbers drawn at random."""
    return np.random.default_rng(seed).random((circuits, devices))


def _log_esp(usage: Usage, device: DeviceQuality) -> float:
    calibration = device.calibration
    errors = {
        (first, second): error
        for (first, second), error in zip(
            calibration.couplers.tolist(), calibration.gate2_error.tolist(), strict=True
        )
    }
    gates2 = sum(
        count * np.log1p(-errors.get((first, second), errors.get((second, first), 1.0)))
        for (first, second), count in zip(usage.couplers.tolist(), usage.coupler_gates.tolist(), strict=True)
    )
    gates1 = usage.gates1 @ np.log1p(-calibration.gate1_error[usage.qubits])
    readout = usage.measurements @ np.log1p(-calibration.readout_error[usage.qubits])
    return float(gates2 + gates1 + readout)


def _each(
    pairs: Table, calibrations: Sequence[Calibration], predict: Callable[[Usage, DeviceQuality], float]
) -> Floats:
    devices = [quality(calibration) for calibration in calibrations]
    return np.array(
        [[predict(pair.usage, device) for pair, device in zip(row, devices, strict=True)] for row in pairs]
    )
