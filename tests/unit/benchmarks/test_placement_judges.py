"""What placements are held against in the benchmark, and who judges them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from benchmarks.baselines import fifo_greedy, least_busy, linear_optimum
from benchmarks.judge import dual_bound, judge_choices, terms_of
from qsched.placement import open_market


class Matrix:
    """Jobs whose offers and seconds are given, as a ``Crowd``."""

    def __init__(self, offers, work_s, impatience):
        self.offers, self.work_s, self.impatience = offers, work_s, impatience
        self.fleet, self.servers = range(offers.shape[1]), np.arange(1, offers.shape[1] + 1)

    def blocks(self):
        for start in range(0, len(self.offers), 7):
            rows = slice(start, min(start + 7, len(self.offers)))
            yield rows, self.offers[rows].astype(float), self.work_s[rows].astype(float)


def random_matrix(jobs, backends, seed):
    rng = np.random.default_rng(seed)
    offers = rng.random((jobs, backends)).astype(np.float32)
    offers[rng.random((jobs, backends)) < 0.2] = -np.inf
    return Matrix(offers, rng.lognormal(3, 1, (jobs, backends)).astype(np.float32), rng.random(jobs) * 1e-3)


def some_choice(matrix, seed):
    noise = np.random.default_rng(seed).random(matrix.offers.shape)
    able = np.isfinite(matrix.offers)
    return np.where(able.any(axis=1), np.where(able, noise, -1).argmax(axis=1), -1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**31))
def test_the_judge_and_the_market_agree_on_what_a_choice_is_worth(jobs, backends, seed):
    matrix = random_matrix(jobs, backends, seed)
    choice = some_choice(matrix, seed)
    market = open_market(
        matrix.offers,
        matrix.work_s,
        impatience=matrix.impatience.astype(np.float32),
        servers=matrix.servers,
    )
    terms = terms_of(matrix)
    judged = judge_choices(matrix, terms, {"some": choice})["some"]
    assert judged.feasible
    assert judged.welfare == pytest.approx(market.welfare(choice.astype(np.int32)), rel=1e-4, abs=1e-4)
    assert judged.welfare <= dual_bound(matrix, terms, judged.loads) + 1e-9


def test_the_judge_sees_jobs_that_are_where_they_may_not_be():
    matrix = random_matrix(20, 3, 1)
    matrix.offers[4] = [0.5, -np.inf, 0.5]
    matrix.offers[5] = -np.inf
    good = some_choice(matrix, 0)
    wrong = {
        "forbidden": (4, 1),
        "left out": (4, -1),
        "nowhere": (5, 0),
        "no such backend": (4, 3),
    }
    choices = {name: good.copy() for name in wrong}
    for name, (job, column) in wrong.items():
        choices[name][job] = column
    judged = judge_choices(matrix, terms_of(matrix), {"good": good, **choices})
    assert [name for name, each in judged.items() if each.feasible] == ["good"]


def test_greedy_moves_on_when_its_favourite_is_loaded():
    offers = np.array([[0.9, 0.8]] * 4, dtype=np.float32)
    block = (offers, np.full_like(offers, 10.0), np.zeros(4, dtype=np.float32))
    units = np.array([[0.009, 0.009], [0.0, 0.0]])
    assert fifo_greedy([block], units).tolist() == [0, 1, 0, 1]
    assert fifo_greedy([block], np.zeros((2, 2))).tolist() == [0, 0, 0, 0]
    assert fifo_greedy([block], np.zeros((2, 2)), np.array([1, 2])).tolist() == [0, 1, 1, -1]


def test_the_least_busy_backend_that_may_run_the_job_gets_it():
    offers = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [-np.inf, 0.1]], dtype=np.float32)
    block = (offers, offers, np.zeros(4, dtype=np.float32))
    assert least_busy([block], np.array([1, 1])).tolist() == [0, 1, 0, 1]
    assert least_busy([block], np.array([3, 1])).tolist() == [0, 1, 0, 1]
    assert least_busy([block], np.array([1, 1]), np.array([1, 1])).tolist() == [0, 1, -1, -1]


def test_the_optimum_found_from_few_pairs_is_that_of_all():
    matrix, slots = random_matrix(60, 5, 3), np.array([4, 20, 0, 9, 12])
    pairs = np.argwhere(np.isfinite(matrix.offers))
    limits = np.zeros((65, len(pairs)))
    limits[pairs[:, 0], np.arange(len(pairs))] = limits[60 + pairs[:, 1], np.arange(len(pairs))] = 1
    gains = matrix.offers[tuple(pairs.T)].astype(float)
    most = np.concatenate([np.ones(60), slots])
    whole = -linprog(-gains, A_ub=limits, b_ub=most, method="highs").fun
    assert linear_optimum(matrix.offers, slots) == pytest.approx(whole, rel=2e-6)
