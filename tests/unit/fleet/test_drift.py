from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qsched.fleet.drift import drift

AGES = st.floats(-1e6, 1e9)


@given(AGES, AGES)
def test_an_older_calibration_is_worth_no_more(one, other):
    assert drift(min(one, other)) <= drift(max(one, other))


@given(AGES)
def test_the_factor_is_bounded(age_s):
    assert 1 <= drift(age_s) < 1.4


def test_a_new_calibration_is_believed_and_an_hour_matters_less_than_a_day():
    new, hour, day, month = drift(np.array([0, 3600, 86_400, 30 * 86_400]))
    assert new == 1
    assert 1 < hour < day < month
    assert hour - 1 < 0.3 * (day - 1)


def test_ages_are_taken_in_columns():
    assert drift(np.zeros((3, 2))).shape == (3, 2)
