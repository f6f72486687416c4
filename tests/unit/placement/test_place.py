"""What a person expects of a placement."""

from __future__ import annotations

import time

import numpy as np
import pytest

from qsched.placement import UNPLACED, fair_share, impatience_of, open_market, place, urgency


def singles(rows):
    return np.array(rows, dtype=np.float32)


def same(jobs, row, work_s=60.0):
    offers = singles([row] * jobs)
    return offers, np.full_like(offers, work_s)


def test_one_job_takes_its_best_score_however_long_it_is(make_instance):
    for seed in range(20):
        offers, work_s, impatience = make_instance(1, 8, seed)
        choice = place(offers, work_s * 1000, impatience=impatience)
        assert choice[0] == offers[0].argmax()


def test_two_jobs_share_the_best_backend_only_if_waiting_costs_less_than_the_second_best():
    offers, work_s = same(2, [0.8, 0.7])
    patient, hasty = np.full(2, 0.05 / 3600, np.float32), np.full(2, 0.3 / 120, np.float32)
    assert place(offers, work_s, impatience=patient).tolist() == [0, 0]
    assert sorted(place(offers, work_s, impatience=hasty).tolist()) == [0, 1]


def test_the_first_on_a_backend_pays_for_half_of_each_others_wait():
    offers, work_s = same(2, [0.8])
    market = open_market(offers, work_s, impatience=np.full(2, 0.001, np.float32))
    # In a random order each waits half of the other's 60 s, and loses 0.001 a second: 0.03 each.
    assert market.welfare(np.zeros(2, dtype=np.int32)) == pytest.approx(1.6 - 2 * 0.03, abs=1e-6)


def test_a_crowd_spreads_in_proportion_to_the_servers():
    offers, work_s = same(3000, [0.8, 0.8])
    choice = place(offers, work_s, impatience=np.full(3000, 1e-4, np.float32), servers=np.array([3, 1]))
    assert np.bincount(choice) == pytest.approx([2250, 750], rel=0.02)


def test_a_job_that_can_run_nowhere_is_left_out_and_the_others_are_placed(make_instance):
    for jobs in (5, 300):
        offers, work_s, impatience = make_instance(jobs, 4, 2, infeasible=0)
        offers[2] = -np.inf
        choice = place(offers, work_s, impatience=impatience)
        assert choice[2] == UNPLACED
        assert (np.delete(choice, 2) != UNPLACED).all()


@pytest.mark.parametrize("jobs", [20, 400])
def test_slots_hold_and_are_used_up_although_waiting_costs(make_instance, jobs):
    offers, work_s, impatience = make_instance(jobs, 4, 2, infeasible=0)
    slots = np.array([jobs // 8, 0, jobs // 4, 1], dtype=np.int32)
    choice = place(offers, work_s, impatience=impatience * 100, slots=slots)
    assert np.bincount(choice[choice >= 0], minlength=4).tolist() == slots.tolist()


def test_the_urgent_get_the_scarce_slots():
    offers, work_s = same(10, [0.6])
    waited_s = np.arange(10) * 3600.0
    choice = place(
        offers, work_s, urgency=urgency(np.zeros(10, np.int32), waited_s), slots=np.array([3], np.int32)
    )
    assert np.flatnonzero(choice == 0).tolist() == [7, 8, 9]


def test_a_job_that_ages_gets_its_slot_in_the_end():
    # Every hour better newcomers arrive; the old job offers only a third of their score.
    for hours in range(6):
        offers, work_s = singles([[0.3], [0.9]]), singles([[60], [60]])
        multiplier = urgency(np.zeros(2, np.int32), np.array([hours * 3600.0, 0.0]))
        choice = place(offers, work_s, urgency=multiplier, slots=np.array([1], np.int32))
        if choice[0] == 0:
            return
    pytest.fail("the old job never got a slot")


def test_priority_and_fair_share_multiply():
    assert urgency(np.array([0, 100, -100]), np.zeros(3)).tolist() == [1, 2, 0.5]
    share = fair_share(np.array([0, 1, 1]), np.array([30.0, 10.0]))
    assert share[0] < 1 < share[1] == share[2]
    assert fair_share(np.array([0, 1]), np.zeros(2)).tolist() == [1, 1]
    assert np.isfinite(fair_share(np.array([0, 1]), np.array([0.0, 1e9]))).all()


def test_a_placed_job_moves_only_for_a_gain_above_the_hysteresis():
    offers, work_s = singles([[0.60, 0.64], [0.60, 0.66]]), singles([[10, 10], [10, 10]])
    placed = np.zeros(2, dtype=np.int32)
    assert place(offers, work_s, current=placed, hysteresis=0.05).tolist() == [0, 1]
    assert place(offers, work_s).tolist() == [1, 1]
    offers[0, 0] = -np.inf
    assert place(offers, work_s, current=placed, hysteresis=0.05)[0] == 1


def test_nothing_moves_when_nothing_changed(make_instance):
    for jobs in (40, 300):
        offers, work_s, impatience = make_instance(jobs, 6, 9)
        impatience = impatience / 10
        first = place(offers, work_s, impatience=impatience)
        again = place(offers, work_s, impatience=impatience, current=first)
        assert (again == first).all()


@pytest.mark.parametrize("jobs", [30, 3000])
def test_the_same_seed_gives_the_same_placement(make_instance, jobs):
    offers, work_s, impatience = make_instance(jobs, 6, 4)
    first = place(offers, work_s, impatience=impatience, seed=7)
    np.testing.assert_array_equal(first, place(offers, work_s, impatience=impatience, seed=7))


def test_the_inputs_are_left_as_they_were(make_instance):
    offers, work_s, impatience = make_instance(100, 4)
    before = offers.copy(), work_s.copy(), impatience.copy()
    place(offers, work_s, impatience=impatience, urgency=np.full(100, 2.0), current=np.zeros(100, np.int32))
    place(offers, work_s, slots=np.array([20, 20, 20, 20], np.int32))
    for now, then in zip((offers, work_s, impatience), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_jobs_or_no_backends_is_no_trouble():
    assert place(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)).tolist() == []
    assert place(np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32)).tolist() == [UNPLACED] * 2


def test_impatience_is_the_slope_of_the_wait_utility():
    weights, tau_s = singles([[0.5, 0.3, 0.1, 0.1]]), singles([3600])
    loss = 0.3 * (1 - np.exp(-1 / 3600))
    assert impatience_of(weights, tau_s)[0] == pytest.approx(loss, rel=1e-3)


def test_a_cycle_of_ten_jobs_takes_about_a_millisecond(make_instance):
    offers, work_s, impatience = make_instance(10, 16)
    place(offers, work_s, impatience=impatience)
    fastest = min(_timed(lambda: place(offers, work_s, impatience=impatience)) for _ in range(20))
    assert fastest < 5e-3  # five times what it takes, so that a busy machine does not fail it


def _timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
