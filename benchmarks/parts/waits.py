"""How true forecasts of queue depths are, ten minutes, an hour and six hours ahead.

The constants in qsched are fitted to four days and judged on the four that follow, against the present depth
(P50) and the present depth times the ratio that was best on the days of the fit (P90).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Findings, Plot, Table
from benchmarks.measured.disturbed import CAP, capped, closed, unread
from benchmarks.measured.files import read_queues
from benchmarks.measured.queues import (
    HORIZONS_MIN,
    cases,
    fit_rates,
    fit_ratio,
    fit_ratio_tasks,
    pinball,
    pinball_tasks,
    shipped,
    with_rates,
)
from benchmarks.plots import axes
from qsched.fleet.forecast import ARRIVALS_PER_H, FILLING_PER_H, LONGEST_H, depth_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.measured.files import Queues
    from benchmarks.measured.queues import Cases, Forecast

    Loss = Callable[..., float]

SEED = 0
FIT, TEST = range(4), range(4, 8)
_SPLITS = {
    "first four, last four": (FIT, TEST),
    "last four, first four": (TEST, FIT),
    "even, odd": (range(0, 8, 2), range(1, 8, 2)),
    "odd, even": (range(1, 8, 2), range(0, 8, 2)),
}
_NAMES = dict(zip(HORIZONS_MIN, ("10min", "1h", "6h"), strict=True))
_SHOWN = ("ibm_hanoi", "ibm_brisbane")
_FANS_EVERY_MIN = 360
_FAN_STEP_MIN = 15


def run(*, quick: bool) -> Findings:  # noqa: ARG001 - it takes two seconds
    """Pinball losses on days that were not fitted to, over those of persistence.

    Args:
        quick: Changes nothing.
    """
    queues = read_queues()
    fits = {each: cases(queues, queues, each, FIT) for each in HORIZONS_MIN}
    shows = {
        "as read": (queues, queues),
        "a fifth unknown": (unread(queues, SEED), queues),
        f"capped at {CAP:.0f}": (capped(queues), capped(queues)),
        "a fifth closed": (closed(queues, SEED), closed(queues, SEED)),
    }
    tests = {name: {h: cases(*seen, h, TEST) for h in HORIZONS_MIN} for name, seen in shows.items()}
    ratios = {name: _over_persistence(fits, test, shipped) for name, test in tests.items()}
    plain, read = ratios["as read"], tests["as read"]
    refitted = fit_rates(list(fits.values()))
    figures: dict[str, float] = {"cases": sum(len(each.depth) for each in read.values())}
    for horizon, name in _NAMES.items():
        test = read[horizon]
        figures[f"p50_{name}"] = plain[horizon, 0.5]
        figures[f"p90_{name}"] = plain[horizon, 0.9]
        figures[f"below_p90_{name}"] = float((test.later <= _forecast(test, shipped(0.9))).mean())
        ratio = fit_ratio_tasks(fits[horizon], 0.9)
        figures[f"p90_tasks_{name}"] = _over_ratio(ratio, test, shipped(0.9), pinball_tasks)
    figures["p50_disturbed"] = max(each[key] for each in ratios.values() for key in each if key[1] == 0.5)
    figures["p90_disturbed"] = max(each[key] for each in ratios.values() for key in each if key[1] == 0.9)
    figures["forecast_of_closed"] = int(np.isfinite(depth_ahead([-1.0, np.nan], 600.0)).sum())
    figures["shipped_off"] = max(
        abs(refitted.arrivals / ARRIVALS_PER_H - 1), abs(refitted.filling / FILLING_PER_H - 1)
    )
    headings = [f"{quantile}, {name}" for quantile in ("P50", "P90") for name in _NAMES.values()]
    return Findings(
        figures,
        [
            Table(
                "Pinball loss of log(1 + depth) over persistence's, last four days",
                ["queues", *headings],
                [[name, *_in_order(each)] for name, each in ratios.items()],
                "Below 1 is better than persistence: at P50 the present depth, at P90 that times the ratio "
                "that was best on the first four days.",
            ),
            Table(
                "The same with other days to fit to",
                ["days (fit, test)", "arrivals (1/h)", "filling (1/h)", *headings],
                [[name, *_split(queues, *days)] for name, days in _SPLITS.items()],
            ),
        ],
        {
            "ratios": {name: _in_order(each) for name, each in ratios.items()},
            "fans": [_fans(queues, device) for device in _SHOWN],
        },
    )


def draw(data: Mapping[str, Any]) -> Iterator[Plot]:
    """Losses beside persistence's, and forecasts as they were made."""
    figure, plot = axes("horizon", "pinball loss over persistence's (P90)")
    width = 0.8 / len(data["ratios"])
    for index, (name, each) in enumerate(data["ratios"].items()):
        plot.bar(np.arange(3) + (index - 1.5) * width, each[3:], width, label=name)
    plot.axhline(1, color="0.3", linewidth=1)
    plot.set(ylim=(0, 1.1))
    plot.set_xticks(range(3), ["10 minutes", "1 hour", "6 hours"])
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    yield Plot(
        "losses", "P90 of the queue depth on the last four days; 1 is persistence times a ratio.", figure
    )
    for each in data["fans"]:
        figure, plot = axes("hour of 21 and 22 November 2023 (UTC)", "tasks in the queue", width_in=6)
        plot.plot(each["hours"], each["depth"], color="0.2", linewidth=1, label="queue")
        for index, fan in enumerate(each["fans"]):
            label = "P50 to P90, six hours ahead" if index == 0 else None
            plot.fill_between(fan["hours"], fan["p50"], fan["p90"], color="C0", alpha=0.35, label=label)
            plot.plot(fan["hours"], fan["p50"], color="C0", linewidth=1.2)
        plot.set(ylim=(0, None), xlim=(0, 48))
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        yield Plot(
            f"fan_{each['device']}", f"Forecasts of {each['device']}'s queue, every six hours.", figure
        )


def _forecast(test: Cases, forecast: Forecast) -> Any:
    return forecast(test.depth, test.ahead_s)


def _over_persistence(
    fits: Mapping[int, Cases], tests: Mapping[int, Cases], forecast: Callable[[float], Forecast]
) -> dict[tuple[int, float], float]:
    """Losses over persistence's by horizon and quantile."""
    found = {}
    for horizon, test in tests.items():
        median = pinball(_forecast(test, forecast(0.5)), test.later, 0.5)
        found[horizon, 0.5] = median / pinball(test.depth, test.later, 0.5)
        found[horizon, 0.9] = _over_ratio(fit_ratio(fits[horizon], 0.9), test, forecast(0.9), pinball)
    return found


def _over_ratio(ratio: float, test: Cases, forecast: Forecast, loss: Loss) -> float:
    persistence = (1 + test.depth) * ratio - 1
    return loss(_forecast(test, forecast), test.later, 0.9) / loss(persistence, test.later, 0.9)


def _split(queues: Queues, fit_days: Sequence[int], test_days: Sequence[int]) -> list[float]:
    fits = {each: cases(queues, queues, each, fit_days) for each in HORIZONS_MIN}
    tests = {each: cases(queues, queues, each, test_days) for each in HORIZONS_MIN}
    rates = fit_rates(list(fits.values()))
    return [*rates, *_in_order(_over_persistence(fits, tests, lambda quantile: with_rates(rates, quantile)))]


def _in_order(ratios: Mapping[tuple[int, float], float]) -> list[float]:
    return [ratios[horizon, quantile] for quantile in (0.5, 0.9) for horizon in HORIZONS_MIN]


def _fans(queues: Queues, device: str) -> dict[str, Any]:
    """Two test days of a device, and what was forecast every six hours."""
    depth = queues.depth[:, queues.devices.index(device)]
    start = int(np.flatnonzero(queues.day == 5)[0])
    ahead_min = np.arange(0, LONGEST_H * 60 + 1, _FAN_STEP_MIN)
    fans = []
    for minute in range(0, 2 * 1440, _FANS_EVERY_MIN):
        p50, p90 = depth_ahead(depth[start + minute], ahead_min * 60)
        fans.append({"hours": (minute + ahead_min) / 60, "p50": p50, "p90": p90})
    shown = np.arange(0, 2 * 1440, _FAN_STEP_MIN)
    read = depth[start + shown]
    return {
        "device": device,
        "hours": shown[np.isfinite(read)] / 60,
        "depth": read[np.isfinite(read)],
        "fans": [fan for fan in fans if np.isfinite(fan["p50"]).all()],
    }
