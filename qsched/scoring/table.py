"""Scores that are kept, of which only those are computed again that a change touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.fleet.snapshot import build_fleet
from qsched.scoring.scorer import Scorer
from qsched.scoring.threads import THREADS, in_threads
from qsched.scoring.tiles import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.fleet.snapshot import BackendRecord, Fleet
    from qsched.scoring.jobs import JobColumns
    from qsched.scoring.tiles import Tiles

    Singles = NDArray[np.float32]
    Ints = NDArray[np.int32]

_TASK_JOBS = 32768
_SAMPLE = 1024
"""Jobs that are looked at to see whether one backend alone gives the same bits."""


class ScoreTable:
    """J jobs on B backends at one moment: 4 bytes a pair, and about 250 bytes a job besides the jobs.

    After any changes the scores are the same bits as if all had been computed anew.
    """

    def __init__(self, jobs: JobColumns, fleet: Fleet, *, threads: int = THREADS) -> None:
        """Score every job on every backend.

        Args:
            jobs: J jobs whose times count from the fleet's ``now``.
            fleet: B backends.
            threads: How many blocks are scored at the same time.
        """
        self._jobs, self._fleet, self._threads = jobs, fleet, threads
        self._scores = np.empty((len(jobs), len(fleet)), dtype=np.float32)
        self._tasks = [slice(start, start + _TASK_JOBS) for start in range(0, len(jobs), _TASK_JOBS)]
        self._tiles: dict[int, list[Tiles]] = {}  # by task, made when a backend changes
        self._score_all()

    @property
    def scores(self) -> Singles:
        """(J, B) scores; minus infinity where the job may not run. Changes change it in place."""
        view = self._scores.view()
        view.setflags(write=False)
        return view

    @property
    def fleet(self) -> Fleet:
        """The backends as they are now."""
        return self._fleet

    def backend_changed(self, record: BackendRecord) -> None:
        """Score one backend again, whose queue, calibration or anything else changed.

        Args:
            record: What is known of it now.

        Raises:
            KeyError: If the fleet has no backend of this name.
        """
        self._fleet = self._fleet.with_record(record)
        column = self._fleet.index(record.name)
        # Twice, because a product with one column is summed in another order.
        twice = build_fleet([record, record], self._fleet.now, currencies=self._fleet.currencies)
        narrow = Scorer(self._jobs, twice)
        if not self._agree(narrow, column):
            self._score_all()
            return

        def score(task: int) -> None:
            for several in self._prepared(task):
                for part in narrow.scored(several):
                    offer = part.buffers.score[:, 0]
                    offer[offer < 0] = -np.inf
                    self._scores[part.rows, column] = offer

        in_threads(score, range(len(self._tasks)), self._threads)

    def jobs_changed(self, jobs: JobColumns, rows: Ints) -> None:
        """Score some jobs again.

        Args:
            jobs: All J jobs as they are now.
            rows: (R,) the ones that differ from what they were.

        Raises:
            ValueError: If the number of jobs is another one.
        """
        if len(jobs) != len(self._jobs):
            raise ValueError(
                f"the table has {len(self._jobs)} jobs, and is given {len(jobs)}; make a new one"
            )
        self._jobs = jobs
        for task in np.unique(rows // _TASK_JOBS).tolist():
            self._tiles.pop(task, None)
        some = Scorer(jobs.take(rows), self._fleet)

        def score(block: slice) -> None:
            self._scores[rows[block]] = some.offers(block)[0]

        in_threads(score, list(some.blocks()), self._threads)

    def _score_all(self) -> None:
        scorer = Scorer(self._jobs, self._fleet)

        def score(rows: slice) -> None:
            self._scores[rows] = scorer.offers(rows)[0]

        in_threads(score, list(scorer.blocks()), self._threads)

    def _prepared(self, task: int) -> list[Tiles]:
        """The jobs of a task in tiles, which do not depend on the fleet; safe to call for different tasks."""
        if (made := self._tiles.get(task)) is None:
            made = self._tiles[task] = list(tiles(self._jobs, self._tasks[task]))
        return made

    def _agree(self, narrow: Scorer, column: int) -> bool:
        """Whether products of this width have the same bits as those of the whole fleet, seen in a block.

        They have on processors with AVX-512. Others may sum in another order, and then nearly all jobs show.
        """
        rows = slice(0, min(len(self._jobs), _SAMPLE))
        if not rows.stop:
            return True
        wide = Scorer(self._jobs, self._fleet)
        return np.array_equal(narrow.offers(rows)[0][:, 0], wide.offers(rows)[0][:, column])
