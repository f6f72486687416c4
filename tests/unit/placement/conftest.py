"""Random instances of placement."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pytest

from qsched.api.backend import BackendSpec
from qsched.api.job import Circuit, JobSpec, Requirements
from qsched.circuits.profile import Profile
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import BackendRecord, build_fleet
from qsched.scoring import JobRecord, build_jobs
from qsched_aer.snapshots import load_snapshot

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
DEVICES = ("athens", "belem", "lagos", "guadalupe")


class Instance(NamedTuple):
    offers: np.ndarray
    work_s: np.ndarray
    impatience: np.ndarray


def instance(jobs: int, backends: int, seed: int = 0, *, infeasible: float = 0.2) -> Instance:
    """Backends of different quality and speed, jobs of different size, taste and patience."""
    rng = np.random.default_rng(seed)
    quality, speed = rng.uniform(0.2, 1, backends), rng.uniform(0.5, 3, backends)
    offers = quality * rng.uniform(0.5, 1, (jobs, 1)) + rng.normal(0, 0.05, (jobs, backends))
    offers = np.clip(offers, 0, 1).astype(np.float32)
    offers[rng.random((jobs, backends)) < infeasible] = -np.inf
    work_s = (rng.lognormal(3, 1, (jobs, 1)) / speed).astype(np.float32)
    impatience = rng.choice([0.3 / 3600, 0.05 / 21600, 0.65 / 900], jobs).astype(np.float32)
    return Instance(offers, work_s, impatience)


@pytest.fixture(scope="session")
def make_instance():
    return instance


def crowd(jobs: int):
    """Jobs of 3 to 9 qubits, one in ten picky, and four devices of which one holds the wide ones."""
    fleet = build_fleet(
        [
            BackendRecord(
                name=name,
                spec=BackendSpec(driver="fake", device=name),
                quality=quality(load_snapshot(name)),
                calibration_id=name,
                calibration_taken_at=NOW - dt.timedelta(hours=2),
                wait_s=60.0 * (index + 1),
                wait_p90_s=300.0 * (index + 1),
                overhead_s=3.0,
                service_s=10.0,
            )
            for index, name in enumerate(DEVICES)
        ],
        NOW,
    )
    kinds = [_record(qubits, needs) for qubits in range(3, 10) for needs in ({}, {"min_fidelity": 0.5})]
    columns = build_jobs(kinds, NOW)
    rng = np.random.default_rng(2)
    rows = 2 * rng.integers(0, len(kinds) // 2, jobs) + (rng.random(jobs) < 0.1)
    return columns.take(rows.astype(np.int32)), fleet


def _record(qubits, needs):
    profile = Profile(
        hash="c",
        qubits=qubits,
        n1=3 * qubits,
        n2=4 * qubits,
        measurements=qubits,
        depth2=4 * qubits,
        path1=qubits,
        path2=4 * qubits,
        path_m=1,
        idle=float(qubits * (qubits + 1)),
        interactions=2 * qubits,
        density=0.4,
        line=False,
        cliffordness=0.5,
        dynamic=False,
    )
    spec = JobSpec(
        circuits=[Circuit(name="c", qasm="OPENQASM 3.0;")],
        shots=1000 * qubits,
        requirements=Requirements(**needs),
    )
    return JobRecord(name="job", spec=spec, profiles=[profile], submitted_at=NOW)


@pytest.fixture(scope="session")
def make_crowd():
    return crowd
