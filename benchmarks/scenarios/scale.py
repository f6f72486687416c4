"""Fleets and pending jobs at scale: real calibrations and real circuits' profiles, drawn from a seed.

Everything but the calibrations and the profiles is synthetic: prices, waits, ages, windows, shots, weights
and limits are drawn. A million jobs take about a second.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import random
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from benchmarks.scenarios.circuits import TYPICAL, circuits
from benchmarks.scenarios.profiles import kept_profiles
from qsched.api.backend import BackendSpec, Pricing, Window
from qsched.api.job import Circuit, JobSpec, Money, Objective, Requirements
from qsched.circuits.profile import Profile, profile
from qsched.fleet.quality import DeviceQuality, quality
from qsched.fleet.snapshot import BackendRecord, Fleet, build_fleet
from qsched.scoring.jobs import JobColumns, JobRecord, build_jobs
from qsched_aer.snapshots import load_snapshot, snapshot_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
"""The moment that fleets and jobs are of."""

LEAST_QUBITS = 5
SIZES = (3, 5, 8, 12, 16, 20, 27)
SHOTS = (100, 500, 1000, 1000, 4000, 4000, 10_000, 20_000)
LIMITED = 0.1
"""Share of the jobs that have each of the limits."""

_PROFILE_SEED = 3
_WIDEST_GROVER = 12  # Grover's circuits double with each qubit
_OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


def fleet(backends: int, seed: int) -> Fleet:
    """QPUs with real calibrations, and prices, waits, ages and windows that differ.

    A device that is used again has its errors and times changed by some per cent.

    Args:
        backends: How many.
        seed: Of everything that is drawn.
    """
    rng = random.Random(seed)
    devices = itertools.cycle(rng.sample(_devices(), len(_devices())))
    return build_fleet([_backend(index, next(devices), rng) for index in range(backends)], NOW)


def jobs(count: int, seed: int, *, limited: float = LIMITED) -> JobColumns:
    """Pending jobs: one in ten names a requirement of each kind.

    Args:
        count: How many.
        seed: Of everything that is drawn.
        limited: Share of the jobs that have each of the limits, from none (0) to all (1).
    """
    rng = np.random.default_rng(seed)
    palette = build_jobs(_palette(limited=limited > 0), NOW)
    plain = np.flatnonzero(palette.selection == 0)
    special = np.flatnonzero(palette.selection != 0)
    rows = rng.choice(plain, count)
    if special.size:
        chosen = np.flatnonzero(rng.random(count) < limited)
        rows[chosen] = rng.choice(special, chosen.size)
    drawn = palette.take(rows.astype(np.int32))

    def some(values: NDArray[np.floating[Any]], otherwise: float) -> NDArray[Any]:
        return np.where(rng.random(count) < limited, values, otherwise)

    remaining_s = some(10 ** rng.uniform(2.5, 5, count), np.inf).astype(np.float32)
    max_queue_s = some(10 ** rng.uniform(2.5, 5, count), np.inf).astype(np.float32)
    tightest_s = np.minimum(remaining_s, max_queue_s)
    return dataclasses.replace(
        drawn,
        shots=rng.choice(np.array(SHOTS, dtype=np.float32), count),
        circuits=rng.choice(np.array([1, 1, 1, 2, 5, 20], dtype=np.float32), count),
        weights=rng.dirichlet([4, 3, 1, 1.5], count).astype(np.float32),
        tau_s=np.where(np.isfinite(tightest_s), tightest_s, drawn.tau_s),
        min_fidelity=some(rng.uniform(0.1, 0.9, count), 0).astype(np.float32),
        remaining_s=remaining_s,
        max_queue_s=max_queue_s,
        max_age_s=some(rng.uniform(6, 72, count) * 3600, np.inf).astype(np.float32),
        priority=rng.integers(-100, 101, count, dtype=np.int32),
        waited_s=rng.exponential(1800, count),
    )


@cache
def profiles() -> list[Profile]:
    """The profile of each MQT Bench circuit of some sizes up to 27 qubits."""
    key = {"sizes": SIZES, "seed": _PROFILE_SEED, "families": TYPICAL}
    return kept_profiles("profiles", key, _profiles)


def _profiles() -> list[Profile]:
    small = [size for size in SIZES if size <= _WIDEST_GROVER]
    large = [size for size in SIZES if size > _WIDEST_GROVER]
    scalable = [family for family in TYPICAL if family not in ("grover", "hhl")]
    made = circuits(small, seed=_PROFILE_SEED) + circuits(large, seed=_PROFILE_SEED, families=scalable)
    return [profile(circuit) for circuit in made]


@cache
def _devices() -> list[DeviceQuality]:
    """Every snapshot with at least a few usable qubits."""
    known = (quality(load_snapshot(name)) for name in snapshot_names())
    return [device for device in known if device.qubits >= LEAST_QUBITS]


def _backend(index: int, device: DeviceQuality, rng: random.Random) -> BackendRecord:
    wait_s = rng.lognormvariate(6.5, 1.2)
    changed = {
        figure: getattr(device, figure) * rng.uniform(0.9, 1.1)
        for figure in ("e1", "e2", "er", "t1_s", "t2_s")
    }
    opens = rng.randrange(24)
    spec = BackendSpec(
        driver="aer",
        device=device.calibration.device,
        pricing=rng.choice([None, _per_second(rng), _per_shot(rng)]),
        max_in_flight=rng.randint(1, 20),
        windows=[Window(start=f"{opens:02}:00", end=f"{(opens + 20) % 24:02}:00")] * (rng.random() < 0.2),
    )
    return BackendRecord(
        name=f"backend-{index:03}",
        spec=spec,
        labels={"region": rng.choice(["east", "west"])},
        quality=dataclasses.replace(device, **changed),
        calibration_id=f"calibration-{index:03}",
        calibration_taken_at=NOW - dt.timedelta(hours=rng.uniform(0, 48)),
        online=rng.random() > 0.03,
        wait_s=wait_s,
        wait_p90_s=wait_s * rng.uniform(2, 6),
        overhead_s=rng.uniform(2, 10),
        service_s=rng.uniform(5, 60),
    )


def _per_second(rng: random.Random) -> Pricing:
    return Pricing(currency="USD", per_second=f"{rng.uniform(0.1, 1.6):.4f}")


def _per_shot(rng: random.Random) -> Pricing:
    """A task and its shots have a price; on some, gates too."""
    gates = {"per_one_qubit_gate": "0.00000097", "per_two_qubit_gate": "0.0000097"}
    return Pricing(
        currency="USD",
        per_task="0.3",
        per_shot=f"{rng.uniform(0.0002, 0.003):.5f}",
        minimum="1",
        quantum="0.01",
        **(gates if rng.random() < 0.2 else {}),
    )


def _palette(*, limited: bool) -> list[JobRecord]:
    """A job for each profile and objective; with limits, also one for each kind of requirement."""
    kinds = [Requirements()]
    if limited:
        kinds += [
            Requirements(max_cost=Money(amount="25", currency="USD")),
            Requirements(backend_selector={"region": "east"}),
            Requirements(simulators="Forbidden"),
            Requirements(backends=[f"backend-{index:03}" for index in range(0, 256, 3)]),
        ]
    return [
        JobRecord(
            name="job",
            spec=JobSpec(
                circuits=[Circuit(name="c", qasm="OPENQASM 3.0;")],
                objective=_OBJECTIVES[index % len(_OBJECTIVES)],
                requirements=kind,
            ),
            profiles=[each],
            submitted_at=NOW,
        )
        for kind in kinds
        for index, each in enumerate(profiles())
    ]
