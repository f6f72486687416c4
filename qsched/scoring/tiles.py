"""Jobs in tiles: a fixed number of jobs whose circuits need the same of a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.scoring.features import Features, features
from qsched.scoring.limits import Limits, limits_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qsched.scoring.jobs import JobColumns

    Ints = NDArray[np.int32]
    Singles = NDArray[np.float32]

TILE = 16
"""Jobs of a tile. The last tile of each size is filled up with a job that it has already."""

LARGEST = 2**15 - 1
"""A layout that larger ones count as; no circuit that is accepted has nearly half as many qubits."""


_FEW = 2048
"""Fewer jobs than these stay together: more tiles would have to be filled up than limits are spared."""


class Tiles(NamedTuple):
    """Some jobs, in the order of their sizes.

    Attributes:
        rows: (S,) the row of the job in each of the S places; S is a multiple of ``TILE``.
        real: (S,) whether the job is there for the first time, and not to fill up its tile.
        sizes: (T,) ``JobColumns.layout`` of each tile's jobs.
        given: The weighted features of the S places.
        limits: Limits of the jobs; None where nobody has to look at them.
    """

    rows: NDArray[np.intp]
    real: NDArray[np.bool_]
    sizes: Ints
    given: Features
    limits: Limits | None


def tiles(jobs: JobColumns, rows: slice) -> Iterator[Tiles]:
    """The jobs at ``rows`` in tiles: first those without limits, whose limits nobody has to look at.

    Args:
        jobs: All jobs.
        rows: Some of them; many at once, so that few tiles have to be filled up.
    """
    sizes = np.minimum(jobs.layout[rows], LARGEST)
    limited = _limited(jobs, rows) if len(sizes) > _FEW else np.ones(len(sizes), dtype=np.bool_)
    # Sixteen bits are sorted in linear time.
    key = sizes.astype(np.uint16)
    key += limited * np.uint16(LARGEST + 1)
    order = np.argsort(key, kind="stable")
    free = len(order) - int(np.count_nonzero(limited))
    for some, are_limited in ((order[:free], False), (order[free:], True)):
        if some.size:
            yield _tiles(jobs, some, sizes[some], rows.start, limited=are_limited)


def multiply(given: Singles, coefficients: Singles, tables: NDArray[np.intp] | None, out: Singles) -> Singles:
    """The features of each tile times the coefficients of its size, or times those that all share.

    Args:
        given: (S, K) features of whole tiles.
        coefficients: (U, K, B) of each size, or (K, B) of all.
        tables: (T,) which of the U each tile takes; None where all share one.
        out: (S, B) becomes the product, and is returned.
    """
    places, backends = out.shape
    left, product = given.reshape(-1, TILE, given.shape[1]), out.reshape(places // TILE, TILE, backends)
    if tables is None or tables[0] == tables[-1]:
        np.matmul(left, coefficients if tables is None else coefficients[tables[0]], out=product)
    else:
        np.matmul(left, coefficients[tables], out=product)
    return out


def _tiles(jobs: JobColumns, order: NDArray[np.intp], sizes: Ints, first: int, *, limited: bool) -> Tiles:
    """Jobs that are in order already."""
    starts = np.flatnonzero(np.concatenate([[True], sizes[1:] != sizes[:-1]]))
    counts = np.diff(starts, append=len(sizes))
    padded = -(-counts // TILE) * TILE
    ends = np.cumsum(padded)
    within = np.arange(ends[-1]) - np.repeat(ends - padded, padded)
    last = np.repeat(counts - 1, padded)
    places = order[np.repeat(starts, padded) + np.minimum(within, last)]
    places += first
    given = features(jobs, places, weighted=True)
    return Tiles(
        rows=places,
        real=within <= last,
        sizes=np.repeat(sizes[starts], padded // TILE),
        given=given,
        limits=limits_of(jobs, places, given) if limited else None,
    )


def _limited(jobs: JobColumns, rows: slice) -> NDArray[np.bool_]:
    """Which of the jobs have a limit, or another selection than most have."""
    limited: NDArray[np.bool_] = jobs.selection[rows] != jobs.usual
    for limits in (jobs.max_cost, jobs.remaining_s, jobs.max_queue_s, jobs.max_age_s):
        limited |= limits[rows] < np.inf
    limited |= jobs.min_fidelity[rows] > 0
    return limited
