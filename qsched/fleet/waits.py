"""How long a task will wait in a provider's queue.

The wait is the queue's depth times a service time, and an error around it that is far from normal: most
waits are near the prediction, some are many times longer. So everything is kept in logarithms: an
exponentially weighted mean of the log service time, and the last residuals, whose quantiles give P50 and
P90. A prior takes part as a handful of residuals and fades as observations come in.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from qsched.errors import InvalidInput
from qsched.fleet.forecast import depth_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PRIOR_SERVICE_S = 10.0
"""Seconds a task, before anything is observed: the order of the median of real jobs on IBM's devices
(Qonductor's artifact, arXiv:2408.04312: 7 s)."""
PRIOR_WAIT_S = 900.0
"""Median wait in seconds in a queue of unknown depth, before anything is observed."""

_RESIDUAL_SIGMA = 1.0
_WAIT_SIGMA = 2.0
"""Standard deviations of the priors' logarithms: P90 is 3.6 times P50 with a depth, 13 times without."""
_PRIOR_SIZE = 16
_MEMORY = 128
"""How many observations the prior weighs, and how many are remembered."""
_LEAST_RATE = 0.05
_CLIP = 3.0
"""An observation moves the log service time by at most rate x clip, so that one outlier cannot spoil it."""
_LEAST_WAIT_S = 1e-3


def _prior(sigma: float) -> tuple[float, ...]:
    """Evenly spaced quantiles of a normal distribution around 0."""
    normal = NormalDist(0.0, sigma)
    return tuple(normal.inv_cdf((i + 0.5) / _PRIOR_SIZE) for i in range(_PRIOR_SIZE))


_PRIOR_RESIDUALS = _prior(_RESIDUAL_SIGMA)
_PRIOR_LOG_WAITS = tuple(math.log(PRIOR_WAIT_S) + x for x in _prior(_WAIT_SIGMA))


class WaitModel(msgspec.Struct, frozen=True):
    """What was learnt of one backend's queue; immutable, and plain data for the store.

    Attributes:
        log_service: Logarithm of the service time in seconds a place in the queue.
        observations: How many times the service time was observed.
        residuals: log(wait / prediction) of the last observations with a known depth.
        log_waits: log(wait in seconds) of the last observations.
    """

    log_service: float = math.log(PRIOR_SERVICE_S)
    observations: int = 0
    residuals: tuple[float, ...] = ()
    log_waits: tuple[float, ...] = ()

    @property
    def service_s(self) -> float:
        """Seconds a place in the queue."""
        return math.exp(self.log_service)

    def observe(self, depth: int | None, wait_s: float, run_s: float | None = None) -> WaitModel:
        """The model after one more task has run.

        Args:
            depth: How many tasks were ahead of it when it was submitted; None when unknown.
            wait_s: Seconds from its submission to its start.
            run_s: Seconds that it ran; where no depth tells the service time, this does.

        Returns:
            A new model.

        Raises:
            ValueError: If the depth is negative, or a time is negative or not finite.
        """
        times_s = [wait_s] if run_s is None else [wait_s, run_s]
        if not all(math.isfinite(x) and x >= 0 for x in times_s) or (depth is not None and depth < 0):
            raise ValueError(f"a task cannot have waited {wait_s} s behind {depth} others and run {run_s} s")
        model = msgspec.structs.replace(self, log_waits=(*self.log_waits, _log(wait_s))[-_MEMORY:])
        if depth:
            residual = _log(wait_s) - math.log(depth) - self.log_service
            model = msgspec.structs.replace(model, residuals=(*self.residuals, residual)[-_MEMORY:])
            return _moved(model, residual)
        return model if run_s is None else _moved(model, _log(run_s) - self.log_service)

    def predict(
        self, depth: int | None, quoted_s: float | None = None, ahead_s: float = 0.0
    ) -> tuple[float, float]:
        """The median and the 90 % quantile of the wait.

        Args:
            depth: How many tasks are ahead; None when unknown.
            quoted_s: The provider's own prediction, used when the depth is unknown.
            ahead_s: Seconds until the task is handed over; others may come before it until then.

        Returns:
            P50 and P90 in seconds from then on, P90 not below P50. Both are positive, but for an empty queue
            (depth 0): P50 is 0 where it has no time to fill, P90 too where the task is handed over at once.
        """
        if depth is not None:
            low, high = (math.exp(x) for x in _quantiles((*_PRIOR_RESIDUALS, *self.residuals)))
            median, most = (float(x) * self.service_s for x in depth_ahead(depth, ahead_s))
            # That tasks take longer and that more of them come have nothing to do with each other.
            spread_s = math.hypot(median * (high - low), (most - median) * low)
            return median * low, median * low + spread_s
        if quoted_s is not None:
            low, high = _quantiles(_PRIOR_RESIDUALS)
            quoted_s = max(quoted_s, _LEAST_WAIT_S)
            return quoted_s * math.exp(low), quoted_s * math.exp(high)
        low, high = _quantiles((*_PRIOR_LOG_WAITS, *self.log_waits))
        return math.exp(low), math.exp(high)

    def encode(self) -> bytes:
        """The model for the store."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> WaitModel:
        """A model that ``encode`` wrote.

        Raises:
            InvalidInput: If the bytes are not a model.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"a stored wait model cannot be read: {error}") from error


def _log(seconds: float) -> float:
    return math.log(max(seconds, _LEAST_WAIT_S))


def _moved(model: WaitModel, residual: float) -> WaitModel:
    """The model with its log service time moved towards an observation."""
    # Nearly a plain mean at first, in which the prior counts as one observation.
    rate = max(_LEAST_RATE, 1 / (model.observations + 2))
    return msgspec.structs.replace(
        model,
        log_service=model.log_service + rate * max(-_CLIP, min(_CLIP, residual)),
        observations=model.observations + 1,
    )


def predict_waits(models: Sequence[WaitModel], depths: Sequence[int | None]) -> tuple[Floats, Floats]:
    """The predictions for a fleet.

    Args:
        models: B models.
        depths: B depths; None when unknown.

    Returns:
        (B,) medians and (B,) 90 % quantiles in seconds.
    """
    pairs = [model.predict(depth) for model, depth in zip(models, depths, strict=True)]
    columns = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _quantiles(values: tuple[float, ...]) -> tuple[float, float]:
    """The median and the 90 % quantile; the upper middle one of an even number."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[int(0.9 * len(ordered))]
