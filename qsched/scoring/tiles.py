"""Jobs in tiles: a fixed number of jobs whose circuits have the same number of qubits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.scoring.features import Features, features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.scoring.jobs import JobColumns

    Ints = NDArray[np.int32]

TILE = 32
"""Jobs of a tile. The last tile of each size is filled up with a job that it has already."""


class Tiles(NamedTuple):
    """Some jobs, in the order of their sizes.

    Attributes:
        rows: (S,) the row of the job in each of the S places; S is a multiple of ``TILE``.
        sizes: (T,) qubits of each tile's jobs.
        given: The weighted features of the S places.
    """

    rows: NDArray[np.intp]
    sizes: Ints
    given: Features


def tiles(jobs: JobColumns, rows: slice) -> Tiles:
    """The jobs at ``rows`` in tiles."""
    qubits = jobs.qubits[rows]
    # Sixteen bits are sorted in linear time; sizes beyond them are those of ideal simulators, all alike.
    order = np.argsort(np.minimum(qubits, 65_535).astype(np.uint16), kind="stable")
    ordered = qubits[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    counts = np.diff(starts, append=len(ordered))
    padded = -(-counts // TILE) * TILE
    ends = np.cumsum(padded)
    within = np.arange(ends[-1]) - np.repeat(ends - padded, padded)
    places = np.repeat(starts, padded) + np.minimum(within, np.repeat(counts - 1, padded))
    taken = order[places] + rows.start
    return Tiles(
        rows=taken,
        sizes=np.repeat(ordered[starts], padded // TILE),
        given=features(jobs.take(taken), weighted=True),
    )
