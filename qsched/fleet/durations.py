"""How long a task runs on a device: a few physical terms, fitted to several thousand real jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

OVERHEAD_S = 2.38
"""Seconds that a task takes besides its shots, where the device does not say."""

DOUBLING_SHOTS = 240_000.0
"""A task of this many shots has twice the overhead of one of a few shots: results have to be returned."""

REPETITION_S = 262e-6
"""Seconds between two shots, reset and repetition delay, where the device does not say."""

LAYER_S = 234e-9
"""Seconds of a layer of a transpiled circuit, where nothing is known of its gates."""


def overhead_growth(shots: ArrayLike, doubling_shots: float = DOUBLING_SHOTS) -> Floats:
    """The overhead of a task over that of one with no shots at all.

    Args:
        shots: Of the whole task, all circuits together.
        doubling_shots: How many double it.

    Returns:
        1 + sqrt(shots / doubling_shots), in the shape of ``shots``.
    """
    growth: Floats = 1 + np.sqrt(np.asarray(shots, dtype=np.float64) / doubling_shots)
    return growth


def run_s(
    shots: ArrayLike,
    path_s: ArrayLike,
    *,
    reset_s: ArrayLike = REPETITION_S,
    overhead_s: ArrayLike = OVERHEAD_S,
    doubling_shots: float = DOUBLING_SHOTS,
) -> Floats:
    """Seconds that a task runs.

    ``overhead_s (1 + sqrt(shots / DOUBLING_SHOTS)) + shots (reset_s + path_s)``. The constants are fitted to
    5,599 real jobs on IBM's devices (Qonductor's artifact, arXiv:2408.04312), each circuit length being
    ``LAYER_S`` times the depth; ``python -m benchmarks durations`` fits them again and judges the fit on
    circuits that it did not see. A device that states its overhead, its repetition time or the length of its
    gates replaces a constant each, so that a device nobody has measured can be estimated.

    Args:
        shots: Of the whole task, all circuits together.
        path_s: Length of a circuit in seconds, the mean over the task's circuits.
        reset_s: Seconds between two shots.
        overhead_s: Seconds that a task of a few shots takes besides its shots.
        doubling_shots: How many shots double the overhead.

    Returns:
        Seconds, in the common shape of the arguments.
    """
    shots = np.asarray(shots, dtype=np.float64)
    overhead = np.asarray(overhead_s) * overhead_growth(shots, doubling_shots)
    seconds: Floats = overhead + shots * (np.asarray(reset_s) + np.asarray(path_s))
    return seconds
