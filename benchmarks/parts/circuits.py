"""Circuits really run on twins under each policy: what came out, and what was promised.

Every circuit runs once under each policy, through the whole engine; qsched has its four objectives. The
measured counts are held against the exact distribution without noise: Hellinger fidelity, and success as the
normalised linear cross-entropy (``benchmarks.ideal``). Hellinger fidelity suffers little where the ideal
distribution is broad, so that it ranks circuits in another order than success does. The estimate is the one
that placed the job. Makespan is that of the devices that the twins stand for: the estimated seconds of the
busiest one. Prices are those of the default fleet.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from scipy.stats import spearmanr

from benchmarks.findings import Findings, Plot, Table
from benchmarks.ideal import ideal_distribution
from benchmarks.pinning import PINS
from benchmarks.progress import track
from benchmarks.scenarios.circuit_runs import some_circuits, write_fleet
from benchmarks.submission import OBJECTIVES, POLICIES, Outcome, Submission
from qsched.sdk import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED = 5
QUICK, FULL = (8, 1), (250, 4)
"""Circuits at most, and versions of each that has parameters."""
_BINS = 8
_COLUMNS = [
    "policy", "circuits", "mean Hellinger fidelity", "mean success, measured", "estimated",
    "mean completion (s)", "makespan (s)", "cost (USD)",
]  # fmt: skip


class _Sum(NamedTuple):
    """What a policy made of all circuits.

    Attributes:
        fidelity: Mean Hellinger fidelity.
        success: Mean measured success, of the circuits that tell it.
        estimated: Mean estimated success of the same.
        completion_s: Mean seconds until a circuit is done, each device taking them as they were submitted.
        makespan_s: Seconds until the last is done.
        cost: Of all.
    """

    fidelity: float
    success: float
    estimated: float
    completion_s: float
    makespan_s: float
    cost: float


def run(*, quick: bool) -> Findings:
    """Fidelity, makespan and cost of each policy, and how true the estimates are.

    Args:
        quick: Eight of some two hundred circuits.
    """
    made = some_circuits(*(QUICK if quick else FULL), seed=SEED)
    ideal = {circuit.name: ideal_distribution(circuit) for circuit in made}
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_fleet(folder / "fleet.yaml")
        with Client.local(store=folder / "qsched.db", fleet=folder / "fleet.yaml") as client:
            submission = Submission(client, folder, made, ideal, SEED)
            for policy in track(POLICIES, "circuits under each policy"):
                outcomes += submission.run(policy)
    return _findings(outcomes)


def _findings(outcomes: list[Outcome]) -> Findings:
    sums = _sums(outcomes)
    estimated, success, measured = _pairs(outcomes)
    best, least = sums["best_fidelity"], sums["least_loaded"]
    figures = {
        "jobs": len(outcomes),
        "rank_correlation": float(spearmanr(estimated, measured).statistic),
        "rank_correlation_success": float(spearmanr(estimated, success).statistic),
        "calibration_error": _calibration_error(estimated, success),
        "fidelity_over_best": sums["qsched_fidelity"].fidelity / best.fidelity,
        "success_over_best": sums["qsched_fidelity"].success / best.success,
        "completion_over_best": sums["qsched_balanced"].completion_s / best.completion_s,
        "balanced_success_over_best": sums["qsched_balanced"].success / best.success,
        "completion_over_least_loaded": sums["qsched_speed"].completion_s / least.completion_s,
        "speed_success_over_least_loaded": sums["qsched_speed"].success / least.success,
        "cost_over_cheapest": sums["qsched_cost"].cost / min(sums[name].cost for name in PINS),
    }
    rows: list[list[str | float | int | None]] = [
        [_label(policy), sum(each.policy == policy for each in outcomes), *each]
        for policy, each in sums.items()
    ]
    table = Table(
        title="The same circuits under each policy",
        columns=_COLUMNS,
        rows=rows,
        note="Success is of the circuits whose ideal distribution is not nearly uniform. Completion and "
        "makespan are of the devices that the twins stand for, by the estimated seconds of each circuit, in "
        "the order of submission. qsched weighs mean waiting, not the makespan. It places waiting jobs "
        "anew as queues go down, which they do at the pace of the simulators here, not of the devices; the "
        "part policies has the right pace.",
    )
    return Findings(figures, [table], {"outcomes": msgspec.to_builtins(outcomes)})


def _sums(outcomes: list[Outcome]) -> dict[str, _Sum]:
    return {policy: _sum([each for each in outcomes if each.policy == policy]) for policy in POLICIES}


def _sum(some: list[Outcome]) -> _Sum:
    telling = [(each.success, each.estimated) for each in some if each.success is not None]
    success, estimated = np.mean(telling, axis=0).tolist()
    given_s: defaultdict[str, float] = defaultdict(float)
    done_s = []
    for each in some:
        given_s[each.backend] += each.run_s
        done_s.append(given_s[each.backend])
    return _Sum(
        fidelity=float(np.mean([each.fidelity for each in some])),
        success=success,
        estimated=estimated,
        completion_s=float(np.mean(done_s)),
        makespan_s=max(done_s),
        cost=sum(each.cost for each in some),
    )


def _label(policy: str) -> str:
    return policy.replace("qsched_", "qsched, ").replace("_", " ")


def _pairs(outcomes: list[Outcome]) -> tuple[Floats, Floats, Floats]:
    """Estimated success, measured success and Hellinger fidelity of each circuit on each backend, once."""
    pairs = {
        (each.circuit, each.backend): (each.estimated, each.success, each.fidelity)
        for each in outcomes
        if each.success is not None
    }
    estimated, success, fidelity = np.array(list(pairs.values()), dtype=np.float64).T
    return estimated, success, fidelity


def _bins(estimated: Floats) -> list[NDArray[np.intp]]:
    """The rows of bins of equally many estimates, in order."""
    return [some for some in np.array_split(np.argsort(estimated, kind="stable"), _BINS) if some.size]


def _calibration_error(estimated: Floats, success: Floats) -> float:
    """Mean over bins of how far the mean estimate is from the mean measurement."""
    return float(np.mean([abs(estimated[rows].mean() - success[rows].mean()) for rows in _bins(estimated)]))


def draw(data: dict[str, Any]) -> Iterator[Plot]:
    """The reliability of the estimator, and what each policy trades."""
    from matplotlib.figure import Figure

    outcomes = msgspec.convert(data["outcomes"], list[Outcome])
    figure = Figure(figsize=(8.2, 4.0), layout="constrained")
    panels = figure.subplots(1, 2)
    estimated, success, fidelity = _pairs(outcomes)
    _draw_reliability(panels[0], estimated, success, "measured success")
    _draw_reliability(panels[1], estimated, fidelity, "measured Hellinger fidelity")
    panels[1].legend(loc="lower right")
    yield Plot(
        "reliability",
        "Estimated success against what was measured. Dots: a circuit on a device; circles: means of equally "
        "many dots, with the standard error. On the line, estimates are true on average. Hellinger fidelity "
        "is higher than success, since noise hits right values too, above all where there are many.",
        figure,
    )
    figure = Figure(figsize=(8.2, 3.6), layout="constrained")
    _draw_policies(figure.subplots(1, 2, sharey=True), _sums(outcomes))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    yield Plot(
        "policies",
        "Mean measured success against mean completion time and cost; nearer to the upper left is better. "
        "The line joins the objectives between which qsched trades the one for the other.",
        figure,
    )


def _draw_reliability(panel: Axes, estimated: Floats, measured: Floats, says: str) -> None:
    bins = _bins(estimated)
    panel.plot([0, 1], [0, 1], color="0.4", linewidth=1, linestyle="--", label="equal")
    panel.plot(estimated, measured, ".", color="C0", alpha=0.25, markersize=4, label="circuit on a device")
    panel.errorbar(
        [estimated[rows].mean() for rows in bins],
        [measured[rows].mean() for rows in bins],
        yerr=[measured[rows].std() / math.sqrt(rows.size) for rows in bins],
        fmt="o-",
        color="C1",
        capsize=2,
        label="mean",
    )
    panel.set_xlabel("estimated success probability")
    panel.set_ylabel(says)
    least = math.floor(10 * min(estimated.min(), measured.min())) / 10
    panel.set_xlim(least, 1.02)
    panel.set_ylim(least, max(1.0, float(measured.max())) + 0.02)


def _draw_policies(panels: Sequence[Axes], sums: Mapping[str, _Sum]) -> None:
    trades = (
        ("completion_s", "mean completion time (s)", ("qsched_fidelity", "qsched_balanced", "qsched_speed")),
        ("cost", "cost (USD)", ("qsched_fidelity", "qsched_balanced", "qsched_cost")),
    )
    for panel, (across, says, joined) in zip(panels, trades, strict=True):
        at = {policy: (getattr(each, across), each.success) for policy, each in sums.items()}
        panel.plot(*zip(*(at[policy] for policy in joined), strict=True), color="C0", linewidth=0.8, zorder=1)
        for marker, policy in zip(itertools.cycle("osD^vXP*"), POLICIES, strict=False):
            color = "C0" if policy in OBJECTIVES else "0.45"
            panel.plot(*at[policy], marker, color=color, linestyle="none", label=_label(policy))
        panel.set_xlim(left=0)
        panel.set_xlabel(says)
    panels[0].set_ylabel("mean measured success")
