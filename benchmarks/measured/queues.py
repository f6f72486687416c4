"""Forecasts of queue depths: what is forecast from what, the losses, and the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.fleet.forecast import CALM_H, depth_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.measured.files import Queues

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Forecast = Callable[["Floats", "Floats"], "Floats"]

HORIZONS_MIN = (10, 60, 360)
_EVERY_MIN = 5


class Cases(NamedTuple):
    """N forecasts to make, all of one horizon.

    Attributes:
        depth: (N,) the last depth that was read.
        ahead_s: (N,) seconds from that reading to the moment that is forecast.
        later: (N,) the depth at that moment.
    """

    depth: Floats
    ahead_s: Floats
    later: Floats


class Rates(NamedTuple):
    """The constants of ``qsched.fleet.forecast``, tasks an hour."""

    arrivals: float
    filling: float


def cases(seen: Queues, true: Queues, horizon_min: int, days: Sequence[int]) -> Cases:
    """Every fifth minute of some days, on every device, where the later moment is on the same day.

    Args:
        seen: What a forecaster sees. Where nothing was read it has the last reading and its age; a closed
            device has no queue to forecast.
        true: What is forecast; of the same minutes. Moments at which it is unknown or closed are left out.
        horizon_min: Minutes from now.
        days: As in ``Queues.day``.
    """
    at = np.arange(0, len(seen.minute) - horizon_min, _EVERY_MIN)
    at = at[np.isin(seen.day[at], days) & (seen.day[at] == seen.day[at + horizon_min])]
    row = _last_read(seen.depth)[at]
    depth = np.take_along_axis(seen.depth, np.maximum(row, 0), axis=0)
    ahead_s = (at[:, None] - row + horizon_min) * 60.0
    later = true.depth[at + horizon_min]
    usable = (row >= 0) & (depth >= 0) & (later >= 0)
    return Cases(depth[usable], ahead_s[usable], later[usable])


def pinball(forecast: Floats, later: Floats, quantile: float) -> float:
    """Mean pinball loss of log(1 + depth).

    Depths go from 0 to 4,241 and devices differ as much. In logarithms an error of a factor counts the same
    on each, which is also what persistence times a ratio assumes.
    """
    error = np.log1p(later) - np.log1p(forecast)
    return float(np.maximum(quantile * error, (quantile - 1) * error).mean())


def pinball_tasks(forecast: Floats, later: Floats, quantile: float) -> float:
    """Mean pinball loss in tasks; the longest queues decide it."""
    error = later - forecast
    return float(np.maximum(quantile * error, (quantile - 1) * error).mean())


def fit_ratio(fit: Cases, quantile: float) -> float:
    """The ratio that makes persistence best in ``pinball``: (1 + later) / (1 + depth) at the quantile."""
    return float(np.exp(np.quantile(np.log1p(fit.later) - np.log1p(fit.depth), quantile)))


def fit_ratio_tasks(fit: Cases, quantile: float) -> float:
    """The ratio that makes persistence best in ``pinball_tasks``, to a hundredth."""
    ratios = np.arange(0.5, 8.0, 0.01)
    losses = [pinball_tasks((1 + fit.depth) * ratio - 1, fit.later, quantile) for ratio in ratios]
    return float(ratios[np.argmin(losses)])


def fit_rates(fits: Sequence[Cases]) -> Rates:
    """The constants that make the sum of the losses over the horizons least, each over persistence's."""
    arrivals = min(np.arange(2.0, 30.0, 0.5), key=lambda rate: _excess(fits, 0.9, _grows(rate)))
    filling = min(np.arange(0.0, 6.0, 0.25), key=lambda rate: _excess(fits, 0.5, _fills(rate)))
    return Rates(float(arrivals), float(filling))


def shipped(quantile: float) -> Forecast:
    """What qsched forecasts."""
    return lambda depth, ahead_s: depth_ahead(depth, ahead_s)[0 if quantile == 0.5 else 1]


def with_rates(rates: Rates, quantile: float) -> Forecast:
    """What qsched would forecast with other constants."""
    return _fills(rates.filling) if quantile == 0.5 else _grows(rates.arrivals)


def _grows(rate: float) -> Forecast:
    return lambda depth, ahead_s: depth + rate * ahead_s / 3600


def _fills(rate: float) -> Forecast:
    return lambda depth, ahead_s: np.maximum(depth, rate * np.maximum(ahead_s / 3600 - CALM_H, 0))


def _excess(fits: Sequence[Cases], quantile: float, forecast: Forecast) -> float:
    return sum(
        pinball(forecast(fit.depth, fit.ahead_s), fit.later, quantile)
        / pinball(fit.depth, fit.later, quantile)
        for fit in fits
    )


def _last_read(depth: Floats) -> Ints:
    """(M, Q) the row of the last reading at or before each minute; -1 before the first."""
    rows = np.where(np.isnan(depth), -1, np.arange(len(depth))[:, None])
    return np.maximum.accumulate(rows, axis=0)
