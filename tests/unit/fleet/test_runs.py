from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.errors import InvalidInput
from qsched.fleet.runs import MOST, RunModel

TIMES = st.floats(0, 1e9)
RUNS = st.lists(st.tuples(TIMES, TIMES), max_size=40)


def learnt(runs) -> RunModel:
    model = RunModel()
    for computed_s, took_s in runs:
        model = model.observe(computed_s, took_s)
    return model


def test_nothing_is_changed_before_anything_is_known():
    assert RunModel().factor == 1.0


@given(RUNS)
def test_the_factor_is_bounded_whatever_a_provider_bills(runs):
    factor = learnt(runs).factor
    assert factor * (1 + 1e-9) >= 1 / MOST
    assert factor <= MOST * (1 + 1e-9)


@given(st.floats(0.05, 20.0))
def test_it_converges_to_the_ratio_whatever_that_is(ratio):
    model = learnt([(3.0, 3.0 * ratio)] * 20)
    assert model.factor == pytest.approx(ratio)


def test_it_converges_to_the_median_of_ratios_that_scatter():
    random_ = random.Random(5)
    model = learnt((2.0, 2.0 * 4.0 * random_.lognormvariate(0, 0.4)) for _ in range(100))
    assert model.factor == pytest.approx(4.0, rel=0.15)


def test_one_run_moves_it_a_little_and_an_absurd_one_no_more():
    slow, absurd = RunModel().observe(1.0, 1.5).factor, RunModel().observe(1.0, 1e6).factor
    assert 1.0 < slow < 1.2
    assert absurd == pytest.approx(slow)
    many = learnt([(1.0, 2.0)] * 20)
    assert many.observe(1.0, 1e6).observe(1.0, 0.0).factor == pytest.approx(2.0)


def test_what_changed_for_good_is_learnt_anew():
    model = learnt([(1.0, 5.0)] * 300 + [(1.0, 0.5)] * 80)
    assert model.factor == pytest.approx(0.5)
    assert len(model.log_ratios) == 128


def test_a_run_of_no_computed_length_says_nothing():
    assert RunModel().observe(0.0, 12.0) == RunModel()


@pytest.mark.parametrize("run", [(-1.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_an_impossible_run_is_refused(run):
    with pytest.raises(ValueError, match="cannot have taken"):
        RunModel().observe(*run)


@given(RUNS)
def test_a_stored_model_says_the_same(runs):
    model = learnt(runs)
    assert RunModel.decode(model.encode()) == model


def test_a_damaged_stored_model_is_refused():
    with pytest.raises(InvalidInput, match="run model"):
        RunModel.decode(b"[]")
