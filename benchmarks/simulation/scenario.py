"""What happens in a simulation whatever a policy does."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from qsched.fleet.snapshot import Fleet, build_fleet
from qsched.scoring import estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qsched.fleet.quality import DeviceQuality
    from qsched.fleet.snapshot import BackendRecord
    from qsched.scoring import JobColumns

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

BEGIN = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
"""Second 0 of every simulation, a Monday."""


class Change(NamedTuple):
    """Something happens to a backend.

    Attributes:
        at_s: When.
        column: Of which backend.
        kind: ``down`` and ``up`` are the ends of an outage, ``shut`` and ``open`` those of a closing time,
            ``recalibrated`` gives the device new errors, ``foreign`` is somebody else's task.
        quality: The device's quality from then on, when it is recalibrated.
        run_s: Seconds that somebody else's task takes.
    """

    at_s: float
    column: int
    kind: Literal["down", "up", "shut", "open", "recalibrated", "foreign"]
    quality: DeviceQuality | None = None
    run_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Scenario:
    """N jobs and B backends, and what happens to them.

    Attributes:
        name: What reports call it.
        names: (N,) of the jobs.
        jobs: (N,) as they are when they come; ``remaining_s`` counts from then.
        arrives_s: (N,) when they come, in ascending order.
        backends: (B,) records; calibration times are before or at ``BEGIN``.
        changes: What happens to backends, in the order of time.
        noise: Sigma of the logarithm of real over estimated run times.
        seed: Of the noise, and of what policies draw.
    """

    name: str
    names: Sequence[str]
    jobs: JobColumns
    arrives_s: Floats
    backends: Sequence[BackendRecord]
    changes: Sequence[Change] = ()
    noise: float = 0.1
    seed: int = 0

    def preferring(self, fidelity: float) -> Scenario:
        """The same with other wishes of the users: qsched's one trade-off.

        Args:
            fidelity: The weight of fidelity in every job's score; the rest is the weight of the wait.
        """
        weights = np.tile(np.array([fidelity, 1 - fidelity, 0, 0], dtype=np.float32), (len(self.names), 1))
        return dataclasses.replace(self, jobs=dataclasses.replace(self.jobs, weights=weights))

    def jobs_at(self, rows: NDArray[np.int32], now_s: float) -> JobColumns:
        """Some of the jobs, with times that count from a moment."""
        jobs = self.jobs.take(rows)
        waited_s = now_s - self.arrives_s[rows]
        remaining_s = (jobs.remaining_s - waited_s).astype(np.float32)
        limit_s = np.minimum(remaining_s, jobs.max_queue_s)
        tau_s = np.where(np.isfinite(limit_s), np.maximum(limit_s, 1.0), jobs.tau_s).astype(np.float32)
        return dataclasses.replace(jobs, waited_s=waited_s, remaining_s=remaining_s, tau_s=tau_s)

    @cached_property
    def fleet(self) -> Fleet:
        """The fleet at the beginning."""
        return build_fleet(self.backends, BEGIN)

    @cached_property
    def run_s(self) -> Singles:
        """(N, B) estimated seconds on the device; recalibrations do not change them."""
        return estimate(self.jobs, self.fleet).run_s

    @cached_property
    def slowness(self) -> Floats:
        """(N,) real over estimated run time of each job, wherever it runs."""
        rng = np.random.default_rng([self.seed, 1])
        return np.exp(rng.normal(-(self.noise**2) / 2, self.noise, len(self.names)))
