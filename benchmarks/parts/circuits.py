"""Circuits really run on twins under each policy: what came out, and what was promised.

Every circuit runs once under each policy, through the whole engine. The measured counts are held against
the exact distribution without noise: Hellinger fidelity, and success as the normalised linear cross-entropy
(``benchmarks.ideal``). Hellinger fidelity suffers little where the ideal distribution is broad, so that it
ranks circuits in another order than success does. The estimate is the one that placed the job. Makespan is
that of the devices that the twins stand for: the estimated seconds of the busiest one. Prices are those of
the default fleet.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy.stats import spearmanr

from benchmarks.findings import Findings, Plot, Table
from benchmarks.ideal import frequencies, hellinger_fidelity, ideal_distribution, success_share
from benchmarks.pinning import PINS
from benchmarks.progress import track
from benchmarks.scenarios.circuit_runs import some_circuits, write_fleet
from qsched.api.job import Execution, Requirements
from qsched.errors import JobFailed
from qsched.sdk import Client
from qsched.sdk.work import declare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qsched.api.job import Estimate, Objective
    from qsched.sdk.job import Job

    Floats = NDArray[np.float64]

SEED = 5
SHOTS = 20_000  # a job takes seconds of a device, so that waiting and money count
OBJECTIVES: dict[str, Objective] = {"qsched_balanced": "balanced", "qsched_fidelity": "fidelity"}
POLICIES = (*OBJECTIVES, *PINS)
_BINS = 8
_MOST = 100
_COLUMNS = [
    "policy", "circuits", "mean Hellinger fidelity", "mean success, measured", "estimated", "makespan (s)",
    "cost (USD)", "wall time here (s)",
]  # fmt: skip
_PATIENCE_S = 300.0


class Outcome(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        policy: Who chose the backend.
        circuit: The circuit's name.
        backend: Where it ran.
        estimated: Estimated success probability.
        success: Measured; None where the ideal distribution is too uniform to tell.
        fidelity: Hellinger fidelity of the counts to the ideal distribution.
        run_s: Estimated seconds on the device.
        cost: In the fleet's currency.
    """

    policy: str
    circuit: str
    backend: str
    estimated: float
    success: float | None
    fidelity: float
    run_s: float
    cost: float


def run(*, quick: bool) -> Findings:
    """Fidelity, makespan and cost of each policy, and how true the estimates are.

    Args:
        quick: Eight of some seventy circuits.
    """
    made = some_circuits(8 if quick else _MOST, seed=SEED)
    ideal = {circuit.name: ideal_distribution(circuit) for circuit in made}
    outcomes: list[Outcome] = []
    wall_s: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_fleet(folder / "fleet.yaml")
        with Client.local(store=folder / "qsched.db", fleet=folder / "fleet.yaml") as client:
            for policy in track(POLICIES, "circuits under each policy"):
                started = time.perf_counter()
                jobs = _run_all(client, policy, made, folder)
                outcomes += [
                    _outcome(policy, each.name, job, ideal[each.name])
                    for each, job in zip(made, jobs, strict=True)
                ]
                wall_s[policy] = time.perf_counter() - started
    return _findings(outcomes, wall_s)


def _run_all(client: Client, policy: str, made: Sequence[QuantumCircuit], folder: Path) -> list[Job]:
    """Jobs that have completed, one for each circuit.

    A backend may refuse a pinned circuit once it is transpiled; the policy then chooses among the others.
    """
    if policy in OBJECTIVES:
        jobs = [_submit(client, each, policy) for each in made]
        for job in jobs:
            job.result(_PATIENCE_S, show_progress=False)
        return jobs
    offers = [_offers(client, each, folder) for each in made]
    chosen = PINS[policy](offers, SEED)
    jobs = [_submit(client, each, policy, backend) for each, backend in zip(made, chosen, strict=True)]
    for index, circuit in enumerate(made):
        while not _completed(jobs[index]):
            del offers[index][chosen[index]]
            (chosen[index],) = PINS[policy]([offers[index]], SEED)
            jobs[index] = _submit(client, circuit, policy, chosen[index])
    return jobs


def _completed(job: Job) -> bool:
    """Wait for a job; say whether it completed."""
    try:
        job.result(_PATIENCE_S, show_progress=False)
    except JobFailed:
        return False
    return True


def _submit(client: Client, circuit: QuantumCircuit, policy: str, backend: str = "") -> Job:
    return client.submit(
        circuit,
        name=f"{policy}-{circuit.name}-{backend or 'free'}".replace("_", "-"),
        shots=SHOTS,
        objective=OBJECTIVES.get(policy, "balanced"),
        execution=Execution(seed=SEED),
        requirements=Requirements(backends=[backend] if backend else []),
    )


def _offers(client: Client, circuit: QuantumCircuit, folder: Path) -> dict[str, Estimate]:
    """What each backend that can run a circuit would make of it."""
    verdicts = client.explain(declare(circuit, name="offer", folder=folder, options={"shots": SHOTS}))
    return {each.backend: each.estimate for each in verdicts if each.feasible and each.estimate is not None}


def _outcome(policy: str, circuit: str, job: Job, exact: Floats) -> Outcome:
    (counts,) = (each.counts for each in job.result().circuits)
    status = job.status()
    assert counts is not None
    assert status.placement is not None
    assert status.result is not None
    measured = frequencies(counts, len(exact).bit_length() - 1)
    success = success_share(measured, exact)
    estimate, cost = status.placement.estimate, status.result.cost
    return Outcome(
        policy=policy,
        circuit=circuit,
        backend=status.placement.backend,
        estimated=estimate.success,
        success=None if math.isnan(success) else success,
        fidelity=hellinger_fidelity(measured, exact),
        run_s=estimate.run_s,
        cost=float(cost.amount) if cost is not None else 0.0,
    )


def _findings(outcomes: list[Outcome], wall_s: dict[str, float]) -> Findings:
    by_policy = {policy: [each for each in outcomes if each.policy == policy] for policy in POLICIES}
    fidelity = {policy: float(np.mean([each.fidelity for each in by_policy[policy]])) for policy in POLICIES}
    makespan_s = {policy: _makespan_s(some) for policy, some in by_policy.items()}
    cost = {policy: sum(each.cost for each in some) for policy, some in by_policy.items()}
    estimated, success, measured = _pairs(outcomes)
    figures = {
        "jobs": len(outcomes),
        "rank_correlation": float(spearmanr(estimated, measured).statistic),
        "rank_correlation_success": float(spearmanr(estimated, success).statistic),
        "calibration_error": _calibration_error(estimated, success),
        "fidelity_over_best": fidelity["qsched_fidelity"] / fidelity["best_fidelity"],
        "makespan_over_best": makespan_s["qsched_balanced"] / makespan_s["best_fidelity"],
        "cost_over_best": cost["qsched_balanced"] / cost["best_fidelity"],
    }
    figures |= {f"fidelity_{policy}": value for policy, value in fidelity.items()}
    rows: list[list[str | float | int | None]] = [
        [
            policy.replace("_", " "),
            len(by_policy[policy]),
            fidelity[policy],
            float(np.mean([each.success for each in by_policy[policy] if each.success is not None])),
            float(np.mean([each.estimated for each in by_policy[policy] if each.success is not None])),
            makespan_s[policy],
            cost[policy],
            wall_s[policy],
        ]
        for policy in POLICIES
    ]
    table = Table(
        title="The same circuits under each policy",
        columns=_COLUMNS,
        rows=rows,
        note="Success is of the circuits whose ideal distribution is not nearly uniform. Makespan: estimated "
        "seconds of the busiest device. The first policy also pays for what is prepared once.",
    )
    return Findings(figures, [table], {"outcomes": msgspec.to_builtins(outcomes)})


def _makespan_s(some: list[Outcome]) -> float:
    seconds: defaultdict[str, float] = defaultdict(float)
    for each in some:
        seconds[each.backend] += each.run_s
    return max(seconds.values())


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
    """The reliability of the estimator, and fidelity against makespan and cost by policy."""
    from matplotlib.figure import Figure

    outcomes = msgspec.convert(data["outcomes"], list[Outcome])
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    _draw_reliability(figure.subplots(), *_pairs(outcomes)[:2])
    yield Plot(
        "reliability",
        "Estimated against measured success. Dots: a circuit on a device; circles: means of equally many "
        "dots, with the standard error. On the line, estimates are true on average.",
        figure,
    )
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    _draw_policies(figure.subplots(1, 2, sharey=True), outcomes)
    yield Plot(
        "policies",
        "Mean measured fidelity against makespan and cost by policy; nearer to the upper left is better.",
        figure,
    )


def _draw_reliability(panel: Axes, estimated: Floats, success: Floats) -> None:
    bins = _bins(estimated)
    panel.plot([0, 1], [0, 1], color="0.4", linewidth=1, linestyle="--", label="perfect")
    panel.plot(estimated, success, ".", color="C0", alpha=0.25, markersize=4, label="circuit on a device")
    panel.errorbar(
        [estimated[rows].mean() for rows in bins],
        [success[rows].mean() for rows in bins],
        yerr=[success[rows].std() / math.sqrt(rows.size) for rows in bins],
        fmt="o-",
        color="C1",
        capsize=2,
        label="mean",
    )
    panel.set_xlabel("estimated success probability")
    panel.set_ylabel("measured success")
    least = math.floor(10 * min(estimated.min(), success.min())) / 10
    panel.set_xlim(least, 1.02)
    panel.set_ylim(least, max(1.0, float(success.max())) + 0.02)
    panel.legend(frameon=False)


def _draw_policies(panels: Sequence[Axes], outcomes: list[Outcome]) -> None:
    for policy in POLICIES:
        some = [each for each in outcomes if each.policy == policy]
        fidelity = float(np.mean([each.fidelity for each in some]))
        for panel, across in zip(panels, (_makespan_s(some), sum(each.cost for each in some)), strict=True):
            marker = "o" if policy in OBJECTIVES else "s"
            panel.plot(across, fidelity, marker, label=policy.replace("_", " "))
    panels[0].set_xlabel("makespan (s)")
    panels[1].set_xlabel("cost (USD)")
    panels[0].set_ylabel("mean Hellinger fidelity")
    for panel in panels:
        panel.grid(alpha=0.2)
    panels[1].legend(frameon=False, fontsize=8)
