from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.errors import InvalidInput
from qsched.fleet.waits import PRIOR_SERVICE_S, WaitModel, predict_waits

DEPTHS = st.none() | st.integers(0, 5000)
TIMES = st.floats(0, 1e6)
HISTORIES = st.lists(st.tuples(DEPTHS, TIMES, st.none() | TIMES), max_size=40)


def learnt(history) -> WaitModel:
    model = WaitModel()
    for depth, wait_s, run_s in history:
        model = model.observe(depth, wait_s, run_s)
    return model


@given(HISTORIES, st.integers(0, 5000), st.integers(0, 5000))
def test_predictions_rise_with_the_depth(history, one, other):
    model = learnt(history)
    shallow, deep = model.predict(min(one, other)), model.predict(max(one, other))
    assert shallow[0] <= deep[0]
    assert shallow[1] <= deep[1]


@given(HISTORIES, DEPTHS)
def test_p90_is_at_least_p50_and_both_are_finite(history, depth):
    p50_s, p90_s = learnt(history).predict(depth)
    assert 0 <= p50_s <= p90_s < math.inf


@given(HISTORIES, st.integers(0, 5000), TIMES)
def test_a_task_that_is_handed_over_later_may_find_a_longer_queue(history, depth, ahead_s):
    model = learnt(history)
    now, later = model.predict(depth), model.predict(depth, ahead_s=ahead_s)
    assert now[0] <= later[0] <= later[1] < math.inf
    assert now[1] <= later[1]


def test_a_queue_that_is_empty_now_may_have_filled_when_the_task_comes():
    p50_s, p90_s = WaitModel().predict(0, ahead_s=1800)
    assert p50_s == 0
    assert p90_s == pytest.approx(6 * PRIOR_SERVICE_S, rel=0.1)


@given(HISTORIES, st.none() | TIMES)
def test_an_unknown_depth_is_never_no_wait(history, quoted_s):
    assert learnt(history).predict(None, quoted_s)[0] > 0


def test_an_unknown_depth_is_wider_than_a_known_one():
    model = WaitModel()
    known, unknown = model.predict(10), model.predict(None)
    assert unknown[1] / unknown[0] > 2 * known[1] / known[0]


def test_an_empty_queue_is_no_wait():
    assert WaitModel().predict(0) == (0.0, 0.0)


def test_the_prior_service_time_is_forgotten_after_some_dozens_of_observations():
    random_ = random.Random(7)
    model = WaitModel()
    for _ in range(60):
        depth = random_.randint(1, 40)
        model = model.observe(depth, depth * 90 * random_.lognormvariate(0, 0.3))
    p50_s, p90_s = model.predict(10)
    assert p50_s == pytest.approx(900, rel=0.25)
    assert 900 < p90_s < 2.2 * 900


def test_one_monstrous_wait_does_not_spoil_the_service_time():
    model = learnt([(5, 50.0, None)] * 30)
    assert model.observe(5, 1e9).service_s < 1.2 * model.service_s


def test_the_service_time_is_learnt_from_runs_where_no_queue_tells_it():
    model = learnt([(0, 0.0, 2.0), (None, 30.0, 2.0)] * 20)
    assert model.service_s == pytest.approx(2.0, rel=0.2)
    assert WaitModel().service_s == pytest.approx(PRIOR_SERVICE_S)


def test_waits_of_an_unknown_depth_are_learnt_from_waits():
    model = learnt([(None, 60.0, None)] * 100)
    assert model.predict(None)[0] == pytest.approx(60, rel=0.1)


def test_the_providers_own_prediction_stands_in_for_an_unknown_depth():
    p50_s, p90_s = WaitModel().predict(None, quoted_s=300.0)
    assert p50_s == pytest.approx(300, rel=0.1)
    assert p90_s > 600


@given(HISTORIES, DEPTHS)
def test_a_stored_model_predicts_the_same(history, depth):
    model = learnt(history)
    assert WaitModel.decode(model.encode()).predict(depth) == model.predict(depth)


def test_a_damaged_stored_model_is_refused():
    with pytest.raises(InvalidInput, match="wait model"):
        WaitModel.decode(b'{"log_service": "x"}')


@pytest.mark.parametrize(
    "observation", [(-1, 1.0, None), (1, -1.0, None), (1, math.nan, None), (1, 1.0, math.inf)]
)
def test_an_impossible_observation_is_refused(observation):
    with pytest.raises(ValueError, match="cannot have waited"):
        WaitModel().observe(*observation)


def test_memory_is_bounded():
    assert len(learnt([(3, 10.0, 1.0)] * 500).encode()) < 10_000


def test_a_fleet_is_predicted_in_columns():
    models = [WaitModel(), learnt([(1, 100.0, None)] * 20), WaitModel()]
    p50_s, p90_s = predict_waits(models, [3, 3, None])
    assert [*zip(p50_s, p90_s, strict=True)] == [
        m.predict(d) for m, d in zip(models, [3, 3, None], strict=True)
    ]
