from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsched.fleet.quality import ASSUMED_READOUT_S, quality
from qsched.fleet.region import LARGEST, LINE, NET
from tests.unit.fleet.builders import complete, device, line, replaced


@pytest.mark.parametrize("bad", [np.nan, 0.5, 1.0, -0.1])
def test_a_coupler_without_a_credible_error_is_dropped_and_the_larger_part_is_kept(bad):
    worth = quality(line(5, gate2_error=replaced(np.full(4, 0.01), 1, bad)))
    assert worth.usable.tolist() == [False, False, True, True, True]
    assert worth.coupler_usable.tolist() == [False, False, True, True]
    assert worth.qubits == 3


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("t1_s", np.nan),
        ("t1_s", 0.0),
        ("t2_s", np.nan),
        ("t2_s", -1e-6),
        ("readout_p10", np.nan),
        ("readout_p10", 0.99),
        ("gate1_error", np.nan),
        ("gate1_error", 1.0),
    ],
)
def test_a_qubit_without_a_credible_figure_is_dropped_with_its_couplers(column, bad):
    good = line(4)
    worth = quality(line(4, **{column: replaced(getattr(good, column), 0, bad)}))
    assert worth.usable.tolist() == [False, True, True, True]
    assert worth.coupler_usable.tolist() == [False, True, True]


def test_a_readout_error_of_17_percent_is_poor_but_usable():
    worth = quality(line(3, readout_p10=[0.17] * 3, readout_p01=[0.17] * 3))
    assert worth.qubits == 3
    assert worth.er[:, 1:] == pytest.approx(0.17)


def test_t2_is_at_most_twice_t1():
    worth = quality(line(3, t1_s=[50e-6] * 3, t2_s=[1.0, 80e-6, 1.0]))
    assert worth.qubit_t2_s.tolist() == pytest.approx([100e-6, 80e-6, 100e-6])


def test_a_device_that_measures_no_coherence_at_all_has_no_idle_term():
    worth = quality(line(3, t1_s=[np.nan] * 3, t2_s=[np.nan] * 3))
    assert worth.qubits == 3
    assert (worth.t1_s == np.inf).all()
    assert (worth.t2_s == np.inf).all()
    assert worth.summary().t1_s is None


def test_without_t1_the_measured_t2_stands():
    assert quality(line(3, t1_s=[np.nan] * 3)).t2_s[:, 1:] == pytest.approx(80e-6)


def test_errors_that_nobody_measured_leave_no_usable_qubit():
    worth = quality(line(3, gate1_error=[np.nan] * 3))
    assert worth.qubits == 0
    assert worth.ball.tolist() == [1.0]


def test_errors_and_times_are_those_of_the_part_where_a_circuit_fits():
    """A bad part of a device says nothing about circuits that fit beside it."""
    good_t2_s, bad_t2_s = 80e-6, 5e-6
    errors = np.array([0.01] * 6 + [0.08] * 5)
    worth = quality(line(12, gate2_error=errors, t2_s=[good_t2_s] * 7 + [bad_t2_s] * 5))
    assert worth.qubits == worth.longest_line == 12
    assert worth.e2[LINE, 2:8] == pytest.approx(0.01)
    assert worth.t2_s[LINE, 1:8] == pytest.approx(good_t2_s)
    assert (np.diff(worth.e2[LINE, 7:]) > 0).all()
    assert (np.diff(worth.t2_s[LINE, 7:]) < 0).all()
    assert worth.e2[NET, 12] == worth.e2[LINE, 12] == pytest.approx(-np.expm1(np.log1p(-errors).mean()))


def test_times_of_a_part_are_harmonic_means():
    worth = quality(line(5, t1_s=[40e-6] * 4 + [10e-6], t2_s=[20e-6] * 5))
    assert worth.t1_s[:, 5] == pytest.approx(1 / np.mean([1 / 40e-6] * 4 + [1 / 10e-6]))


def test_the_duration_of_a_link_is_that_of_the_gates_of_its_qubits():
    worth = quality(line(3, gate2_error=[0.01, 0.04], gate2_s=[100e-9, 300e-9]))
    assert worth.link_s[LINE, 2] == pytest.approx((100e-9 + 200e-9) / 2)
    assert worth.link_s[LINE, 3] == pytest.approx(200e-9)


def test_what_forms_no_line_on_a_device_is_put_where_other_circuits_are():
    star = quality(device(6, [(0, leaf) for leaf in range(1, 6)]))
    assert star.longest_line == 3
    for table in (star.e1, star.e2, star.er, star.t1_s, star.t2_s, star.link_s):
        assert table[LINE, 4:].tolist() == table[NET, 4:].tolist()


def test_what_is_larger_than_any_part_that_is_looked_for_has_the_figures_of_the_largest():
    worth = quality(line(40))
    assert worth.e2.shape == (2, 41)
    assert (worth.e2[NET, LARGEST:] == worth.e2[NET, LARGEST]).all()
    assert worth.longest_line == 40


@pytest.mark.parametrize(("gate", "pulses"), [("cx", 0), ("cz", 2), ("ecr", 2), ("rzz", 2)])
def test_a_cnot_that_is_made_of_another_gate_brings_pulses(gate, pulses):
    assert quality(line(3, two_qubit_gate=gate)).dressing == pulses


def test_the_summary_holds_medians_of_the_usable_part():
    summary = quality(line(4, gate2_error=[1.0, 0.02, 0.04], t1_s=[1e-6, 2e-5, 4e-5, 6e-5])).summary()
    assert summary.qubits == 3
    assert summary.two_qubit_error == pytest.approx(0.03)
    assert summary.t1_s == pytest.approx(4e-5)


def test_a_missing_duration_is_the_devices_median_and_an_assumed_one_without_any():
    worth = quality(line(3, gate1_s=[30e-9, np.nan, 50e-9], readout_s=[np.nan] * 3))
    assert worth.gate1_s.tolist() == pytest.approx([30e-9, 40e-9, 50e-9])
    assert worth.dm_s == ASSUMED_READOUT_S


def test_a_single_qubit_is_a_device():
    worth = quality(device(1, []))
    assert worth.qubits == 1
    assert worth.ball.tolist() == [1.0, 1.0]
    assert worth.d2_s == 0.0
    assert (worth.e2 == 0).all()


def test_every_set_of_an_all_to_all_device_is_adjacent():
    assert quality(complete(12)).ball.tolist() == [1.0] * 13


def test_the_ball_of_a_line_is_the_mean_distance_in_a_segment():
    # The mean of |i - j| over n points in a row is (n + 1) / 3.
    ball = quality(line(30)).ball
    assert ball[2:] == pytest.approx([(n + 1) / 3 for n in range(2, 31)])


def test_quality_is_computed_once_for_equal_calibrations():
    assert quality(line(7)) is quality(line(7))


def test_156_qubits_take_less_than_50_ms_of_a_processor():
    ladder = [(r * 12 + c, r * 12 + c + 1) for r in range(13) for c in range(11)]
    ladder += [(r * 12 + c, r * 12 + c + 12) for r in range(12) for c in range(0, 12, 3)]
    calibrations = [device(156, ladder, reset_s=250e-6 + i * 1e-6) for i in range(5)]
    times_s = []
    for calibration in calibrations:
        start = time.process_time()
        quality(calibration)
        times_s.append(time.process_time() - start)
    assert min(times_s) < 0.05


@st.composite
def graphs(draw):
    qubits = draw(st.integers(1, 9))
    pairs = list(itertools.combinations(range(qubits), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14)) if pairs else []
    dead = draw(st.sets(st.integers(0, qubits - 1), max_size=2))
    return qubits, [pair if draw(st.booleans()) else pair[::-1] for pair in chosen], dead


def _components(qubits, couplers, dead):
    parts = {q: {q} for q in range(qubits) if q not in dead}
    for a, b in couplers:
        if a in parts and b in parts and parts[a] is not parts[b]:
            merged = parts[a] | parts[b]
            parts.update(dict.fromkeys(merged, merged))
    return [part for q, part in parts.items() if q == min(part)]


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_the_usable_part_is_a_largest_component_and_balls_are_bounded_by_its_distances(graph):
    qubits, couplers, dead = graph
    t1_s = np.full(qubits, 1e-4)
    t1_s[list(dead)] = 0
    worth = quality(device(qubits, couplers, t1_s=t1_s))
    usable = set(np.flatnonzero(worth.usable).tolist())
    parts = _components(qubits, couplers, dead)
    assert usable in parts or not parts
    assert len(usable) == max((len(part) for part in parts), default=0)
    for (a, b), kept in zip(couplers, worth.coupler_usable, strict=True):
        assert kept == (a in usable and b in usable)
    assert len(worth.ball) == worth.qubits + 1
    assert (worth.ball >= 1).all()
    assert (worth.ball <= max(1, worth.qubits - 1)).all()
    if worth.qubits >= 2:
        assert worth.ball[2] == 1


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_the_whole_device_as_a_ball_has_the_mean_of_its_shortest_paths(graph):
    qubits, couplers, _dead = graph
    worth = quality(device(qubits, couplers))
    members = np.flatnonzero(worth.usable).tolist()
    distance = {(a, b): np.inf for a in members for b in members} | {(a, a): 0 for a in members}
    distance |= {pair: 1 for a, b in couplers if a in members for pair in ((a, b), (b, a))}
    for via, a, b in itertools.product(members, repeat=3):
        distance[a, b] = min(distance[a, b], distance[a, via] + distance[via, b])
    if len(members) >= 2:
        mean = np.mean([distance[pair] for pair in itertools.combinations(members, 2)])
        assert worth.ball[-1] == pytest.approx(mean)
