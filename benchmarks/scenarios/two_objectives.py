"""Instances for two objectives: real circuits on real calibrations, as qsched's own estimates have them.

Jobs are drawn as Qonductor's evaluation draws them (its ``scheduler_analysis.py``): some fifty
circuits a job, 4,000 shots each; here they are of the MQT Bench families. Devices are IBM's published
calibrations. A queue is anything up to the share of the work that a backend would get if all got the same.
Both optimisers get the same seconds, success probabilities and queues; only the choice differs.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.scenarios.circuits import TYPICAL, circuits
from benchmarks.scenarios.profiles import kept_profiles
from qsched.api.backend import BackendSpec
from qsched.api.job import Circuit, JobSpec
from qsched.circuits.profile import Profile, profile
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import BackendRecord, build_fleet
from qsched.scoring import JobRecord, build_jobs, estimate
from qsched_aer.snapshots import load_snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Flags = NDArray[np.bool_]


class Size(NamedTuple):
    """How large an instance is.

    Attributes:
        jobs: How many wait.
        backends: How many there are.
        wide: Whether circuits have 2 to 27 qubits and devices 5 to 127, so that not every pair is
            feasible; else circuits have 3 to 7 qubits and every device has room for them.
    """

    jobs: int
    backends: int
    wide: bool = False

    @property
    def name(self) -> str:
        """Such as ``100x4``."""
        return f"{self.jobs}x{self.backends}" + ("_wide" if self.wide else "")


SIZES = (
    Size(100, 4),
    Size(100, 8),
    Size(100, 16),
    Size(500, 8),
    Size(1000, 16),
    Size(1000, 16, wide=True),
)


class Instance(NamedTuple):
    """Jobs that wait, and what each backend would do for them.

    Attributes:
        run_s: (J, B) seconds that a job takes of a backend.
        success: (J, B) estimated success probability.
        queue_s: (B,) seconds of work that wait at a backend before.
        feasible: (J, B) whether the device has room for the job's circuits.
    """

    run_s: Singles
    success: Singles
    queue_s: Singles
    feasible: Flags


FALCONS = (
    "algiers", "auckland", "cairo", "casablanca", "geneva", "guadalupe", "hanoi", "jakarta", "kolkata",
    "lagos", "montreal", "mumbai", "nairobi", "peekskill", "perth", "sydney",
)  # fmt: skip
"""Devices of one family with 7, 16 or 27 qubits."""

MIXED = (
    "lima", "quito", "manila", "perth", "lagos", "nairobi", "guadalupe", "cairo", "hanoi", "kolkata",
    "mumbai", "montreal", "brooklyn", "washington", "sherbrooke", "brisbane",
)  # fmt: skip
"""Devices with 5 to 127 qubits."""

_NARROW = (3, 5, 7)  # qubits of the circuits
_WIDE = (2, 3, 5, 7, 9, 12, 16, 20, 27)
_DOUBLING = ("grover", "hhl", "randomcircuit")
_WIDEST_DOUBLING = 9
_CIRCUITS_SEED = 5
_CIRCUITS = (50.0, 20.0)
_MOST_CIRCUITS = 100
_SHOTS = 4000
_NOW = dt.datetime(2023, 11, 20, 12, 0, tzinfo=dt.UTC)
_OVERHEAD_S = 3.0


def instance(size: Size, *, seed: int) -> Instance:
    """The instance of a size.

    Args:
        size: How many jobs and backends, and whether they differ in width.
        seed: Of the choice of circuits and devices, of the jobs' lengths and of the queues.
    """
    rng = np.random.default_rng([seed, *size])
    devices = rng.choice(MIXED if size.wide else FALCONS, size.backends, replace=False)
    palette = _profiles(_WIDE if size.wide else _NARROW)
    fleet = build_fleet([_backend(str(name)) for name in devices], _NOW)
    each = build_jobs([_job(one) for one in palette], _NOW)
    drawn = each.take(rng.integers(len(palette), size=size.jobs).astype(np.int32))
    count = np.clip(rng.normal(*_CIRCUITS, size.jobs).round(), 1, _MOST_CIRCUITS)
    drawn = dataclasses.replace(drawn, circuits=count.astype(np.float32))
    estimates = estimate(drawn, fleet)
    feasible = drawn.qubits[:, None] <= fleet.qubits
    share_s = estimates.run_s.mean(axis=1).sum() / size.backends
    queue_s = (share_s * rng.uniform(0, 1, size.backends)).astype(np.float32)
    return Instance(estimates.run_s, estimates.success, queue_s, feasible)


def _profiles(sizes: tuple[int, ...]) -> list[Profile]:
    key = {"sizes": sizes, "seed": _CIRCUITS_SEED, "families": TYPICAL, "doubling": _WIDEST_DOUBLING}
    return kept_profiles("two-objectives-profiles", key, lambda: _make(sizes))


def _make(sizes: tuple[int, ...]) -> list[Profile]:
    """Circuits whose gates double with each qubit stay small."""
    small = [size for size in sizes if size <= _WIDEST_DOUBLING]
    large = [size for size in sizes if size > _WIDEST_DOUBLING]
    linear = [family for family in TYPICAL if family not in _DOUBLING]
    made = circuits(small, seed=_CIRCUITS_SEED) + circuits(large, seed=_CIRCUITS_SEED, families=linear)
    return [profile(circuit) for circuit in made]


def _backend(device: str) -> BackendRecord:
    calibration = load_snapshot(device)
    return BackendRecord(
        name=device,
        spec=BackendSpec(driver="aer", device=device),
        quality=quality(calibration),
        calibration_id=device,
        calibration_taken_at=_NOW,
        overhead_s=_OVERHEAD_S,
    )


def _job(circuit: Profile) -> JobRecord:
    spec = JobSpec(circuits=[Circuit(name="c", qasm="OPENQASM 3.0;")], shots=_SHOTS)
    return JobRecord(name="job", spec=spec, profiles=[circuit], submitted_at=_NOW)
