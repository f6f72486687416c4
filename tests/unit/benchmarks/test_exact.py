"""Few jobs solved exactly: the enumeration, what can be saved at most, and the exact policy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mqt.bench")

from benchmarks.policies.exact import Replanned
from benchmarks.simulation import exact, fleets, simulate
from benchmarks.simulation.build import scenario
from benchmarks.simulation.enumeration import every_assignment
from benchmarks.simulation.exact import most_saved, small_instances


def test_every_assignment_of_a_few_jobs():
    run_s = np.array([[10.0, 20.0], [10.0, 20.0], [10.0, 20.0]])
    feasible = np.array([[True, True], [True, True], [True, False]])
    every = every_assignment(run_s, feasible, np.zeros(3), np.zeros(2))
    assert every.choices.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]]
    assert every.wait_s.tolist() == [[0, 10, 20], [0, 0, 10], [0, 0, 10], [0, 20, 0]]


def test_a_job_waits_for_what_is_there_before_it_and_not_for_what_has_ended():
    run_s = np.full((2, 1), 10.0)
    always = np.ones((2, 1), dtype=bool)
    assert every_assignment(run_s, always, np.array([0.0, 25.0]), np.array([7.0])).wait_s.tolist() == [[7, 0]]
    assert every_assignment(run_s, always, np.array([0.0, 12.0]), np.array([7.0])).wait_s.tolist() == [[7, 5]]


def test_the_most_that_is_saved_is_that_of_a_mixture():
    theirs = np.array([100.0, 1.0])
    # Half of each schedule gives .97 of the success: 20 s instead of 100 s.
    ours = np.array([[10.0, 0.96], [30.0, 0.98], [60.0, 0.985]])
    assert most_saved([ours], theirs) == pytest.approx(0.8, abs=1e-3)
    assert most_saved([ours[:1]], theirs) < 0  # it gives too much
    assert most_saved([ours[2:]], theirs) == pytest.approx(0.4, abs=1e-3)


def test_instances_are_taken_together():
    theirs = np.array([20.0, 2.0])
    quick, faithful = [0.0, 0.94], [10.0, 1.0]
    both = np.array([quick, faithful])
    assert most_saved([both, both], theirs) == pytest.approx(0.5, abs=1e-3)  # one quick, one faithful


def test_nobody_beats_the_optimum_that_knows_the_future(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exact, "SETTINGS", (0.01, 0.1, 0.7))
    for found in small_instances([4], 1, seed=1):
        assert found.clairvoyant <= 1
        assert max(found.informed, found.sighted) <= found.clairvoyant + 1e-6
        assert found.qsched <= found.clairvoyant + 1e-6
        assert found.qsched > 0


@given(seed=st.integers(0, 50), fidelity=st.floats(0.0, 1.0))
@settings(max_examples=6, deadline=None)
def test_the_exact_policy_has_the_best_score_when_all_jobs_are_known(seed: int, fidelity: float):
    case = scenario(fleets.fleet(4, 0), jobs=4, load=0.9, seed=seed).preferring(fidelity)
    case = dataclasses.replace(case, arrives_s=np.zeros(4), noise=0.0, changes=())
    outcome = simulate(case, Replanned(), stopwatch=lambda: 0.0)
    from qsched.scoring import estimate

    found = estimate(case.jobs, case.fleet)
    run_s, jobs = found.run_s.astype(float), np.arange(4)
    every = every_assignment(run_s, found.reasons == 0, np.zeros(4), np.zeros(4))
    wait = np.exp(-(every.wait_s + run_s[jobs, every.choices]) / case.jobs.tau_s)
    score = fidelity * found.success[jobs, every.choices].mean(axis=1) + (1 - fidelity) * wait.mean(axis=1)
    own = (every.choices == outcome.column).all(axis=1)
    assert score[own][0] >= score.max() - 1e-6
