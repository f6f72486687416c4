"""Placing jobs that are scored block by block, without the matrix of all pairs."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scenarios import scale
from qsched.placement import UNPLACED, impatience_of, open_market, place_jobs
from qsched.placement.market import market_at
from qsched.placement.source import Stream, bound, draw
from qsched.scoring import estimate
from qsched.scoring.threads import in_threads


class Crowd:
    """Jobs of a matrix that is handed out a block at a time, as a scorer would."""

    def __init__(self, offers, work_s, impatience, rows):
        self.market = open_market(offers, work_s, impatience=impatience)
        self.rows = rows
        self.read = 0

    units = property(lambda self: self.market.units)
    slots = None
    together = 1
    backends = property(lambda self: self.market.backends)

    def __len__(self):
        return len(self.market)

    def blocks(self):
        return [slice(at, min(at + self.rows, len(self))) for at in range(0, len(self), self.rows)]

    def block(self, rows):
        return self.market.block(rows)

    def choose(self, rows, loads, slot_price):
        self.read += rows.stop - rows.start
        return self.market.choose(rows, loads, slot_price)

    def sizes(self):
        return self.market.sizes()

    def sample(self, rows, stands_for):
        return self.market.sample(rows, stands_for)


@pytest.fixture
def solve():
    return sys.modules["qsched.placement.place"].solve


@pytest.fixture
def crowd(make_instance):
    offers, work_s, impatience = make_instance(40_000, 8, 3)
    return Crowd(offers, work_s, (impatience / 40).astype(np.float32), 512)


def test_a_single_pass_over_many_jobs_is_close_to_the_dual_bound(crowd, solve):
    choice = solve(crowd, seed=0)
    assert crowd.read == len(crowd)  # the sample is mended, the others are read once
    welfare, loads = crowd.market.welfare(choice), crowd.market.loads(choice)
    assert welfare >= (1 - 5e-4) * bound(crowd, loads)


def test_the_order_of_the_jobs_does_not_mislead_the_prices(crowd, solve):
    order = np.argsort(crowd.market.impatience)
    market = crowd.market.block(order.astype(np.int32))
    crowd.market = market
    choice = solve(crowd, seed=0)
    assert market.welfare(choice) >= (1 - 3e-3) * bound(crowd, market.loads(choice))


def test_threads_change_nothing(crowd, solve):
    one, two = (solve(crowd, seed=5, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_every_block_is_worked_on_once_whatever_thread_takes_it():
    blocks = [slice(at, at + 1) for at in range(1000)]
    with ThreadPoolExecutor(3) as pool:
        assert in_threads(lambda rows: rows.start, blocks, 3, pool) == list(range(1000))


def test_a_job_that_fails_in_a_thread_is_not_swallowed():
    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        in_threads(lambda rows: 1 // rows.start, [slice(0, 1), slice(1, 2)], 2, pool)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 3000), st.integers(1, 400), st.integers(0, 2**31))
def test_a_sample_stands_for_all_and_misses_no_giant(jobs, count, seed):
    rng = np.random.default_rng(seed)
    work = rng.lognormal(3, 2, jobs).astype(np.float32)
    hurry = rng.lognormal(-8, 1, jobs).astype(np.float32)
    giant = int(rng.integers(jobs))
    work[giant] = 10 * work.sum()
    drawn = draw((work, hurry), rng, count)
    assert (np.diff(drawn.rows) > 0).all()
    assert (drawn.stands_for >= 1).all()
    assert len(drawn.rows) <= max(count, 1) + 1
    if count >= 4:
        assert giant in drawn.rows
    if jobs <= count:
        np.testing.assert_array_equal(drawn.rows, np.arange(jobs))


def test_sums_over_samples_are_right_on_average():
    rng = np.random.default_rng(1)
    work = rng.lognormal(3, 2, 5000).astype(np.float32)
    sums = []
    for _ in range(200):
        drawn = draw((work, np.ones(5000, np.float32)), rng, 100)
        sums.append(drawn.stands_for @ work[drawn.rows])
    assert np.mean(sums) == pytest.approx(work.sum(), rel=0.05)


def test_a_job_as_big_as_many_chooses_as_each_of_them(make_instance):
    offers, work_s, impatience = make_instance(50, 4, 1)
    market = open_market(offers, work_s, impatience=impatience)
    loads = np.array([[500.0, 20, 300, 40], [0.1, 0.02, 0.05, 0.2]])
    bigger = market.times(np.full(50, 7.0))
    np.testing.assert_array_equal(
        market.net(slice(None), loads).argmax(axis=1), bigger.net(slice(None), loads).argmax(axis=1)
    )


def test_a_block_is_worth_what_it_is_in_the_matrix(make_instance):
    offers, work_s, impatience = make_instance(100, 4, 1)
    market = open_market(offers, work_s, impatience=impatience)
    rows = slice(20, 50)
    alone = market_at(market.units, offers[rows], work_s[rows], impatience[rows])
    np.testing.assert_array_equal(alone.value, market.value[rows])


def test_jobs_and_a_fleet_are_placed_where_they_may_run(make_crowd, monkeypatch):
    jobs, fleet = make_crowd(3000)
    offers = estimate(jobs, fleet).offers()
    whole = place_jobs(jobs, fleet, seed=1)
    monkeypatch.setattr(sys.modules["qsched.placement.place"], "_WHOLE", 0)
    streamed = place_jobs(jobs, fleet, seed=1)
    market = open_market(
        offers,
        estimate(jobs, fleet).run_s,
        impatience=impatience_of(jobs.weights, jobs.tau_s),
        servers=fleet.servers,
    )
    for choice in (whole, streamed):
        np.testing.assert_array_equal(choice != UNPLACED, np.isfinite(offers).any(axis=1))
        assert np.isfinite(offers[choice != UNPLACED, choice[choice != UNPLACED]]).all()
    assert market.welfare(streamed) == pytest.approx(market.welfare(whole), rel=5e-3)


def test_urgency_is_heard(make_crowd):
    jobs, fleet = make_crowd(2000)
    urgent = np.where(np.arange(2000) < 100, 50.0, 1.0)
    offers = estimate(jobs, fleet).offers()

    def got(choice):
        return offers[np.arange(100), np.maximum(choice[:100], 0)][choice[:100] != UNPLACED].mean()

    assert got(place_jobs(jobs, fleet, urgency=urgent)) > got(place_jobs(jobs, fleet))


def test_no_jobs_are_no_trouble(make_crowd):
    jobs, fleet = make_crowd(5)
    assert place_jobs(jobs.take(slice(0, 0)), fleet).tolist() == []


def test_a_stream_chooses_what_its_matrix_would():
    jobs, fleet = scale.jobs(3000, 4), scale.fleet(24, 4)
    rng = np.random.default_rng(4)
    stream = Stream(
        jobs,
        fleet,
        impatience=impatience_of(jobs.weights, jobs.tau_s),
        servers=fleet.servers,
        urgency=rng.uniform(0.5, 4, len(jobs)),
        seed=4,
    )
    loads, free = np.array([[3e3], [2e-2]]) * rng.random((2, len(fleet))), np.zeros(len(fleet), np.float32)
    for rows in stream.blocks():
        chosen, taken = stream.choose(rows, loads, free)
        matrix = stream.block(rows)
        net = matrix.net(slice(None), loads)
        best = matrix.choose(slice(None), loads, free)[0]
        np.testing.assert_array_equal(chosen == UNPLACED, best == UNPLACED)
        placed = np.flatnonzero(chosen != UNPLACED)
        np.testing.assert_allclose(net[placed, chosen[placed]], net[placed, best[placed]], atol=1e-4)
        np.testing.assert_allclose(taken, matrix.loads(chosen), rtol=1e-5)
        assert (chosen != matrix.value.argmax(axis=1)).any()  # the prices have been paid
