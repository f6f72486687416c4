"""What the scheduler of a simulation knows of queues: qsched's own wait model of each backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.fleet.waits import WaitModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Waits:
    """B wait models, which learn from our tasks as the engine's do."""

    def __init__(self, backends: int) -> None:
        """Nothing was observed yet."""
        self._models = [WaitModel()] * backends
        self._predicted: dict[tuple[int, int], tuple[float, float]] = {}

    @property
    def service_s(self) -> list[float]:
        """(B,) seconds a place in the queue."""
        return [model.service_s for model in self._models]

    def observe(self, column: int, ahead: int, wait_s: float, run_s: float) -> None:
        """A task of ours has run: how many were ahead of it, how long it waited and ran."""
        self._models[column] = self._models[column].observe(ahead, wait_s, run_s)
        self._predicted = {key: value for key, value in self._predicted.items() if key[0] != column}

    def predict(self, depths: Sequence[int]) -> NDArray[np.float64]:
        """(B, 2) P50 and P90 in seconds of the wait behind so many tasks."""
        for key in enumerate(depths):
            if key not in self._predicted:
                self._predicted[key] = self._models[key[0]].predict(key[1])
        return np.array([self._predicted[key] for key in enumerate(depths)])
