"""What scoring is held against: a matrix product of the same shapes, fused with exp and argmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsched.scoring.threads import in_threads

if TYPE_CHECKING:
    from qsched.scoring.features import Features

_PAIRS = 32_768
"""Pairs of a chunk; of the powers of two the fastest."""

_PIECES = 8  # of a chunk, each small enough that the library multiplies it on the thread that asks

_CHUNKS_PER_TASK = 8

_MOST_JOBS = 65_536
"""Rows of the features; more jobs go through the same rows again, so that memory is not measured."""


def width(features: Features) -> int:
    """How many features a job has: columns of the matrices that are multiplied, without those of zeros."""
    matrices = features[:6]
    return sum(int(matrix.any(axis=0).sum()) for matrix in matrices)


@dataclass
class Roofline:
    """A product of (jobs, features) with (features, backends) in chunks, exp of it, and each row's argmax.

    Attributes:
        jobs: J.
        backends: B.
        features: K.
    """

    jobs: int
    backends: int
    features: int

    def __post_init__(self) -> None:
        """Draw the matrices."""
        rng = np.random.default_rng(0)
        self._left = rng.random((min(self.jobs, _MOST_JOBS), self.features), dtype=np.float32)
        self._right = -rng.random((self.features, self.backends), dtype=np.float32)
        self.best = np.empty(self.jobs, dtype=np.int32)

    def run(self, threads: int) -> None:
        """Do it once, on so many threads."""
        rows = max(_PIECES, min(_PAIRS // self.backends, len(self._left) // _PIECES * _PIECES))
        step = rows * _CHUNKS_PER_TASK
        tasks = [slice(start, min(start + step, self.jobs)) for start in range(0, self.jobs, step)]

        def task(part: slice) -> None:
            product = np.empty((rows, self.backends), dtype=np.float32)
            for start in range(part.start, part.stop, rows):
                left = self._left[start % (len(self._left) - rows + 1) :][:rows]
                np.matmul(
                    left.reshape(_PIECES, rows // _PIECES, self.features),
                    self._right,
                    out=product.reshape(_PIECES, rows // _PIECES, self.backends),
                )
                np.exp(product, out=product)
                size = min(rows, part.stop - start)
                self.best[start : start + size] = product[:size].argmax(axis=1)

        in_threads(task, tasks, threads)
