"""How deep a queue will be: its depth in ten minutes, an hour or six, as a median and a 90 % quantile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

ARRIVALS_PER_H = 12.0
"""Tasks an hour by which a queue grows at most, in nine cases of ten."""

FILLING_PER_H = 2.0
CALM_H = 1.0
"""The median: a queue that is shorter than ``FILLING_PER_H`` tasks for each hour beyond ``CALM_H`` fills."""

LONGEST_H = 6.0
"""Forecasts were judged up to this; what lies further ahead is as uncertain as this."""


def depth_ahead(depth: ArrayLike, ahead_s: ArrayLike) -> tuple[Floats, Floats]:
    """Depth of a queue some time from now.

    A queue stays as deep as it is, in the median, except that one which is nearly empty fills. What may come
    in is a number of tasks that grows with the time ahead and, found in the data, not with the depth: a ratio
    of the depth is far too wide for long queues and too narrow for short ones. Fitted to the queues of 12
    QPUs of IBM, 16 to 19 November 2023 (Qonductor's artifact, arXiv:2408.04312); ``python -m benchmarks
    waits`` fits it again and judges it on the days that follow.

    Args:
        depth: Tasks that wait or run there now; not-a-number where unknown, negative where it is closed.
        ahead_s: Seconds from now, or from when the depth was read.

    Returns:
        P50 and P90 in the common shape, P90 not below P50; both rise with the depth and with the time ahead.
        Not-a-number where the depth is unknown or the queue closed: there is nothing to start from.
    """
    known = np.asarray(depth, dtype=np.float64)
    known = np.where(known >= 0, known, np.nan)
    hours = np.clip(np.asarray(ahead_s, dtype=np.float64) / 3600, 0, LONGEST_H)
    p50 = np.maximum(known, FILLING_PER_H * np.maximum(hours - CALM_H, 0))
    return p50, known + ARRIVALS_PER_H * hours
