"""The best few backends of very many jobs, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.scoring.scorer import Scorer
from qsched.scoring.threads import THREADS, in_threads
from qsched.scoring.tiles import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Ints = NDArray[np.int32]

KEEP = 5
"""How many backends stage 2 looks at (design section 6)."""

_TASK = 131_072
"""Jobs that are put in order together."""


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


def stage1(jobs: JobColumns, fleet: Fleet, *, keep: int = KEEP, threads: int = THREADS) -> Shortlist:
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
        for several in tiles(jobs, rows):
            for part in scorer.scored(several):
                best = _best(part.buffers.score, keep)
                for place in range(keep):  # whole rows at once would take four times as long
                    answer.columns[:, place][part.rows] = best.columns[:, place]
                    answer.scores[:, place][part.rows] = best.scores[:, place]

    in_threads(score, [slice(i, min(i + _TASK, len(jobs))) for i in range(0, len(jobs), _TASK)], threads)
    return answer


def shortlist(offers: Singles, keep: int = KEEP) -> Shortlist:
    """The best K columns of each row.

    Args:
        offers: (J, B) scores; minus infinity where the job may not run.
        keep: K.
    """
    return _best(offers.copy(), keep)


def _best(left: Singles, keep: int) -> Shortlist:
    """The best columns of each row; ``left`` loses them."""
    jobs, backends = left.shape
    columns = np.full((jobs, keep), -1, dtype=np.int32)
    scores = np.zeros((jobs, keep), dtype=np.float32)
    cells, first = left.reshape(-1), np.arange(jobs) * backends
    for place in range(min(keep, backends)):
        best = left.argmax(axis=1)
        columns[:, place] = best
        best += first
        scores[:, place] = cells.take(best)
        cells[best] = -np.inf
    feasible = scores >= 0
    # Arithmetic, since choosing by a mask takes several times as long.
    columns += 1
    columns *= feasible
    columns -= 1
    np.maximum(scores, 0, out=scores)
    return Shortlist(columns, scores)
