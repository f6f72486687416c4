"""Calibrations of different ages compete: what it is worth to know how old each one is.

One chip at several epochs stands for several devices (``benchmarks.truth.ageing``). Needs the measured data
beside the checkout; the truths ship with the benchmarks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.findings import Findings, LeftOut, Table
from benchmarks.measured.contest import compete
from benchmarks.measured.perth import FILE
from benchmarks.truth.ageing import AGES_DAYS, age_cases, age_estimates, columns, cost_of_age
from benchmarks.truth.pictures import age_bars
from benchmarks.truth.table import pairs_of, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.findings import Plot

SEED = 29


def run(*, quick: bool) -> Findings:  # noqa: ARG001 - it is quick enough
    """Let pools of devices be chosen from, with the age term of the score and without.

    Raises:
        LeftOut: If the measured data are not here.
    """
    cases, where = age_cases(), columns()
    if not where:
        raise LeftOut(f"the measured data are not here: shared/data/{FILE} beside the checkout")
    pairs = pairs_of(cases, read_table())
    truth = np.array([[pair.truth.success for pair in row] for row in pairs])
    knowing, ignoring = age_estimates(cases, pairs)
    outcome, cost = compete(where, truth, knowing, ignoring, seed=SEED), cost_of_age(where, truth)
    gained = outcome.ignoring.regret - outcome.knowing.regret
    note = (
        "Pools of four epochs of one chip, each known by a calibration of 0 to 30 days. The choices differ "
        f"in {outcome.differ:.0%} of the pools; there the age term chooses better in {outcome.better:.0%}. "
        f"Gained: {gained:.4f} +- {outcome.gain_error:.4f} (jackknife over epochs)."
    )
    table = Table(
        "Choosing among devices whose calibrations are of different ages (ibm_perth, April and May 2023)",
        ["choice", "best chosen", "within .01 of the best", "regret"],
        [
            [name, *(round(value, 4) for value in choice)]
            for name, choice in (("with the age term", outcome.knowing), ("ignoring age", outcome.ignoring))
        ],
        note,
    )
    figures = {
        "pairs": float(truth.size),
        "regret": outcome.knowing.regret,
        "regret_ignoring": outcome.ignoring.regret,
        "regret_ratio": outcome.knowing.regret / outcome.ignoring.regret,
        "differ": outcome.differ,
        "better": outcome.better,
        "gain": gained,
        "gain_error": outcome.gain_error,
        "week_cost": cost[7],
        "month_cost": cost[30],
    }
    by_age = {str(age): [each.age_days == age for each in where] for age in AGES_DAYS}
    estimates = {"with the age term": knowing, "ignoring age": ignoring}
    data = {
        "cost": {str(age): lost for age, lost in cost.items()},
        "estimated": {
            name: {age: float((estimated / truth)[:, chosen].mean()) for age, chosen in by_age.items()}
            for name, estimated in estimates.items()
        },
    }
    return Findings(figures, [table], data)


def draw(data: dict[str, Any]) -> Iterator[Plot]:
    """What an old calibration costs, and how far estimates from it are off."""
    yield age_bars(data["cost"], data["estimated"])
