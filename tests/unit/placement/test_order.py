"""Mending a choice by the order of service: never worse, and near the exact optimum of few jobs."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qsched.placement.order import mend_in_order
from qsched.placement.place import place


def worth(offers, work_s, impatience, servers, choice) -> float:
    """Sum of the scores, less what each job loses by the work before it on its backend."""
    total, before_s = 0.0, np.zeros(offers.shape[1])
    for job, column in enumerate(choice):
        if column >= 0:
            total += offers[job, column] - impatience[job] * before_s[column]
            before_s[column] += work_s[job, column] / servers[column]
    return float(total)


def some_jobs(seed: int, jobs: int, backends: int):
    rng = np.random.default_rng(seed)
    offers = rng.random((jobs, backends)).astype(np.float32)
    offers[:, 1:][rng.random((jobs, backends - 1)) < 0.2] = -np.inf
    work_s = rng.exponential(20, (jobs, backends)).astype(np.float32)
    impatience = rng.uniform(0, 0.02, jobs).astype(np.float32)
    return offers, work_s, impatience, rng.integers(1, 3, backends).astype(np.int32)


@given(seed=st.integers(0, 10_000), jobs=st.integers(0, 12), backends=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_it_never_loses_and_keeps_to_where_jobs_may_run(seed: int, jobs: int, backends: int):
    market = some_jobs(seed, jobs, backends)
    offers, work_s, impatience, servers = market
    choice = place(offers, work_s, impatience=impatience, servers=servers)
    mended = mend_in_order(*market, choice)
    assert np.isfinite(offers[np.arange(jobs), mended]).all()
    assert worth(*market, mended) >= worth(*market, choice) - 1e-5


def test_few_jobs_are_nearly_at_the_optimum():
    lost, possible = 0.0, 0.0
    for seed in range(30):
        market = some_jobs(seed, 6, 3)
        every = itertools.product(*(np.flatnonzero(np.isfinite(row)) for row in market[0]))
        best = max(worth(*market, each) for each in every)
        alone = worth(*market, market[0].argmax(axis=1))
        start = place(market[0], market[1], impatience=market[2], servers=market[3])
        lost += best - worth(*market, mend_in_order(*market, start))
        possible += best - alone
    assert lost < 0.03 * possible


def test_a_long_job_that_comes_last_goes_where_short_ones_are_served_before_it():
    offers = np.array([[0.9, 0.0], [0.9, 0.0], [0.9, 0.85]], dtype=np.float32)
    work_s = np.array([[1, 1], [1, 1], [500, 500]], dtype=np.float32)
    impatience = np.full(3, 0.001, dtype=np.float32)
    one_each = np.ones(2, dtype=np.int32)
    assert mend_in_order(offers, work_s, impatience, one_each, np.array([0, 0, 1], np.int32)).tolist() == [
        0,
        0,
        0,
    ]
    first = [2, 0, 1]  # the long one comes first: the others would wait for it
    assert mend_in_order(
        offers[first], work_s[first], impatience, one_each, np.array([0, 0, 0], np.int32)
    ).tolist() == [1, 0, 0]
