"""What the scheduler of a simulation knows of queues: qsched's own wait model of each backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.fleet.waits import WaitModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Depths = NDArray[np.int64]

_UNKNOWN = -1


class Waits:
    """B wait models, which learn from our tasks as the engine's do.

    Attributes:
        service_s: (B,) seconds a place in the queue.
    """

    def __init__(self, backends: int) -> None:
        """Nothing was observed yet."""
        self._models = [WaitModel()] * backends
        self.service_s: Floats = np.array([model.service_s for model in self._models])
        self._depths: Depths = np.full(backends, _UNKNOWN)
        self._predicted: Floats = np.empty((backends, 2))

    def observe(self, column: int, ahead: int, wait_s: float, run_s: float) -> None:
        """A task of ours has run: how many were ahead of it, how long it waited and ran."""
        self._models[column] = self._models[column].observe(ahead, wait_s, run_s)
        self.service_s[column] = self._models[column].service_s
        self._depths[column] = _UNKNOWN

    def predict(self, depths: Depths) -> Floats:
        """(B, 2) P50 and P90 in seconds of the wait behind so many tasks."""
        for column in np.flatnonzero(depths != self._depths).tolist():
            self._predicted[column] = self._models[column].predict(int(depths[column]))
        self._depths = depths.copy()
        return self._predicted
