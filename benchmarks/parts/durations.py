"""How true the estimated execution times are, on real jobs.

Every job is predicted by a fit that saw none of its circuits (five folds over distinct circuits). Qonductor's
regression is fitted to the same jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Findings, Plot, Table
from benchmarks.measured.executions import SHIPPED, fit_terms, folds, of_equals, polynomial, predict, unseen
from benchmarks.measured.files import read_executions
from benchmarks.plots import axes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from benchmarks.measured.files import Executions

    Floats = NDArray[np.float64]

SEED = 0
_FOLDS = 5
_SHORT_S = 10.0
_POINTS = 1500
_NARROW = 5
_OURS, _THEIRS, _BARE = "qsched", "degree-2 regression (Qonductor)", "repetition time only"
_EQUALS = 5
_LIMIT = f"median of {_EQUALS} or more jobs with equal sums"


def run(*, quick: bool) -> Findings:  # noqa: ARG001 - it takes two seconds
    """Relative errors of the execution time of 5,599 jobs.

    Args:
        quick: Changes nothing.
    """
    jobs = read_executions()
    fold = folds(jobs, _FOLDS, SEED)
    every = np.ones(len(fold), dtype=bool)
    refitted = fit_terms(jobs, every)
    width = jobs.qubits / jobs.circuits
    wide = width > _NARROW
    predicted = {
        _OURS: unseen(fold, lambda fit: predict(fit_terms(jobs, fit), jobs)),
        _THEIRS: unseen(fold, lambda fit: polynomial(jobs, fit)),
        _BARE: jobs.shots * jobs.circuits * SHIPPED.repetition_s,
    }
    errors = {name: np.abs(seconds / jobs.seconds - 1) for name, seconds in predicted.items()}
    wider = {
        _OURS: np.abs(predict(fit_terms(jobs, ~wide), jobs) / jobs.seconds - 1)[wide],
        _THEIRS: np.abs(polynomial(jobs, ~wide) / jobs.seconds - 1)[wide],
        _BARE: errors[_BARE][wide],
    }
    short = jobs.seconds < _SHORT_S
    ours, theirs = errors[_OURS], errors[_THEIRS]
    figures = {
        "jobs": len(fold),
        "median": _median(ours),
        "p90": _p90(ours),
        "short_median": _median(ours[short]),
        "short_p90": _p90(ours[short]),
        "regression_median": _median(theirs),
        "regression_p90": _p90(theirs),
        "regression_short_median": _median(theirs[short]),
        "regression_short_p90": _p90(theirs[short]),
        "shipped_off": max(abs(a / b - 1) for a, b in zip(SHIPPED, refitted, strict=True)),
    }
    rows: list[list[str | float | int | None]] = [
        [name, *(f(each) for each in (error, error[short], wider[name]) for f in (_median, _p90))]
        for name, error in errors.items()
    ]
    limit = np.abs(of_equals(jobs, _EQUALS) / jobs.seconds - 1)
    known = np.isfinite(limit)
    limits = (limit[known], limit[known & short])
    rows.append([_LIMIT, *(f(each) for each in limits for f in (_median, _p90)), None, None])
    columns = ["estimator", "median", "P90", "median, under 10 s", "P90, under 10 s"]
    return Findings(
        figures,
        [
            Table(
                "Relative error of the execution time, circuits that were not fitted to",
                [*columns, "median, wider", "P90, wider"],
                rows,
                "Wider: jobs of more than five qubits a circuit, by a fit to the narrower ones. The last row "
                "has seen the jobs that it predicts; they differ because the data do not name the device.",
            ),
            Table(
                "What was fitted",
                ["", "overhead (s)", "shots that double it", "repetition (us)", "layer (ns)"],
                [_constants("all jobs", refitted), _constants("in qsched", SHIPPED)],
            ),
        ],
        _data(jobs, errors, predicted[_OURS]),
    )


def draw(data: Mapping[str, Any]) -> Iterator[Plot]:
    """The errors' distributions, and estimate against truth."""
    figure, plot = axes("relative error of the execution time", "share of the jobs")
    for (name, quantiles), style in zip(data["quantiles"].items(), ("-", "--", ":"), strict=True):
        plot.plot(quantiles, np.linspace(0, 1, len(quantiles)), style, label=name)
    plot.set(xscale="log", xlim=(1e-3, 10), ylim=(0, 1))
    figure.legend(loc="outside upper center", frameon=False)
    yield Plot("errors", "Errors on circuits that were not fitted to; further left is better.", figure)

    figure, plot = axes("measured (s)", "estimated (s)", width_in=3.8, height_in=3.6)
    plot.plot([1, 1000], [1, 1000], color="0.6", linewidth=1)
    plot.scatter(data["seconds"], data["estimated"], s=6, alpha=0.35, linewidths=0)
    plot.set(xscale="log", yscale="log", xlim=(0.9, 1000), ylim=(0.9, 1000), aspect="equal")
    yield Plot(
        "estimates",
        "Estimated against measured execution time. Short jobs scatter because of an overhead that differs "
        "between devices which the data do not name.",
        figure,
    )


def _data(jobs: Executions, errors: Mapping[str, Floats], estimated: Floats) -> dict[str, Any]:
    shown = np.random.default_rng(SEED).choice(len(estimated), min(_POINTS, len(estimated)), replace=False)
    shares = np.linspace(0, 1, 201)
    return {
        "quantiles": {name: np.quantile(each, shares).round(5) for name, each in errors.items()},
        "seconds": jobs.seconds[shown].round(4),
        "estimated": estimated[shown].round(4),
    }


def _constants(name: str, terms: tuple[float, ...]) -> list[str | float | int | None]:
    overhead_s, doubling_shots, repetition_s, layer_s = (float(each) for each in terms)
    return [name, overhead_s, doubling_shots, repetition_s * 1e6, layer_s * 1e9]


def _median(errors: Floats) -> float:
    return float(np.median(errors))


def _p90(errors: Floats) -> float:
    return float(np.quantile(errors, 0.9))
