"""How long tasks really run on a backend, over what was computed for them.

``fleet.durations`` computes the seconds of a run from a few terms that are fitted to one provider's devices.
Another provider may bill other things, or its devices may pause longer between shots. What is learnt here is
one factor a backend: the median of the last ratios. A prior around 1 takes part as a handful of ratios, so
that the first runs move the factor a little, and one that is far out moves it no more than any other.
"""

from __future__ import annotations

import math
from statistics import NormalDist, median

import msgspec

from qsched.errors import InvalidInput

MOST = 30.0
"""The factor and each ratio stay within 1 / MOST and MOST: what lies beyond is an error of somebody's."""

LEAST_S = 1e-3
"""A run that was computed to be shorter than this says nothing: it is that of an ideal simulator."""

_PRIOR_SIGMA = 0.5
_PRIOR_SIZE = 7  # odd, so that the factor is exactly 1 at first
_MEMORY = 128

_PRIOR = tuple(
    NormalDist(0.0, _PRIOR_SIGMA).inv_cdf((index + 0.5) / _PRIOR_SIZE) for index in range(_PRIOR_SIZE)
)


class RunModel(msgspec.Struct, frozen=True):
    """What was learnt of one backend's runs; immutable, and plain data for the store.

    Attributes:
        log_ratios: log(seconds that a run took / seconds computed for it) of the last runs.
    """

    log_ratios: tuple[float, ...] = ()

    @property
    def factor(self) -> float:
        """What the computed seconds of a run are to be multiplied by; 1 before anything is observed."""
        return math.exp(median((*_PRIOR, *self.log_ratios)))

    def observe(self, computed_s: float, took_s: float) -> RunModel:
        """The model after one more run.

        Args:
            computed_s: Seconds that were computed for it, before any factor.
            took_s: Seconds that it took.

        Returns:
            A new model; this one if the run says nothing.

        Raises:
            ValueError: If a time is negative or not finite.
        """
        if not all(math.isfinite(each) and each >= 0 for each in (computed_s, took_s)):
            raise ValueError(f"a run computed to take {computed_s} s cannot have taken {took_s} s")
        if computed_s < LEAST_S:
            return self
        ratio = min(MOST, max(1 / MOST, took_s / computed_s))
        return RunModel((*self.log_ratios, math.log(ratio))[-_MEMORY:])

    def encode(self) -> bytes:
        """The model for the store."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> RunModel:
        """A model that ``encode`` wrote.

        Raises:
            InvalidInput: If the bytes are not a model.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"a stored run model cannot be read: {error}") from error
