"""The best few backends of very many jobs, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.scoring.estimate import Scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Ints = NDArray[np.int32]

KEEP = 5
"""How many backends stage 2 looks at (design section 6)."""

_THREADS = 2


class Shortlist(NamedTuple):
    """The best K backends of J jobs, best first; the lower column wins a tie.

    Attributes:
        columns: (J, K) columns of the fleet; -1 where fewer than K may run the job.
        scores: (J, K) their scores; 0 there.
    """

    columns: Ints
    scores: Singles

    @property
    def best(self) -> Ints:
        """(J,) the best backend, -1 if none may run the job."""
        return self.columns[:, 0]

    @property
    def runner_up(self) -> Ints:
        """(J,) the second best, -1 if there is none."""
        return self.columns[:, 1]


def stage1(jobs: JobColumns, fleet: Fleet, *, keep: int = KEEP, threads: int = _THREADS) -> Shortlist:
    """Score every job on every backend and keep the best few.

    Memory beyond the answer is a few megabytes a thread, whatever J is.

    Args:
        jobs: J jobs whose times count from the fleet's ``now``.
        fleet: B backends.
        keep: K, at least 2.
        threads: How many blocks are scored at the same time.

    Returns:
        The same scores as ``estimate`` makes, the K best of each job.
    """
    scorer = Scorer(jobs, fleet)
    answer = Shortlist(
        np.full((len(jobs), keep), -1, dtype=np.int32), np.zeros((len(jobs), keep), dtype=np.float32)
    )

    def score(rows: slice) -> None:
        block = scorer.evaluate(rows, {})
        size = rows.stop - rows.start
        offers = np.where(block.reasons == 0, block.score, np.float32(-np.inf))[:size]
        answer.columns[rows], answer.scores[rows] = shortlist(offers, keep)

    blocks = list(scorer.blocks())
    if len(blocks) < 2 or threads < 2:
        for rows in blocks:
            score(rows)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(score, blocks))
    return answer


def shortlist(offers: Singles, keep: int = KEEP) -> Shortlist:
    """The best K columns of each row.

    Args:
        offers: (J, B) scores; minus infinity where the job may not run.
        keep: K.
    """
    rows = np.arange(len(offers))
    columns = np.full((len(offers), keep), -1, dtype=np.int32)
    scores = np.zeros((len(offers), keep), dtype=np.float32)
    left = offers.copy()
    for place in range(min(keep, offers.shape[1])):
        best = left.argmax(axis=1)
        value = left[rows, best]
        real = np.isfinite(value)
        columns[real, place] = best[real]
        scores[real, place] = value[real]
        left[rows, best] = -np.inf
    return Shortlist(columns, scores)
