"""What came of a scenario under a policy."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.simulation.scenario import BEGIN
from qsched.fleet.windows import closes_in_s
from qsched.scoring import estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.simulation.scenario import Scenario
    from qsched.fleet.snapshot import Fleet

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

_STEP_S = 600.0
"""Starts within this time count as one moment for the age of a calibration, which moves in days."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """N jobs after a simulation. Times are seconds since its beginning; not-a-number for what never was.

    Attributes:
        policy: Whose decisions they were.
        scenario: Of what.
        arrives_s: (N,) when a job came.
        starts_s: (N,) when it began to run.
        ends_s: (N,) when its result was there.
        column: (N,) where it ran; -1 if it did not.
        success: (N,) success probability, as estimated at the start with the calibration of that time.
        cost: (N,) price.
        due_s: (N,) until when it should be done; infinite without a limit.
        moves: How often a placed job was placed elsewhere.
        decisions_s: (D,) real seconds that each decision took.
        busy: (B,) share of the time until the last result in which a backend worked for these jobs.
        wall_s: Real seconds that the simulation took.
    """

    policy: str
    scenario: str
    arrives_s: Floats
    starts_s: Floats
    ends_s: Floats
    column: Ints
    success: Floats
    cost: Floats
    due_s: Floats
    moves: int
    decisions_s: Floats
    busy: Floats
    wall_s: float

    @property
    def wait_s(self) -> Floats:
        """(N,) seconds until a job began to run."""
        return self.starts_s - self.arrives_s

    @property
    def completion_s(self) -> Floats:
        """(N,) seconds until its result was there."""
        return self.ends_s - self.arrives_s

    def summary(self) -> dict[str, float]:
        """The metrics; jobs that never ended count in ``unfinished`` and ``late`` only."""
        done = np.isfinite(self.ends_s)
        wait, completion = _spread(self.wait_s[done]), _spread(self.completion_s[done])
        limited = np.isfinite(self.due_s)
        return {
            "wait_mean_s": wait[0],
            "wait_p50_s": wait[1],
            "wait_p95_s": wait[2],
            "wait_p999_s": wait[3],
            "wait_max_s": wait[4],
            "completion_mean_s": completion[0],
            "completion_p50_s": completion[1],
            "completion_p95_s": completion[2],
            "success": _mean(self.success[done]),
            "cost": _mean(self.cost[done]),
            "utilisation": _mean(self.busy),
            "utilisation_spread": float(np.std(self.busy)),
            "deadlines_met": _mean((self.ends_s <= self.due_s)[limited]),
            "unfinished": float((~done).sum()),
            "moves": float(self.moves),
            "decision_ms": 1e3 * _mean(self.decisions_s),
            "decision_total_s": float(self.decisions_s.sum()),
        }


def true_success(
    scenario: Scenario, fleets: Sequence[tuple[float, Fleet]], starts_s: Floats, column: Ints
) -> tuple[Floats, Floats]:
    """Success probability and price of jobs where and when they ran, by the estimator itself.

    Args:
        scenario: The jobs.
        fleets: The fleet from each time on, in the order of time: its calibrations changed then.
        starts_s: (N,) when each job started; not-a-number if it did not.
        column: (N,) where.

    Returns:
        (N,) success probabilities and (N,) prices; not-a-number for jobs that did not run.
    """
    success, cost = np.full(len(starts_s), np.nan), np.full(len(starts_s), np.nan)
    ran = np.flatnonzero(np.isfinite(starts_s))
    epoch = np.searchsorted([at for at, _ in fleets], starts_s[ran], side="right") - 1
    moment = np.floor(starts_s[ran] / _STEP_S)
    groups, group = np.unique(np.column_stack([epoch, moment]), axis=0, return_inverse=True)
    group = group.ravel()
    for index, (which, when) in enumerate(groups):
        rows = ran[group == index].astype(np.int32)
        since_s, fleet = fleets[int(which)]
        idle = np.zeros(len(fleet))
        fleet = at_moment(fleet, max(when * _STEP_S, since_s), wait_s=idle, wait_p90_s=idle.copy())
        found = estimate(scenario.jobs.take(rows), fleet)
        every = np.arange(len(rows))
        success[rows] = found.success[every, column[rows]]
        cost[rows] = found.cost[every, column[rows]]
    return success, cost


def at_moment(fleet: Fleet, now_s: float, **columns: Any) -> Fleet:
    """A fleet at a later moment: calibrations have grown older, and windows nearer to their end.

    Args:
        fleet: At an earlier moment.
        now_s: The moment.
        columns: What else is different then.
    """
    now = BEGIN + dt.timedelta(seconds=now_s)
    later_s = (now - fleet.now).total_seconds()
    due_s = fleet.recalibrates_in_s.copy()
    drifts = np.isfinite(due_s)
    every_s = fleet.age_s[drifts] + due_s[drifts]
    due_s[drifts] = np.mod(due_s[drifts] - later_s, every_s)
    left_s = fleet.closes_in_s
    if any(record.spec.windows for record in fleet.records):
        left_s = np.array([closes_in_s(record.spec.windows, now) for record in fleet.records])
    return dataclasses.replace(
        fleet, now=now, age_s=fleet.age_s + later_s, recalibrates_in_s=due_s, closes_in_s=left_s, **columns
    )


def _spread(values: Floats) -> tuple[float, float, float, float, float]:
    """Mean, P50, P95, P99.9 and maximum."""
    if not values.size:
        return (np.nan,) * 5
    p50, p95, p999, most = np.quantile(values, [0.5, 0.95, 0.999, 1.0])
    return float(values.mean()), float(p50), float(p95), float(p999), float(most)


def _mean(values: Floats | NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")
