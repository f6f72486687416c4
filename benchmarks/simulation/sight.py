"""What the scheduler of a simulation sees: jobs and fleet at a moment, as qsched's engine has them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.simulation.outcome import at_moment
from benchmarks.simulation.view import View
from benchmarks.simulation.waits import Waits
from qsched.fleet.snapshot import build_fleet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.simulation.provider import Servers
    from benchmarks.simulation.scenario import Change, Scenario
    from qsched.fleet.snapshot import Fleet

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]


class Sight:
    """The scheduler's knowledge of a scenario, as far as time has gone.

    Attributes:
        fleets: The fleet from each time on: devices were recalibrated then.
        waits: What was learnt of the backends' queues.
    """

    def __init__(self, scenario: Scenario, servers: Servers) -> None:
        """The beginning.

        Args:
            scenario: What happens.
            servers: The backends, as the providers show them.
        """
        self.fleets: list[tuple[float, Fleet]] = [(0.0, scenario.fleet)]
        self.waits = Waits(len(scenario.backends))
        self._scenario, self._servers = scenario, servers
        self._records = list(scenario.backends)
        self._rng = np.random.default_rng([scenario.seed, 2])
        self._thorough = False

    def recalibrate(self, change: Change) -> None:
        """A device has new errors, and they are fresh."""
        base = at_moment(self.fleets[-1][1], change.at_s)
        self._records[change.column] = dataclasses.replace(
            self._records[change.column], quality=change.quality, calibration_taken_at=base.now
        )
        self.fleets.append((change.at_s, build_fleet(self._records, base.now)))

    def view(self, now_s: float, rows: Ints, place: Ints, staying: NDArray[np.intp]) -> View:
        """What a policy is shown.

        Args:
            now_s: The moment.
            rows: (J,) the jobs that are to be placed.
            place: (N,) where every job is placed so far.
            staying: Placed jobs that stay where they are, whatever the answer is.
        """
        columns = place[staying]
        work_s = self._scenario.run_s[staying, columns]
        backlog_s = np.bincount(columns, work_s, len(self._records)).astype(np.float64)
        return View(
            now_s=now_s,
            names=[self._scenario.names[job] for job in rows.tolist()],
            jobs=self._scenario.jobs_at(rows, now_s),
            fleet=self._fleet(now_s, backlog_s),
            queue_s=self._servers.ahead_s(now_s, self.waits.service_s) + backlog_s,
            current=place[rows],
            rng=self._rng,
            thorough=self._thorough,
        )

    def learn(self, view: View) -> None:
        """Hear what a policy looked at: one that wants all estimates shall have everything at one scoring."""
        self._thorough = self._thorough or view.estimated

    def _fleet(self, now_s: float, backlog_s: Floats) -> Fleet:
        """The fleet as the engine would see it: waits predicted from depths, and what is placed there."""
        waits = self.waits.predict(self._servers.depth)
        return at_moment(
            self.fleets[-1][1],
            now_s,
            online=self._servers.online.copy(),
            in_flight=self._servers.own.copy(),
            wait_s=waits[:, 0] + backlog_s,
            wait_p90_s=waits[:, 1] + backlog_s,
        )
