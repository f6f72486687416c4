"""Jobs scored on a fleet, with everything that is needed to say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qsched.scoring import Pair, build_jobs, estimate, verdicts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qsched.api.job import Verdict
    from qsched.fleet.snapshot import Fleet
    from qsched.scoring import Estimates, JobColumns, JobRecord, Refined


class Scored(NamedTuple):
    """J jobs on B backends at one moment.

    Attributes:
        records: J jobs.
        jobs: The same as columns.
        fleet: The B backends.
        estimates: What each backend would make of each job.
    """

    records: list[JobRecord]
    jobs: JobColumns
    fleet: Fleet
    estimates: Estimates

    def verdict(self, row: int, column: int) -> Verdict:
        """One pair in words, by stage 1."""
        return self._verdicts(row, [column])[0]

    def verdicts(self, row: int) -> list[Verdict]:
        """One job on every backend, in the fleet's order."""
        return self._verdicts(row, range(len(self.fleet)))

    def _verdicts(self, row: int, columns: Iterable[int]) -> list[Verdict]:
        pairs = [Pair(self.records[row], row, column, stage2=False) for column in columns]
        return verdicts_of(pairs, self.jobs, self.fleet, self.estimates)


def score(
    records: list[JobRecord], fleet: Fleet, refinements: Mapping[tuple[int, int], Refined] | None = None
) -> Scored:
    """Score jobs on a fleet; ``refinements`` are stage 2 figures by (row, column)."""
    jobs = build_jobs(records, fleet.now)
    return Scored(records, jobs, fleet, estimate(jobs, fleet, refinements))
