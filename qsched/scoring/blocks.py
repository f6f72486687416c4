"""Blocks of jobs: the arrays that they are scored in, and everything that is known of them afterwards."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from qsched.scoring.features import Features
    from qsched.scoring.limits import Limits

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Masks = NDArray[np.uint32]


class Refined(NamedTuple):
    """What stage 2 knows of one job on one backend, from its transpiled circuits.

    Attributes:
        log_success: Mean over the circuits, without drift.
        path_s: Mean critical path of the circuits in seconds.
        longest_s: The longest one up to the last readout, which has an error of its own.
        t2_s: Low quantile of T2 over the used qubits.
    """

    log_success: float
    path_s: float
    longest_s: float
    t2_s: float


Refinements = dict[tuple[int, int], Refined]
"""(row of the job, column of the backend) to what stage 2 knows."""


@dataclass(frozen=True, eq=False)
class Block:
    """R jobs on B backends.

    Attributes:
        log_success: (R, B) of the circuits' geometric mean, drift included, before the hazard of
            recalibration.
        success: (R, B) estimated success probability; it is the fidelity utility.
        run_s: (R, B) seconds on the device.
        critical_path_s: (R, B) seconds of the longest circuit up to its last readout.
        window_s: (R, B) coherence window in seconds; infinite for an ideal simulator.
        cost: (R, B) in each backend's currency; 0 without a price.
        wait: (R, B) wait utility.
        coherence: (R, B) coherence utility.
        thrift: (R, B) cost utility.
        reasons: (R, B) ``Reason`` bits; 0 where the job may run.
        score: (R, B) weighted utility in [0, 1]; 0 where the job may not run.
    """

    log_success: Singles
    success: Singles
    run_s: Singles
    critical_path_s: Singles
    window_s: Singles
    cost: Floats
    wait: Singles
    coherence: Singles
    thrift: Singles
    reasons: Masks
    score: Singles


BLOCK_TYPES: dict[str, type[np.generic]] = dict.fromkeys(
    (each.name for each in fields(Block)), np.float32
) | {
    "cost": np.float64,
    "reasons": np.uint32,
}


class Buffers(NamedTuple):
    """(R, B) arrays that one block after the other uses."""

    spare: Singles
    run_s: Singles
    term: Singles
    score: Singles

    def shaped(self, rows: int, backends: int) -> Buffers:
        """The same memory for so many jobs and backends."""
        return Buffers(*(each[: rows * backends].reshape(rows, backends) for each in self))


def buffers(pairs: int) -> Buffers:
    """Memory for so many pairs, without a shape."""
    return Buffers(*np.empty((4, pairs), dtype=np.float32))


class Part(NamedTuple):
    """A block of a task.

    Attributes:
        rows: (S,) row of the job in each place.
        real: (S,) whether the job is there for the first time, and not to fill up its tile.
        tables: (T,) index of each tile's size in the tables of coefficients.
        given: Features of the places.
        limits: Their limits; None if nobody has to look at them.
        buffers: For the S places.
    """

    rows: NDArray[np.intp]
    real: Bools
    tables: NDArray[np.intp]
    given: Features
    limits: Limits | None
    buffers: Buffers


def refined_at(rows: NDArray[np.intp], refinements: Mapping[tuple[int, int], Refined]) -> Refinements:
    """The refinements of a block, by the place in it."""
    if not refinements:
        return {}
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows.tolist()):
        places.setdefault(row, []).append(place)
    return {
        (place, column): refined
        for (row, column), refined in refinements.items()
        for place in places.get(row, [])
    }
