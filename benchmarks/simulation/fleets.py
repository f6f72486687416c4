"""Fleets of real calibrations, and what happens to them: outages, closing times, other people's tasks."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.simulation.scenario import BEGIN, Change
from qsched.api.backend import BackendSpec, Pricing, Window
from qsched.api.quantities import duration_s
from qsched.errors import InvalidInput, Problem
from qsched.fleet.fleet_file import load_fleet
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import RECALIBRATES_EVERY_S, BackendRecord
from qsched.fleet.windows import closes_in_s
from qsched_aer.catalog import device_calibration
from qsched_aer.snapshots import load_snapshot, snapshot_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsched.fleet.quality import DeviceQuality

DEVICES = {
    4: ("fez", "marrakesh", "torino", "kyiv"),
    8: ("algiers", "auckland", "cairo", "hanoi", "kolkata", "mumbai", "geneva", "peekskill"),
    16: (
        "algiers", "auckland", "cairo", "hanoi", "kolkata", "guadalupe", "montreal", "mumbai",
        "brisbane", "kyiv", "osaka", "sherbrooke", "torino", "fez", "perth", "jakarta",
    ),
}  # fmt: skip
"""Four large devices of two generations; eight with 27 qubits, the kind that Qonductor was measured on; and
sixteen with 7 to 156 qubits. Other sizes take every device that is known."""

SIZES = (4, 8, 16, 64)

_SLOW = ("ionq-aria", "ionq-forte")
_LEAST_QUBITS = 5
_DRIFT = 0.1
"""Sigma of the logarithm of an error after a recalibration over the same before."""

_HOUR_S = 3600.0


def fleet(size: int, seed: int, *, max_in_flight: int = 1, windows: bool = False) -> list[BackendRecord]:
    """Superconducting devices with real calibrations; ages, prices and overheads are drawn.

    Args:
        size: How many; beyond the known devices they are used again, their errors changed by some per cent.
        seed: Of what is drawn.
        max_in_flight: Tasks of ours that each takes at once.
        windows: Whether one in four closes for four hours a day.
    """
    rng = np.random.default_rng([seed, 3])
    order = DEVICES.get(size) or _everything(rng)
    records = []
    for index in range(size):
        device, again = order[index % len(order)], index // len(order)
        base = quality(load_snapshot(device))
        closes = rng.integers(24)
        window = Window(start=f"{(closes + 4) % 24:02}:00", end=f"{closes:02}:00")
        spec = BackendSpec(
            driver="aer",
            device=device,
            max_in_flight=max_in_flight,
            pricing=Pricing(currency="USD", per_second=f"{rng.uniform(0.5, 1.6):.2f}"),
            windows=[window] if windows and index % 4 == 3 else [],
        )
        record = BackendRecord(
            name=f"{device}-{again + 1}" if again else device,
            spec=spec,
            quality=recalibrated(base, rng) if again else base,
            calibration_id=device,
            calibration_taken_at=BEGIN - dt.timedelta(seconds=rng.uniform(0, RECALIBRATES_EVERY_S)),
            overhead_s=rng.uniform(2.0, 4.0),
        )
        records.append(record)
    return records


def _everything(rng: np.random.Generator) -> list[str]:
    """Every superconducting device with a few qubits, in some order."""
    names = [
        name
        for name in snapshot_names()
        if name not in _SLOW and quality(load_snapshot(name)).qubits >= _LEAST_QUBITS
    ]
    return [names[index] for index in rng.permutation(len(names)).tolist()]


def read_fleet(path: Path) -> list[BackendRecord]:
    """The backends of a fleet file, each with the calibration of its device, a day old at most.

    Raises:
        InvalidInput: The file cannot be read, or a backend has no calibration to be simulated with.
    """
    records = []
    for index, manifest in enumerate(load_fleet(path)):
        where = f"QuantumBackend {manifest.metadata.name!r}"
        try:
            calibration = device_calibration(manifest.spec.device)
        except Exception as error:
            raise InvalidInput(Problem(where, str(error), file=str(path))) from error
        if calibration is None:
            message = "an ideal simulator has no calibration; name a device that has one, such as torino"
            raise InvalidInput(Problem(where, message, file=str(path)))
        hours = (index * 7) % 24
        records.append(
            BackendRecord(
                name=manifest.metadata.name,
                spec=manifest.spec,
                labels=manifest.metadata.labels,
                quality=quality(calibration),
                calibration_id=calibration.id,
                calibration_taken_at=BEGIN - dt.timedelta(hours=hours),
                overhead_s=3.0,
            )
        )
    return records


def recalibrated(before: DeviceQuality, rng: np.random.Generator) -> DeviceQuality:
    """A device after a recalibration: every figure is a little different."""
    figures = ("e1", "e2", "er", "t1_s", "t2_s")
    factors = np.exp(rng.normal(0, _DRIFT, len(figures)))
    changed = {
        name: getattr(before, name) * factor for name, factor in zip(figures, factors.tolist(), strict=True)
    }
    return dataclasses.replace(before, **changed)


def recalibrations(backends: Sequence[BackendRecord], until_s: float, seed: int) -> list[Change]:
    """Every device is calibrated anew each period after its first calibration."""
    rng = np.random.default_rng([seed, 4])
    changes = []
    for column, record in enumerate(backends):
        if record.quality is None or record.calibration_taken_at is None:
            continue
        every = record.spec.recalibrates_every
        period_s = duration_s(every) if every else RECALIBRATES_EVERY_S
        at_s = period_s - (BEGIN - record.calibration_taken_at).total_seconds() % period_s
        while at_s < until_s:
            changes.append(Change(at_s, column, "recalibrated", quality=recalibrated(record.quality, rng)))
            at_s += period_s
    return changes


def outages(backends: Sequence[BackendRecord], until_s: float, seed: int, *, share: float) -> list[Change]:
    """Unplanned outages of half an hour on average.

    Args:
        backends: Whose.
        until_s: When the last may begin.
        seed: Of the times.
        share: Of the time that each backend is down.
    """
    rng = np.random.default_rng([seed, 5])
    mean_s = _HOUR_S / 2
    changes = []
    for column in range(len(backends)):
        at_s = rng.exponential(mean_s / share)
        while at_s < until_s:
            ends_s = at_s + rng.exponential(mean_s)
            changes += [Change(at_s, column, "down"), Change(ends_s, column, "up")]
            at_s = ends_s + rng.exponential(mean_s / share)
    return changes


def closings(backends: Sequence[BackendRecord], until_s: float) -> list[Change]:
    """When the availability windows of the fleet end and begin."""
    changes = []
    for column, record in enumerate(backends):
        if not record.spec.windows:
            continue
        was_open, at_s = True, 0.0
        while at_s < until_s:
            left_s = closes_in_s(record.spec.windows, BEGIN + dt.timedelta(seconds=at_s))
            if (left_s > 0) != was_open:
                was_open = not was_open
                changes.append(Change(at_s, column, "open" if was_open else "shut"))
            at_s += min(left_s, until_s) if left_s > 0 else 60.0  # windows begin on the minute
    return changes


def strangers(
    backends: Sequence[BackendRecord], until_s: float, seed: int, *, share: float, mean_s: float = 20.0
) -> list[Change]:
    """Other people's tasks, which come independently of each other and of us.

    Args:
        backends: Where.
        until_s: When the last comes.
        seed: Of times and sizes.
        share: Of each backend's time that they take, on average.
        mean_s: Mean seconds of one, exponentially distributed.
    """
    rng = np.random.default_rng([seed, 6])
    changes = []
    for column in range(len(backends)):
        count = rng.poisson(until_s * share / mean_s)
        times_s = rng.uniform(0, until_s, count)
        sizes_s = rng.exponential(mean_s, count)
        changes += [
            Change(at_s, column, "foreign", run_s=run_s)
            for at_s, run_s in zip(times_s.tolist(), sizes_s.tolist(), strict=True)
        ]
    return changes
