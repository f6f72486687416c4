"""Placements next to the exact optimum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from qsched.placement import UNPLACED, open_market, place
from qsched.placement.equilibrium import equilibrium
from qsched.placement.source import bound


def linear_optimum(offers, slots):
    """The assignment as a linear programme; its corners are whole numbers."""
    jobs, backends = offers.shape
    rows, columns = np.nonzero(np.isfinite(offers))
    if not rows.size:
        return 0.0
    pairs, ones = np.arange(rows.size), np.ones(rows.size)
    limits = sp.vstack(
        [
            sp.csr_matrix((ones, (rows, pairs)), (jobs, rows.size)),
            sp.csr_matrix((ones, (columns, pairs)), (backends, rows.size)),
        ]
    )
    gains = offers[rows, columns].astype(float)
    answer = linprog(
        -gains, A_ub=limits, b_ub=np.concatenate([np.ones(jobs), slots]), bounds=(0, 1), method="highs"
    )
    return -answer.fun


def total(offers, choice):
    placed = np.flatnonzero(choice != UNPLACED)
    return float(offers[placed, choice[placed]].sum(dtype=float))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(1, 6), st.integers(0, 2**31), st.data())
def test_small_placements_with_slots_equal_the_linear_programme(make_instance, jobs, backends, seed, data):
    offers, work_s, _ = make_instance(jobs, backends, seed)
    slots = np.array(
        data.draw(st.lists(st.integers(0, 6), min_size=backends, max_size=backends)), dtype=np.int32
    )
    choice = place(offers, work_s, slots=slots)
    placed = choice[choice != UNPLACED]
    assert (np.bincount(placed, minlength=backends) <= slots).all()
    assert np.isfinite(offers[choice != UNPLACED, placed]).all()
    assert total(offers, choice) == pytest.approx(linear_optimum(offers, slots), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("jobs", "backends", "share"), [(300, 8, 0.7), (1000, 16, 1.0), (1000, 16, 1.6)])
def test_large_placements_with_slots_are_within_a_thousandth_of_the_linear_programme(
    make_instance, jobs, backends, share
):
    offers, work_s, _ = make_instance(jobs, backends, 5)
    slots = (
        np.random.default_rng(5).multinomial(int(share * jobs), np.ones(backends) / backends).astype(np.int32)
    )
    choice = place(offers, work_s, slots=slots)
    assert (np.bincount(choice[choice != UNPLACED], minlength=backends) <= slots).all()
    assert total(offers, choice) >= 0.999 * linear_optimum(offers, slots)


def test_small_placements_with_congestion_equal_the_best_of_all(make_instance):
    """Without whole numbers the problem is convex; with them a local optimum may rarely remain."""
    shares = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        offers, work_s, impatience = make_instance(
            rng.integers(1, 6), rng.integers(1, 5), seed, infeasible=0.1
        )
        impatience = (impatience * 10 ** rng.uniform(-1, 2)).astype(np.float32)
        market = open_market(offers, work_s, impatience=impatience)
        able = [np.flatnonzero(np.isfinite(row)).tolist() or [UNPLACED] for row in offers]
        best = max(market.welfare(np.array(choice, dtype=np.int32)) for choice in itertools.product(*able))
        found = market.welfare(place(offers, work_s, impatience=impatience))
        assert found <= best + 1e-5
        shares.append((best - found) / max(1.0, abs(best)))
    assert np.mean(np.array(shares) < 1e-3) >= 0.98
    assert max(shares) < 0.05


@pytest.mark.parametrize(("jobs", "gap"), [(500, 2e-3), (2_000, 2e-3), (20_000, 1e-3)])
def test_many_jobs_with_congestion_are_close_to_the_dual_bound(make_instance, jobs, gap):
    offers, work_s, impatience = make_instance(jobs, 16, 3)
    impatience = (impatience * 1000 / jobs).astype(np.float32)
    market = open_market(offers, work_s, impatience=impatience)
    choice = place(offers, work_s, impatience=impatience)
    greedy = np.where(np.isfinite(offers).any(axis=1), offers.argmax(axis=1), UNPLACED).astype(np.int32)
    settled = equilibrium(market, np.random.default_rng(0)).loads
    least = min(bound(market, market.loads(choice)), bound(market, settled))
    assert market.welfare(choice) >= least - gap * abs(least)
    assert market.welfare(choice) > market.welfare(greedy)


def test_the_bound_holds_for_every_choice(make_instance):
    offers, work_s, impatience = make_instance(6, 3, 1, infeasible=0)
    market = open_market(offers, work_s, impatience=impatience * 100)
    bounds = [
        bound(market, market.loads(np.array(choice, dtype=np.int32)))
        for choice in itertools.product(range(3), repeat=6)
    ]
    worths = [
        market.welfare(np.array(choice, dtype=np.int32)) for choice in itertools.product(range(3), repeat=6)
    ]
    assert min(bounds) >= max(worths) - 1e-5
