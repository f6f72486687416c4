"""When jobs come: (N,) ascending seconds from 0, with the given mean rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Arrivals: TypeAlias = Callable[[int, float, np.random.Generator], Floats]

DAY_S = 86_400.0

_BURST_JOBS = 50
_BURST_SHARE = 0.05
"""Jobs of one burst, and the share of the mean time between bursts that one lasts."""

_DIURNAL_DEPTH = 0.8
"""How far the rate goes up and down around its mean in a day."""


def poisson(count: int, rate: float, rng: np.random.Generator) -> Floats:
    """Independent users: exponential times between jobs."""
    return np.cumsum(rng.exponential(1 / rate, count))


def steady(count: int, rate: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001 - nothing is drawn
    """A job every so many seconds, exactly."""
    return np.arange(1, count + 1, dtype=np.float64) / rate


def bursts(count: int, rate: float, rng: np.random.Generator) -> Floats:
    """Jobs in heaps, as a parameter sweep sends them; heaps come as independent users do."""
    heaps = -(-count // _BURST_JOBS)
    starts_s = np.cumsum(rng.exponential(_BURST_JOBS / rate, heaps))
    within_s = rng.uniform(0, _BURST_SHARE * _BURST_JOBS / rate, (heaps, _BURST_JOBS))
    return np.sort((starts_s[:, None] + within_s).ravel())[:count]


def diurnal(count: int, rate: float, rng: np.random.Generator) -> Floats:
    """Independent users who sleep at night: the rate follows a sine over the day, least at midnight."""
    uniform = np.cumsum(rng.exponential(1 / rate, count))  # in units of the integrated rate
    grid_s = np.linspace(0, uniform[-1] + 2 * DAY_S, 20_000)
    turn = 2 * np.pi * grid_s / DAY_S
    expected = grid_s - _DIURNAL_DEPTH * np.sin(turn) * DAY_S / (2 * np.pi)
    return np.interp(uniform, expected, grid_s)


def overload(count: int, rate: float, rng: np.random.Generator) -> Floats:
    """Independent users, of whom the middle third come at three times the rate of the others."""
    gaps_s = rng.exponential(1 / rate, count)
    third = count // 3
    gaps_s[third : 2 * third] *= 3 / 7
    gaps_s[:third] *= 9 / 7
    gaps_s[2 * third :] *= 9 / 7
    return np.cumsum(gaps_s)


ARRIVALS: dict[str, Arrivals] = {
    "poisson": poisson,
    "steady": steady,
    "bursts": bursts,
    "diurnal": diurnal,
    "overload": overload,
}
"""The patterns, by name."""
