from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from benchmarks.ideal import (
    contrast,
    frequencies,
    hellinger_fidelity,
    ideal_distribution,
    success_share,
)
from benchmarks.parts.circuits import POLICIES, Outcome, _calibration_error, _findings, draw
from benchmarks.pinning import PINS
from benchmarks.scenarios import circuit_runs
from benchmarks.scenarios.circuit_runs import TWINS, some_circuits, write_fleet
from benchmarks.submission import Submission
from qsched.api.job import Estimate
from qsched.errors import JobFailed
from qsched.fleet.fleet_file import load_fleet

if TYPE_CHECKING:
    from qsched.api.job import QuantumCircuitJob
    from qsched.sdk import Client


def _estimate(success: float, run_s: float) -> Estimate:
    return Estimate(success=success, run_s=run_s, wait_s=0.0, wait_p90_s=0.0, critical_path_s=1e-6)


def test_the_ideal_distribution_follows_the_measurements_to_their_bits():
    qubits, low, high = QuantumRegister(3), ClassicalRegister(1), ClassicalRegister(2)
    circuit = QuantumCircuit(qubits, low, high)
    circuit.x(2)
    circuit.barrier()
    circuit.measure(2, high[0])
    circuit.measure(0, low[0])
    # Qiskit writes these counts as "01 0": bit 1 is set.
    assert ideal_distribution(circuit).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert frequencies({"01 0": 7, "00 0": 1}, 3).tolist() == [1 / 8, 0, 7 / 8, 0, 0, 0, 0, 0]


_DISTRIBUTIONS = st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8).filter(lambda some: sum(some) > 0.1)


@given(some=_DISTRIBUTIONS, share=st.floats(0.0, 1.0))
def test_uniform_noise_takes_its_share_of_the_success(some, share):
    ideal = np.array(some) / sum(some)
    success = success_share(share * ideal + (1 - share) / 8, ideal)
    assert math.isnan(success) if contrast(ideal) < 0.05 else success == pytest.approx(share, abs=1e-9)
    assert hellinger_fidelity(ideal, ideal) == pytest.approx(1)


def test_pins_follow_the_estimates():
    offers = [
        {"a": _estimate(0.9, 10.0), "b": _estimate(0.8, 1.0)},
        {"a": _estimate(0.7, 10.0), "b": _estimate(0.8, 1.0)},
        {"b": _estimate(0.1, 1.0)},
    ]
    assert PINS["best_fidelity"](offers, 0) == ["a", "b", "b"]
    assert PINS["least_loaded"](offers, 0) == ["a", "b", "b"]
    assert PINS["round_robin"](offers, 0) == ["a", "b", "b"]
    assert PINS["random"](offers, 1) == PINS["random"](offers, 1)
    assert all(
        backend in offer
        for pin in PINS.values()
        for backend, offer in zip(pin(offers, 2), offers, strict=True)
    )


def test_the_fleet_is_the_twins_of_the_default_one(tmp_path):
    write_fleet(tmp_path / "fleet.yaml")
    twins = load_fleet(tmp_path / "fleet.yaml")
    assert sorted(each.metadata.name for each in twins) == sorted(TWINS)
    assert {each.spec.max_in_flight for each in twins} == {1}


def test_estimates_that_are_true_on_average_have_no_calibration_error():
    estimated = np.linspace(0.1, 0.9, 80)
    wobble = np.tile([0.05, -0.05], 40)
    assert _calibration_error(estimated, estimated + wobble) == pytest.approx(0, abs=1e-9)
    assert _calibration_error(estimated, estimated - 0.1) == pytest.approx(0.1)


def test_findings_compare_the_policies_and_can_be_drawn():
    outcomes = [
        Outcome(policy, f"circuit-{index}", "lima", 0.1 * index, 0.1 * index, 0.1 * index + 0.05, 2.0, 1.0)
        for policy in POLICIES
        for index in range(1, 9)
    ]
    outcomes.append(Outcome("random", "uniform", "perth", 0.5, None, 1.0, 3.0, 1.0))
    findings = _findings(outcomes)
    assert findings.figures["jobs"] == 8 * len(POLICIES) + 1
    assert findings.figures["rank_correlation"] == pytest.approx(1)
    assert findings.figures["completion_over_best"] == 1
    by_policy = {
        row[0]: dict(zip(findings.tables[0].columns, row, strict=True)) for row in findings.tables[0].rows
    }
    assert by_policy["qsched, speed"]["mean completion (s)"] == np.mean(np.arange(2, 17, 2))
    assert by_policy["qsched, speed"]["makespan (s)"] == 16
    assert by_policy["random"]["mean completion (s)"] == (8 * 9 + 3) / 9
    data = msgspec.json.decode(msgspec.json.encode(findings.data))
    assert [plot.name for plot in draw(data)] == ["reliability", "policies"]


def test_circuits_with_parameters_come_in_versions_and_names_differ(monkeypatch):
    monkeypatch.setattr(circuit_runs, "QUBITS", range(2, 4))
    made = some_circuits(1000, 4, seed=1)
    names = {each.name for each in made}
    assert len(names) == len(made) > 40
    assert {"ghz-3", "vqe-su2-3", "vqe-su2-3-v2"} <= names
    assert "ghz-3-v2" not in names
    assert [each.name for each in some_circuits(5, 4, seed=1)] == [each.name for each in made[:5]]


class _Jobs:
    """A client whose backend ``a`` refuses every circuit once it is transpiled."""

    def __init__(self) -> None:
        self.batches: list[list[QuantumCircuitJob]] = []

    def explain(self, _job: QuantumCircuitJob) -> list[Any]:
        offers = {"a": (0.9, 1.0, True), "b": (0.8, 1.0, True), "c": (1.0, 1.0, False)}
        return [
            SimpleNamespace(backend=name, feasible=feasible, estimate=_estimate(success, run_s))
            for name, (success, run_s, feasible) in offers.items()
        ]

    def submit_all(self, jobs: list[QuantumCircuitJob]) -> list[Any]:
        self.batches.append(jobs)
        return [self._job(each) for each in jobs]

    def _job(self, job: QuantumCircuitJob) -> Any:
        (backend,) = job.spec.requirements.backends or ["b"]

        def result(*_: Any, **__: Any) -> Any:
            if backend == "a":
                raise JobFailed("refused")
            return SimpleNamespace(circuits=[SimpleNamespace(counts={"11": 3, "01": 1})])

        placement = SimpleNamespace(backend=backend, estimate=_estimate(0.8, 2.0))
        status = SimpleNamespace(placement=placement, result=SimpleNamespace(cost=None))
        return SimpleNamespace(result=result, status=lambda: status)


def test_all_circuits_are_submitted_at_once_and_what_a_backend_refuses_goes_to_another(tmp_path):
    made = []
    for name in ("first", "second"):
        circuit = QuantumCircuit(2, 2, name=name)
        circuit.x([0, 1])
        circuit.measure([0, 1], [0, 1])
        made.append(circuit)
    jobs = _Jobs()
    ideal = {each.name: ideal_distribution(each) for each in made}
    submission = Submission(cast("Client", jobs), tmp_path, made, ideal, seed=1)
    ours = submission.run("qsched_speed")
    assert [(each.circuit, each.backend) for each in ours] == [("first", "b"), ("second", "b")]
    assert ours[0].fidelity == pytest.approx(0.75)
    ((first, _),) = jobs.batches
    assert (first.spec.objective, first.spec.requirements.backends) == ("speed", [])
    pinned = submission.run("best_fidelity")
    assert [each.backend for each in pinned] == ["b", "b"]
    assert [[each.spec.requirements.backends for each in batch] for batch in jobs.batches[1:]] == [
        [["a"], ["a"]],
        [["b"]],
        [["b"]],
    ]
