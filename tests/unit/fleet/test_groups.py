from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsched.fleet.groups import LINE_GATES, NET_GATES, Couplings, lines, nets
from qsched.fleet.topology import distances


def coupled(couplers, gate2, readout):
    """Couplings with these couplers, log(1 - e) of each, and of each measurement."""
    count = len(readout)
    log_gate2 = np.full((count, count), -np.inf)
    for (first, second), log in zip(couplers, gate2, strict=True):
        log_gate2[first, second] = log_gate2[second, first] = log
    far = distances(np.array(couplers, dtype=np.int32).reshape(-1, 2), count)
    return Couplings(log_gate2, np.asarray(readout, dtype=float), far)


@st.composite
def whole(draw, largest=5):
    """A device of few qubits, all coupled to each other."""
    count = draw(st.integers(1, largest))
    pairs = list(itertools.combinations(range(count), 2))
    draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return coupled(pairs, -draws.uniform(0, 0.1, len(pairs)), -draws.uniform(0, 0.2, count))


def _along(device, path):
    return sum(device.log_gate2[a, b] for a, b in itertools.pairwise(path))


def _tree(device, group):
    """The greatest sum over a tree that joins the group, by Prim."""
    inside, total = [group[0]], 0.0
    while len(inside) < len(group):
        log, nearest = max((device.log_gate2[a, b], b) for a in inside for b in group if b not in inside)
        total += log
        inside.append(nearest)
    return total


@settings(max_examples=40, deadline=None)
@given(whole())
def test_the_best_line_is_the_best_of_all(device):
    count = len(device.log_readout)
    found = list(lines(device, count))
    assert len(found) == count
    for size, groups in enumerate(found, start=1):
        worth = {
            path: LINE_GATES * _along(device, path) + device.log_readout[list(path)].sum()
            for path in itertools.permutations(range(count), size)
        }
        best = max(worth, key=lambda path: worth[path])
        assert sorted(groups.qubits[0].tolist()) == sorted(best)
        assert groups.log_links[0] == pytest.approx(_along(device, best) / max(size - 1, 1))


@settings(max_examples=40, deadline=None)
@given(whole())
def test_the_best_set_is_the_best_of_all_where_all_are_compact(device):
    count = len(device.log_readout)
    for size, groups in enumerate(nets(device, count), start=1):
        worth = {
            group: NET_GATES * _tree(device, group) + device.log_readout[list(group)].sum()
            for group in itertools.combinations(range(count), size)
        }
        best = max(worth, key=lambda group: worth[group])
        assert tuple(sorted(groups.qubits[0].tolist())) == best
        assert groups.log_links[0] == pytest.approx(_tree(device, best) / max(size - 1, 1))


def test_a_line_ends_where_couplers_end():
    star = coupled([(0, leaf) for leaf in range(1, 6)], [-0.01] * 5, [-0.02] * 6)
    assert len(list(lines(star, 6))) == 3
    letter_h = coupled([(0, 1), (1, 2), (1, 3), (3, 5), (4, 5), (5, 6)], [-0.01] * 6, [-0.02] * 7)
    assert len(list(lines(letter_h, 7))) == 5
    ring = coupled([(i, (i + 1) % 8) for i in range(8)], [-0.01] * 8, [-0.02] * 8)
    assert len(list(lines(ring, 8))) == 8


def test_a_compact_set_is_no_line_where_it_need_not_be():
    grid = [(3 * r + c, 3 * r + c + 1) for r in range(3) for c in range(2)]
    grid += [(3 * r + c, 3 * r + c + 3) for r in range(2) for c in range(3)]
    device = coupled(grid, [-0.01] * len(grid), [-0.02] * 9)
    four = list(nets(device, 4))[-1]
    corners = {frozenset(each) for each in four.qubits.tolist()}
    assert all(device.distance[np.ix_(list(group), list(group))].max() <= 2 for group in corners)
    assert len(corners) == len(four.qubits) > 1


def test_groups_of_an_all_to_all_device_of_many_qubits_do_not_explode():
    draws = np.random.default_rng(3)
    pairs = list(itertools.combinations(range(40), 2))
    device = coupled(pairs, -draws.uniform(0, 0.01, len(pairs)), -draws.uniform(0, 0.02, 40))
    for groups in (*lines(device, 40), *nets(device, 40)):
        assert all(len(set(members)) == len(members) for members in groups.qubits.tolist())
        assert np.isfinite(groups.log_links).all()
