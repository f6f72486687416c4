"""How errors move with the age of a calibration, and what the age is worth in an estimate.

Daily calibrations of one device over five months; each month is judged by a fit to the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Findings, Plot, Table
from benchmarks.measured.ageing import (
    AGES,
    MOST_DAYS,
    SIZES,
    SUCCESS,
    choices,
    effective,
    entrants,
    factor,
    fit_drift,
    out_of_month,
    pairs,
)
from benchmarks.measured.contest import POOL, compete
from benchmarks.measured.perth import read_calibrations
from benchmarks.plots import axes
from qsched.fleet.drift import DRIFT_PER_SQRT_DAY, drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from benchmarks.measured.ageing import Pairs
    from benchmarks.measured.perth import Calibrations

    Floats = NDArray[np.float64]

SEED = 0
_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 30)
_TOLD = (1, 7, 14, 30)


def run(*, quick: bool) -> Findings:  # noqa: ARG001 - it takes three seconds
    """Bias and error of the success, and regret, with and without the age.

    Args:
        quick: Changes nothing.
    """
    device = read_calibrations()
    chosen = choices(device)
    every = pairs(device, chosen)
    rates = out_of_month(device, every)
    rate = np.array([rates[month] for month in device.month[every.later].tolist()])
    aged: Floats = every.success - SUCCESS ** factor(rate, every.days)
    fresh: Floats = every.success - SUCCESS
    refitted = fit_drift(every)
    contests = [entrants(device, chosen, month, each) for month, each in rates.items()]
    outcomes = [compete(*each, seed=SEED) for each in contests if len(each.where) >= POOL * len(AGES)]
    figures = {
        "calibrations": len(device.taken_at),
        "bias": float(aged.mean()),
        "bias_without": float(fresh.mean()),
        "rmse_ratio": float(np.sqrt((aged**2).mean() / (fresh**2).mean())),
        "regret": float(np.mean([each.knowing.regret for each in outcomes])),
        "regret_without": float(np.mean([each.ignoring.regret for each in outcomes])),
        "factor_hour": float(drift(3600.0)),
        "factor_week": float(drift(7 * 86_400.0)),
        "factor_month": float(drift(30 * 86_400.0)),
        "lost_day": _lost(every, 1),
        "lost_week": _lost(every, 7),
        "lost_month": _lost(every, 30),
        "shipped_off": abs(refitted / DRIFT_PER_SQRT_DAY - 1),
    }
    figures["regret_ratio"] = figures["regret"] / figures["regret_without"]
    moves = {name: [_moved(device, each, days) for days in _DAYS] for name, each in _measured(device).items()}
    return Findings(
        figures,
        [
            Table(
                "How far a figure of one qubit or coupler moves (standard deviation of its logarithm)",
                ["figure", *(f"{days} d" for days in _DAYS)],
                [[name, *each] for name, each in moves.items()],
                "Daily calibrations; what happens within a day was not measured.",
            ),
            Table(
                f"Success on the qubits that looked best, of circuits expected to have {SUCCESS}",
                ["age (days)", "success", "lost for want of a new calibration", "factor", "factor in qsched"],
                [
                    [
                        days,
                        float(every.success[:, np.round(every.days) == days].mean()),
                        _lost(every, days),
                        effective(every, days),
                        float(drift(days * 86_400.0)),
                    ]
                    for days in _DAYS
                ],
            ),
            Table(
                "Growth of the log error in a day, fitted to the other months",
                ["month of 2023", "growth", "all months"],
                [[month, each, refitted] for month, each in rates.items()],
            ),
        ],
        {
            "days": _DAYS,
            "moves": moves,
            "factors": [effective(every, days) for days in _DAYS],
            "lost": {
                str(size): [float(every.lost[row, np.round(every.days) == days].mean()) for days in _TOLD]
                for row, size in enumerate(SIZES)
            },
        },
    )


def draw(data: Mapping[str, Any]) -> Iterator[Plot]:
    """How far figures move, what the age multiplies, and what a stale calibration costs."""
    figure, plot = axes("age of the calibration (days)", "standard deviation of the log ratio")
    for (name, each), marker in zip(data["moves"].items(), "os^dv", strict=True):
        plot.plot(data["days"], each, marker=marker, markersize=4, label=name)
    plot.set(xscale="log", ylim=(0, None))
    plot.set_xticks(data["days"], [str(days) for days in data["days"]])
    plot.minorticks_off()
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    yield Plot("moves", "How far figures of one qubit or coupler move with the calibration's age.", figure)

    figure, plot = axes("age of the calibration (days)", "factor of the log success")
    days = np.linspace(0, MOST_DAYS, 200)
    plot.plot(data["days"], data["factors"], "o", label="measured on what looked best")
    plot.plot(days, drift(days * 86_400), label="qsched")
    plot.axhline(1, color="0.6", linewidth=1)
    plot.set(xlim=(0, MOST_DAYS), ylim=(0.95, None))
    plot.legend(loc="upper left")
    yield Plot("factor", "What the age of a calibration does to the log success on what looked best.", figure)

    figure, plot = axes("age of the calibration (days)", "success lost")
    width = 0.8 / len(data["lost"])
    for index, (size, each) in enumerate(data["lost"].items()):
        plot.bar(np.arange(len(_TOLD)) + (index - 1.5) * width, each, width, label=f"{size} qubits")
    plot.set_xticks(range(len(_TOLD)), [str(days) for days in _TOLD])
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    yield Plot(
        "lost",
        f"Success lost by choosing qubits from an old calibration; circuits are expected to have {SUCCESS}.",
        figure,
    )


def _measured(device: Calibrations) -> dict[str, Floats]:
    return {
        "two-qubit error": device.gate2_error,
        "one-qubit error": device.gate1_error,
        "readout error": device.readout_error,
        "T1": device.t1_s,
        "T2": device.t2_s,
    }


def _moved(device: Calibrations, values: Floats, days: int) -> float:
    """Standard deviation of log(later / earlier) over calibrations that many days apart."""
    apart = device.taken_at[None, :] - device.taken_at[:, None]
    earlier, later = np.nonzero(np.round(apart) == days)
    return float(np.log(values[later] / values[earlier]).std())


def _lost(every: Pairs, days: int) -> float:
    return float(every.lost[:, np.round(every.days) == days].mean())
