"""How true the estimates are: success against exact simulation, beside published predictors.

54 MQT Bench circuits on 31 real calibrations (``benchmarks.truth``). What is known of each pair is kept in a
table that ships with the benchmarks; estimates are made anew in each run, by the production code. A random
slice of the table is simulated again and compared.
"""

from __future__ import annotations

import random
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.findings import Findings, Plot, Table
from benchmarks.progress import track
from benchmarks.truth import predictors
from benchmarks.truth.ceiling import told
from benchmarks.truth.pairs import DEVICES, FALCONS, make_pair, study_cases
from benchmarks.truth.pictures import regret_bars, scatter
from benchmarks.truth.ranking import (
    Choice,
    chosen,
    chosen_in_two_stages,
    judge_choice,
    pools,
    r2,
    rank_correlation,
    rank_correlation_within,
)
from benchmarks.truth.table import missing, pairs_of, read_table
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.truth.pairs import Case, Pair

    Floats = NDArray[np.float64]

SEED = 23
KS = (1, 2, 3, 5)
POOL_SIZE = 5
_POOLS = 1000
_SLICE, _QUICK_SLICE = 60, 15
_ALL = list(range(len(DEVICES)))
_HARD = [DEVICES.index(device) for device in FALCONS]
_PROBABILITIES = ("stage 1", "stage 2", "ESP", "ESP x idle", "mapomatic")


class Study(NamedTuple):
    """C circuits on D devices.

    Attributes:
        truths: (C, D) by definition of success; the first one is the truth.
        predicted: (C, D) by predictor.
    """

    truths: dict[str, Floats]
    predicted: dict[str, Floats]


def run(*, quick: bool) -> Findings:
    """Compare estimates with truths.

    Args:
        quick: Simulate fewer of the pairs again, and take the table for the others or fail.

    Raises:
        InvalidInput: In a quick run, if the table is of other circuits, calibrations or another Qiskit.
    """
    table = read_table()
    cases = study_cases()
    if quick and (lacking := len(missing(cases, table))):
        raise InvalidInput(
            f"{lacking} pairs of the study are not in the table that ships, which is of other circuits, "
            "calibrations or another Qiskit; make it again with: python -m benchmarks.truth"
        )
    pairs = pairs_of(cases, table)
    study = _study(cases, pairs)
    truth = study.truths["success"]
    hard, everywhere = _judged(study.predicted, _HARD, truth), _judged(study.predicted, _ALL, truth)
    five = _in_pools(study.predicted, truth)
    ceiling = _in_pools(
        told([row[0].circuit for row in cases], pairs, [each.known for each in cases[0]]), truth
    )
    stages = {name: five[name] for name in ("stage 1", "stage 2")}
    figures = {
        "pairs": float(truth.size),
        "recomputed_off": _recomputed(cases, pairs, _QUICK_SLICE if quick else _SLICE),
        "hard_rank": rank_correlation(study.predicted["stage 2"][:, _HARD], truth[:, _HARD]),
        "hard_regret": hard["stage 2, k = 5"].regret,
        "hard_close": hard["stage 2, k = 5"].close,
        "hard_regret_esp_idle": hard["ESP x idle"].regret,
        "hard_regret_mapomatic": hard["mapomatic"].regret,
        "all_rank": rank_correlation(study.predicted["stage 2"], truth),
        "all_r2": r2(study.predicted["stage 2"], truth),
        "stage1_rank": rank_correlation(study.predicted["stage 1"], truth),
        "stage1_top1_of_five": five["stage 1"].top1,
        "stage1_close_of_five": five["stage 1"].close,
        "stage1_regret_of_five": five["stage 1"].regret,
        "told_gates_top1_of_five": ceiling["stage 1, told the gates and idle times"].top1,
        "told_qubits_top1_of_five": ceiling["stage 1, told the qubits"].top1,
        "told_both_top1_of_five": ceiling["stage 1, told both"].top1,
        "esp_top1_of_five": five["ESP"].top1,
        "mapomatic_top1_of_five": five["mapomatic"].top1,
    }
    tables = [
        _table("The eleven Falcon devices of 27 qubits (the hard pool)", study, hard, _HARD),
        _table("All 31 devices", study, everywhere, _ALL),
        Table(
            f"Random pools of {POOL_SIZE} of the 31 devices",
            ["predictor", "best chosen", "within .01 of the best", "regret"],
            [[name, *_rounded(choice)] for name, choice in five.items()],
            f"{_POOLS} pools, each for every circuit.",
        ),
        Table(
            f"What stage 1 lacks, on the same pools of {POOL_SIZE}",
            ["predictor", "best chosen", "within .01 of the best", "regret"],
            [[name, *_rounded(choice)] for name, choice in {**ceiling, **stages}.items()],
            "On which qubits a circuit is put, and how many gates and how much idle time it has there, is "
            "not known until it is transpiled. Stage 2 has that, and what each qubit holds while it waits.",
        ),
        _definitions(study),
    ]
    data: dict[str, Any] = {
        "truth": truth[:, _HARD].round(4).tolist(),
        "stage 1": study.predicted["stage 1"][:, _HARD].round(4).tolist(),
        "stage 2": study.predicted["stage 2"][:, _HARD].round(4).tolist(),
        "regret": {name: choice.regret for name, choice in hard.items()},
        "close": {name: choice.close for name, choice in hard.items()},
    }
    return Findings(figures, tables, data)


def draw(data: dict[str, Any]) -> Iterator[Plot]:
    """Estimates against truths, and what following each predictor loses."""
    yield scatter(data["truth"], {name: data[name] for name in ("stage 1", "stage 2")})
    yield regret_bars(data["regret"])


def _study(cases: Sequence[Sequence[Case]], pairs: list[list[Pair]]) -> Study:
    circuits = [row[0].circuit for row in cases]
    calibrations = [case.known for case in cases[0]]
    truths = {
        name: np.array([[getattr(pair.truth, name) for pair in row] for row in pairs])
        for name in ("success", "overlap", "hellinger")
    }
    makers = {
        "stage 1": partial(predictors.stage1, circuits, calibrations),
        "stage 2": partial(predictors.stage2, pairs, calibrations),
        "ESP": partial(predictors.esp, pairs, calibrations),
        "ESP x idle": partial(predictors.esp_idle, pairs, calibrations),
        "mapomatic": partial(predictors.best_layout, pairs, calibrations),
        "median error": partial(predictors.median_error, len(circuits), calibrations),
        "random": partial(predictors.chance, len(circuits), len(calibrations), SEED),
    }
    return Study(truths, {name: make() for name, make in track(makers.items(), "predicting")})


def _judged(predicted: dict[str, Floats], devices: list[int], truth: Floats) -> dict[str, Choice]:
    """What choosing among these devices comes to, by predictor and by stage 2 on the k best of stage 1."""
    truth = truth[:, devices]
    predicted = {name: each[:, devices] for name, each in predicted.items()}
    found = {name: judge_choice(chosen(each), truth) for name, each in predicted.items()}
    if "stage 1" not in found or "stage 2" not in found:
        return found
    two_stages = {
        f"stage 2, k = {k}": judge_choice(
            chosen_in_two_stages(predicted["stage 1"], predicted["stage 2"], k), truth
        )
        for k in KS
    }
    return {"stage 1": found.pop("stage 1"), **two_stages, **found}


def _in_pools(predicted: dict[str, Floats], truth: Floats) -> dict[str, Choice]:
    """The mean over random pools."""
    each = [
        _judged(predicted, devices.tolist(), truth)
        for devices in pools(_POOLS, POOL_SIZE, len(DEVICES), SEED)
    ]
    return {name: Choice(*np.mean([judged[name] for judged in each], axis=0)) for name in each[0]}


def _table(title: str, study: Study, judged: dict[str, Choice], devices: list[int]) -> Table:
    truth = study.truths["success"][:, devices]
    rows: list[list[str | float | int | None]] = []
    for name, choice in judged.items():
        predicted = study.predicted.get(name)
        correlations: list[float | None] = [None] * 3
        if predicted is not None:
            mine = predicted[:, devices]
            correlations = [
                round(each(mine, truth), 4) for each in (rank_correlation, rank_correlation_within)
            ]
            correlations.append(round(r2(mine, truth), 4) if name in _PROBABILITIES else None)
        rows.append([name, *correlations, *_rounded(choice)])
    heads = ["rank correlation", "within a circuit", "R2", "best chosen", "within .01 of the best", "regret"]
    note = (
        "Spearman's correlation over all pairs, and its mean over the circuits; R2 of the prediction as it "
        "is, where it is a probability; regret: mean success lost against the best device."
    )
    return Table(title, ["predictor", *heads], rows, note)


def _definitions(study: Study) -> Table:
    """How the same predictions do on other meanings of success."""
    rows: list[list[str | float | int | None]] = []
    for name, truth in study.truths.items():
        judged = _judged(study.predicted, _HARD, truth)
        for predictor in ("stage 2, k = 5", "stage 2", "ESP x idle", "ESP"):
            predicted = study.predicted.get(predictor)
            ranked = None
            if predicted is not None:
                ranked = round(rank_correlation(predicted[:, _HARD], truth[:, _HARD]), 4)
            rows.append([name, predictor, ranked, *_rounded(judged[predictor])])
    return Table(
        "Other meanings of success, on the hard pool",
        ["meaning", "predictor", "rank correlation", "best chosen", "within .01 of the best", "regret"],
        rows,
        "success: the state is the ideal one and is read as it is. overlap: the same where readout errors "
        "are a channel. hellinger: of the outcomes' distributions; it is near 1 for a circuit whose outcomes "
        "are nearly uniform, whatever went wrong.",
    )


def _recomputed(cases: Sequence[Sequence[Case]], pairs: list[list[Pair]], count: int) -> float:
    """The greatest difference of a truth that is simulated again, over pairs drawn at random."""
    draws = random.Random(SEED)
    both = list(zip(chain.from_iterable(cases), chain.from_iterable(pairs), strict=True))
    again = track(draws.sample(both, count), "simulating again")
    return max(abs(make_pair(case).truth.success - pair.truth.success) for case, pair in again)


def _rounded(choice: Choice) -> list[float]:
    return [round(float(choice.top1), 3), round(float(choice.close), 3), round(float(choice.regret), 4)]
