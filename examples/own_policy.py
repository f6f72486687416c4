"""A scheduling policy of one's own, compared with qsched's.

Run ``python -m benchmarks policies --policy examples/own_policy.py:near_best`` in a checkout of qsched. Needs
``pip install 'qsched[aer,bench]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.simulation import View


def near_best(view: View) -> NDArray[np.int32]:
    """Of the backends within 5 % of a job's best success, the one that is done with it first."""
    choice = np.full(len(view.names), -1, dtype=np.int32)
    queue_s = view.queue_s.copy()
    for job in np.flatnonzero(view.feasible.any(axis=1)):
        success = np.where(view.feasible[job], view.success[job], 0)
        good = success >= 0.95 * success.max()
        choice[job] = np.where(good, queue_s + view.run_s[job], np.inf).argmin()
        queue_s[choice[job]] += view.run_s[job, choice[job]]
    return choice
