from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.fleet.forecast import LONGEST_H, depth_ahead

DEPTHS = st.floats(0, 1e4)
AHEAD = st.floats(0, 1e6)


@given(DEPTHS, AHEAD)
def test_p90_is_not_below_p50_and_neither_below_an_empty_queue(depth, ahead_s):
    p50, p90 = depth_ahead(depth, ahead_s)
    assert 0 <= p50 <= p90


@given(DEPTHS, DEPTHS, AHEAD, AHEAD)
def test_forecasts_rise_with_the_depth_and_with_the_time_ahead(one, other, soon, late):
    depths, times_s = sorted((one, other)), sorted((soon, late))
    for quantile in (0, 1):
        assert depth_ahead(depths[0], soon)[quantile] <= depth_ahead(depths[1], soon)[quantile]
        assert depth_ahead(one, times_s[0])[quantile] <= depth_ahead(one, times_s[1])[quantile]


@given(DEPTHS)
def test_the_queue_of_this_moment_is_what_was_read(depth):
    assert depth_ahead(depth, 0) == (depth, depth)


def test_an_unknown_or_closed_queue_is_not_forecast():
    p50, p90 = depth_ahead([np.nan, -1.0, 5.0], 3600)
    assert np.isnan(p50).tolist() == np.isnan(p90).tolist() == [True, True, False]


def test_an_empty_queue_is_expected_to_stay_so_for_an_hour_but_not_for_six():
    now, later = depth_ahead(0, 3600)[0], depth_ahead(0, 6 * 3600)[0]
    assert (now, later) == (0, pytest.approx(10))


def test_what_lies_beyond_the_longest_horizon_is_no_surer():
    assert depth_ahead(3, LONGEST_H * 3600) == depth_ahead(3, 10 * LONGEST_H * 3600)
