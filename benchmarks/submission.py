"""Circuits sent through the whole engine to twins, by qsched's own choice or pinned by a rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from benchmarks.ideal import frequencies, hellinger_fidelity, success_share
from benchmarks.pinning import PINS
from qsched.api.job import Execution, Requirements
from qsched.errors import JobFailed
from qsched.sdk.work import declare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qsched.api.job import Estimate, Objective, QuantumCircuitJob
    from qsched.sdk import Client
    from qsched.sdk.job import Job

    Floats = NDArray[np.float64]
    Offers = list[dict[str, Estimate]]

SHOTS = 20_000  # a job takes seconds of a device, so that waiting and money count
OBJECTIVES: dict[str, Objective] = {
    "qsched_fidelity": "fidelity",
    "qsched_balanced": "balanced",
    "qsched_speed": "speed",
    "qsched_cost": "cost",
}
POLICIES = (*OBJECTIVES, *PINS)
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


class Submission:
    """Some circuits and a client, whose fleet is idle whenever a policy begins.

    Args:
        client: With an engine.
        folder: Where circuits may be written.
        made: The circuits; their names differ.
        ideal: (2^C,) the distribution of each without noise, by its name.
        seed: Of transpilation and of the rules.
    """

    def __init__(
        self,
        client: Client,
        folder: Path,
        made: Sequence[QuantumCircuit],
        ideal: Mapping[str, Floats],
        seed: int,
    ) -> None:
        self._client, self._folder, self._made = client, folder, made
        self._ideal, self._seed = ideal, seed
        self._offers: Offers = [self._offer(circuit) for circuit in made]

    def run(self, policy: str) -> list[Outcome]:
        """What came of each circuit under a policy; all are submitted at once.

        Raises:
            JobFailed: If qsched itself cannot run one.
        """
        jobs = self._choose(policy) if policy in OBJECTIVES else self._pin(policy)
        return [self._outcome(policy, *each) for each in zip(self._made, jobs, strict=True)]

    def _choose(self, policy: str) -> list[Job]:
        jobs = self._client.submit_all([self._declare(circuit, policy) for circuit in self._made])
        for job in jobs:
            job.result(_PATIENCE_S, show_progress=False)
        return jobs

    def _pin(self, policy: str) -> list[Job]:
        """A backend may refuse a circuit once it is transpiled; the rule then chooses among the others."""
        offers = [dict(each) for each in self._offers]
        chosen = PINS[policy](offers, self._seed)
        jobs = self._client.submit_all(
            [self._declare(*each) for each in zip(self._made, [policy] * len(chosen), chosen, strict=True)]
        )
        for index, circuit in enumerate(self._made):
            while not _completed(jobs[index]):
                del offers[index][chosen[index]]
                (chosen[index],) = PINS[policy]([offers[index]], self._seed)
                (jobs[index],) = self._client.submit_all([self._declare(circuit, policy, chosen[index])])
        return jobs

    def _declare(self, circuit: QuantumCircuit, policy: str, backend: str = "") -> QuantumCircuitJob:
        options = {
            "shots": SHOTS,
            "objective": OBJECTIVES.get(policy, "balanced"),
            "execution": Execution(seed=self._seed),
            "requirements": Requirements(backends=[backend] if backend else []),
        }
        name = f"{policy}-{circuit.name}-{backend or 'free'}".replace("_", "-")
        return declare(circuit, name=name, folder=self._folder, options=options)

    def _offer(self, circuit: QuantumCircuit) -> dict[str, Estimate]:
        """What each backend that can run a circuit would make of it."""
        verdicts = self._client.explain(self._declare(circuit, "offer"))
        return {
            each.backend: each.estimate for each in verdicts if each.feasible and each.estimate is not None
        }

    def _outcome(self, policy: str, circuit: QuantumCircuit, job: Job) -> Outcome:
        (counts,) = (each.counts for each in job.result().circuits)
        status, exact = job.status(), self._ideal[circuit.name]
        assert counts is not None
        assert status.placement is not None
        assert status.result is not None
        measured = frequencies(counts, len(exact).bit_length() - 1)
        success = success_share(measured, exact)
        estimate, cost = status.placement.estimate, status.result.cost
        return Outcome(
            policy=policy,
            circuit=circuit.name,
            backend=status.placement.backend,
            estimated=estimate.success,
            success=None if math.isnan(success) else success,
            fidelity=hellinger_fidelity(measured, exact),
            run_s=estimate.run_s,
            cost=float(cost.amount) if cost is not None else 0.0,
        )


def _completed(job: Job) -> bool:
    """Wait for a job; say whether it completed."""
    try:
        job.result(_PATIENCE_S, show_progress=False)
    except JobFailed:
        return False
    return True
