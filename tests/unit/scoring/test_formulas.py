"""The numbers themselves, worked out by hand from design section 6."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qsched.api.job import Weights
from qsched.fleet.drift import drift
from qsched.fleet.durations import run_s
from qsched.fleet.snapshot import build_fleet
from qsched.scoring import Reason, build_jobs, estimate


def one(make, job, backend):
    return estimate(build_jobs([job], make.now), build_fleet([backend], make.now))


def test_log_success_run_time_and_window_follow_the_design(make):
    quality = make.device(7, e1=3e-4, e2=0.01, er=0.02, t1_s=100e-6, t2_s=80e-6, link_s=250e-9)
    circuit = make.circuit()
    table = one(make, make.job(shots=1000), make.backend(quality=quality, simulator=True))
    detour = quality.ball[5] - 1
    assert detour > 0
    added = 0.87 * math.sqrt(circuit.density) * 10 * detour
    together = math.sqrt(5) / 2
    path2 = 12 / together
    assert path2 > circuit.path2
    # The device has CNOTs, without the pulse that is counted with each of the circuit's gates.
    path_s = 4 * 35e-9 + path2 * (300e-9 - 35e-9) + added / together * 300e-9 + 1e-6
    idle_s = (16 + 5 * (path2 - 8) + added * (5 / together - 2)) * 250e-9
    idle = -idle_s / (4 * 100e-6) - idle_s / (4 * 80e-6)
    expected = (12 + added) * math.log1p(-0.01) + (20 - 12) * math.log1p(-3e-4) + 5 * math.log1p(-0.02) + idle
    assert table.log_success[0, 0] == pytest.approx(expected, rel=1e-5)
    assert table.critical_path_s[0, 0] == pytest.approx(path_s - 1e-6, rel=1e-5)  # up to the readout
    assert table.run_s[0, 0] == pytest.approx(run_s(1000, path_s, reset_s=250e-6, overhead_s=3.0), rel=1e-5)
    assert table.window_s[0, 0] == pytest.approx(40e-6, rel=1e-5)


def test_a_circuit_that_forms_a_line_is_not_routed_where_the_device_has_one(make):
    def log_success(line, **changes):
        backend = make.backend(quality=make.device(7, **changes), simulator=True)
        return one(make, make.job(profiles=[make.circuit(line=line, path2=12)]), backend).log_success[0, 0]

    assert log_success(line=True) > log_success(line=False)
    assert log_success(line=True, longest_line=4) == log_success(line=False, longest_line=4)


def test_a_cnot_costs_more_where_it_is_made_of_another_gate(make):
    backends = [make.backend(quality=make.device(7, dressing=pulses), simulator=True) for pulses in (0, 2)]
    plain, dressed = (one(make, make.job(), each) for each in backends)
    assert dressed.log_success[0, 0] < plain.log_success[0, 0]
    assert dressed.run_s[0, 0] > plain.run_s[0, 0]


def test_score_is_the_weighted_sum_of_the_utilities(make):
    pricing = make.price(per_task="1", per_shot="0.004", quantum="0.01")
    weights = Weights(fidelity=1, wait=1, coherence=1, cost=1)
    table = one(make, make.job(weights=weights, shots=1000), make.backend(pricing=pricing, simulator=True))
    wait = math.exp(-(60 + table.run_s[0, 0]) / 3600)
    coherence = 1 - table.critical_path_s[0, 0] / 40e-6
    thrift = math.exp(-5.0 / 20)
    expected = (math.exp(table.log_success[0, 0]) + wait + coherence + thrift) / 4
    assert table.score[0, 0] == pytest.approx(expected, rel=1e-5)


def test_several_circuits_take_the_mean_success_and_the_sum_of_time_and_cost(make):
    small, large = make.circuit(n2=4, path2=4), make.circuit(n2=40, path2=30)
    backend = make.backend(pricing=make.price(per_task="0.3", per_two_qubit_gate="0.0001"), overhead_s=0.0)
    alone = [one(make, make.job(profiles=[each]), backend) for each in (small, large)]
    both = one(make, make.job(profiles=[small, large]), backend)
    assert both.log_success[0, 0] == pytest.approx(np.mean([a.log_success[0, 0] for a in alone]), rel=1e-5)
    assert both.run_s[0, 0] == pytest.approx(sum(a.run_s[0, 0] for a in alone), rel=1e-5)
    assert both.cost[0, 0] == pytest.approx(sum(a.cost[0, 0] for a in alone), rel=1e-6)
    assert both.critical_path_s[0, 0] == alone[1].critical_path_s[0, 0]


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ({"per_task": "0.3", "per_shot": "0.00035"}, 0.65),
        ({"per_shot": "0.0000333", "quantum": "0.01"}, 0.04),
        ({"per_shot": "0.00001", "minimum": "1.5"}, 1.5),
        ({"per_one_qubit_gate": "0.001", "per_measurement": "0.002"}, 1000 * (20 * 0.001 + 5 * 0.002)),
        ({"per_shot": "0.00002", "quantum": "0.01"}, 0.02),
    ],
)
def test_cost_is_rounded_up_to_the_quantum_and_at_least_the_minimum(make, prices, expected):
    table = one(make, make.job(shots=1000), make.backend(pricing=make.price(**prices)))
    assert table.cost[0, 0] == pytest.approx(expected, abs=1e-9)


def test_an_old_calibration_costs_success_on_a_device_that_drifts_only(make):
    import datetime as dt

    old = make.now - dt.timedelta(days=9)
    fresh, stale = make.backend(wait_s=0.0), make.backend(wait_s=0.0, calibration_taken_at=old)
    twin = make.backend(wait_s=0.0, calibration_taken_at=old, simulator=True)
    values = [one(make, make.job(), each).log_success[0, 0] for each in (twin, fresh, stale)]
    assert values[0] > values[1] > values[2]
    assert values[2] / values[0] == pytest.approx(drift(9 * 86_400), rel=1e-5)


def test_a_job_that_would_outlast_the_calibration_or_the_window_is_worth_less(make):
    from qsched.api.backend import Window

    long = make.backend(recalibrates_every="100h")
    soon = make.backend(recalibrates_every="61m")  # the calibration is an hour old, the wait a minute
    assert one(make, make.job(), soon).success[0, 0] < 0.99 * one(make, make.job(), long).success[0, 0]
    closing = make.backend(windows=[Window(start="09:00", end="12:01")])
    assert one(make, make.job(), closing).wait[0, 0] < 0.7 * one(make, make.job(), long).wait[0, 0]


def test_an_ideal_simulator_takes_only_jobs_that_ask_for_it(make):
    ideal = make.backend(quality=None, simulator=True)
    assert one(make, make.job(), ideal).reasons[0, 0] == Reason.BACKENDS
    assert one(make, make.job(backends=[ideal.name]), ideal).reasons[0, 0] == 0
    assert one(make, make.job(simulators="Required"), ideal).reasons[0, 0] == 0


def test_an_ideal_simulator_is_perfect_and_free(make):
    ideal = make.backend(quality=None, simulator=True, wait_s=0.0, overhead_s=0.0)
    table = one(make, make.job(simulators="Required"), ideal)
    assert table.score[0, 0] == pytest.approx(1.0)
    assert np.isinf(table.window_s[0, 0])
