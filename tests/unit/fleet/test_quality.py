from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsched.fleet.quality import ASSUMED_READOUT_S, quality
from qsched.fleet.region import GATES_PER_LINK, best_groups
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
    assert worth.er == pytest.approx(0.17)


def test_t2_is_at_most_twice_t1():
    worth = quality(line(3, t1_s=[50e-6] * 3, t2_s=[1.0, 80e-6, 1.0]))
    assert worth.qubit_t2_s.tolist() == pytest.approx([100e-6, 80e-6, 100e-6])


def test_a_device_that_measures_no_coherence_at_all_has_no_idle_term():
    worth = quality(line(3, t1_s=[np.nan] * 3, t2_s=[np.nan] * 3))
    assert worth.qubits == 3
    assert worth.t1_s == worth.t2_s == np.inf
    assert worth.summary().t1_s is None


def test_without_t1_the_measured_t2_stands():
    assert quality(line(3, t1_s=[np.nan] * 3)).t2_s == pytest.approx(80e-6)


def test_errors_that_nobody_measured_leave_no_usable_qubit():
    worth = quality(line(3, gate1_error=[np.nan] * 3))
    assert worth.qubits == 0
    assert worth.ball.tolist() == [1.0]


def test_errors_and_times_are_those_of_the_best_connected_groups_of_five():
    """A bad part of a device says nothing about circuits that fit beside it."""
    good_t2_s, bad_t2_s = 80e-6, 5e-6
    errors = np.array([0.01] * 6 + [0.08] * 5)
    worth = quality(line(12, gate2_error=errors, t2_s=[good_t2_s] * 7 + [bad_t2_s] * 5))
    assert worth.qubits == 12
    assert worth.e2 == pytest.approx(0.01)
    assert worth.t2_s == pytest.approx(good_t2_s)


def test_times_of_the_best_groups_are_harmonic_means():
    worth = quality(line(5, t1_s=[40e-6] * 4 + [10e-6], t2_s=[20e-6] * 5))
    assert worth.t1_s == pytest.approx(1 / np.mean([1 / 40e-6] * 4 + [1 / 10e-6]))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 5), qubits=st.integers(2, 7))
def test_the_best_group_is_the_best_of_all_groups(seed, size, qubits):
    draws = np.random.default_rng(seed)
    readout = np.log1p(-draws.uniform(0, 0.2, qubits))
    gate2 = np.full((qubits, qubits), -np.inf)
    for first, second in itertools.combinations(range(qubits), 2):
        if draws.random() < 0.6:
            gate2[first, second] = gate2[second, first] = np.log1p(-draws.uniform(0, 0.1))
    found = best_groups(gate2, readout, size, 1)
    scored = {group: _spanned(gate2, group) for group in itertools.combinations(range(qubits), size)}
    totals = {
        group: GATES_PER_LINK * links + readout[list(group)].sum()
        for group, links in scored.items()
        if np.isfinite(links)
    }
    if totals:
        best = tuple(found.qubits[0].tolist())
        assert totals[best] == pytest.approx(max(totals.values()))
        assert found.log_links[0] == pytest.approx(scored[best] / max(size - 1, 1))
    else:
        assert found.qubits.shape[1] < size  # no so many are connected


def _spanned(gate2, group):
    """The greatest sum over a tree that joins the group, by Prim; minus infinity when nothing joins it."""
    inside, total = [group[0]], 0.0
    while len(inside) < len(group):
        links = {(gate2[a, b], b) for a in inside for b in group if b not in inside}
        log, nearest = max(links)
        total += log
        inside.append(nearest)
    return total


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
    assert worth.e2 == worth.d2_s == 0.0


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
