"""How predictors are judged, and the experiment on calibrations of different ages."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.measured.contest import Aged, compete
from benchmarks.truth.ageing import AGES_DAYS, cost_of_age
from benchmarks.truth.ceiling import told
from benchmarks.truth.layouts import best_layout_log
from benchmarks.truth.pairs import Pair, study_circuits
from benchmarks.truth.predictors import esp, stage1
from benchmarks.truth.ranking import (
    chosen,
    chosen_in_two_stages,
    judge_choice,
    pools,
    r2,
    rank_correlation,
    rank_correlation_within,
)
from benchmarks.truth.simulate import Truth
from qsched.circuits.usage import Usage
from qsched.fleet.quality import quality
from qsched_aer.snapshots import load_snapshot
from tests.unit.fleet.builders import line

TRUTH = np.array([[0.9, 0.895, 0.5], [0.2, 0.6, 0.4]])


def test_a_choice_is_judged_by_what_it_loses():
    choice = judge_choice(np.array([1, 2]), TRUTH)
    assert choice == pytest.approx((0.0, 0.5, (0.005 + 0.2) / 2))
    assert judge_choice(chosen(TRUTH), TRUTH) == (1.0, 1.0, 0.0)


def test_the_second_stage_chooses_among_the_best_of_the_first():
    first = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert chosen_in_two_stages(first, TRUTH, 1).tolist() == [0, 2]
    assert chosen_in_two_stages(first, TRUTH, 2).tolist() == [0, 1]
    assert chosen_in_two_stages(first, TRUTH, 3).tolist() == chosen(TRUTH).tolist()


def test_correlations_are_of_ranks_and_r2_is_of_values():
    assert rank_correlation(TRUTH**3, TRUTH) == pytest.approx(1)
    assert rank_correlation_within(-TRUTH, TRUTH) == pytest.approx(-1)
    assert r2(TRUTH, TRUTH) == 1
    assert r2(np.full_like(TRUTH, TRUTH.mean()), TRUTH) == pytest.approx(0)
    assert rank_correlation(np.ones_like(TRUTH), TRUTH) == 0


def test_pools_hold_distinct_devices():
    drawn = pools(50, 5, 9, seed=1)
    assert all(len(set(pool)) == 5 for pool in drawn.tolist())
    assert np.array_equal(drawn, pools(50, 5, 9, seed=1))


def test_who_knows_the_truth_loses_nothing_to_age_and_who_does_not_loses_more():
    where = [Aged(epoch, age) for epoch in range(6) for age in AGES_DAYS]
    days = np.array([each.age_days for each in where])
    draws = np.random.default_rng(3)
    looks = draws.uniform(0.6, 0.9, (5, len(where)))
    truth = looks * np.exp(-0.05 * np.sqrt(days))
    outcome = compete(where, truth, truth, looks, seed=2)
    assert outcome.knowing.regret == 0
    assert outcome.ignoring.regret > 0.01
    assert outcome.better == 1
    assert outcome.gain_error < outcome.ignoring.regret


def test_the_cost_of_age_is_against_the_days_own_calibration():
    where = [Aged(epoch, age) for epoch in range(2) for age in AGES_DAYS]
    truth = np.array([[0.8 if each.age_days < 30 else 0.6 for each in where]])
    assert cost_of_age(where, truth) == pytest.approx(dict.fromkeys(AGES_DAYS, 0.0) | {30: 0.25})


def test_the_best_layout_is_the_best_of_all_layouts():
    """A path of three qubits, on every path of three that a device of seven has."""
    device = quality(load_snapshot("perth"))
    known = device.calibration
    links = {frozenset(pair) for pair in known.couplers.tolist()}
    logs = [
        np.log(_esp(_path(path), known))
        for path in itertools.permutations(range(known.qubits), 3)
        if {frozenset(path[:2]), frozenset(path[1:])} <= links
    ]
    assert best_layout_log(_path((0, 1, 3)), device) == pytest.approx(max(logs))


def _path(qubits):
    order = np.argsort(qubits)
    return Usage(
        couplers=np.array([qubits[:2], qubits[1:]]),
        coupler_gates=np.array([3, 1]),
        qubits=np.sort(qubits),
        gates1=np.array([4, 1, 2])[order],
        measurements=np.array([1, 0, 1])[order],
        idle_qubit=np.zeros(0, dtype=int),
        idle_s=np.zeros(0),
        idle_excited=np.zeros(0),
        idle_coherence=np.zeros(0),
        critical_path_s=0.0,
    )


def _esp(usage, known):
    class Row:
        pass

    row = Row()
    row.usage = usage
    return float(esp([[row]], [known])[0, 0])


def test_stage_1_told_what_it_knows_says_what_it_says():
    """On a device that is everywhere the same, with a circuit that comes out as its profile has it."""
    known = line(6, two_qubit_gate="cx")
    ghz = next(circuit for circuit in study_circuits((3,)) if circuit.name == "ghz-3")
    told_all = told([ghz], [[_as_in_the_profile()]], [known])
    for name, log_success in told_all.items():
        assert np.exp(log_success) == pytest.approx(stage1([ghz], [known]), rel=1e-4), name


def _as_in_the_profile():
    """GHZ on three qubits: a Hadamard, two CNOTs, and one qubit that waits for a CNOT and no pulse."""
    truth, idle_ps = Truth(1.0, 1.0, 1.0), 68_000
    return Pair(
        "", truth, [0, 1, 1, 2], [1, 1], [0, 1, 2], [1, 0, 0], [1, 1, 1], [0], [idle_ps], [5000], [0], 0
    )
