from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.api.backend import BackendSpec
from qsched.fleet.durations import DOUBLING_SHOTS, LAYER_S, OVERHEAD_S, REPETITION_S, overhead_growth, run_s
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import BackendRecord, build_fleet
from tests.unit.fleet.builders import TAKEN_AT, line

SHOTS = st.floats(1, 1e8)
TIMES = st.floats(0, 10)


@given(SHOTS, SHOTS, TIMES, TIMES, TIMES)
def test_more_shots_and_longer_circuits_take_longer(one, other, path_s, longer_s, reset_s):
    few, many = sorted((one, other))
    assert 0 < run_s(few, path_s, reset_s=reset_s) <= run_s(many, path_s, reset_s=reset_s)
    assert run_s(one, path_s, reset_s=reset_s) <= run_s(one, path_s + longer_s, reset_s=reset_s)


def test_the_overhead_doubles_at_the_shots_that_say_so():
    assert overhead_growth(0) == 1
    assert overhead_growth(DOUBLING_SHOTS) == 2


def test_a_usual_job_takes_seconds_and_a_long_one_what_its_shots_take():
    usual = run_s(4000, 100 * LAYER_S)
    assert OVERHEAD_S + 4000 * REPETITION_S < usual < 5
    long = run_s(100 * 20_000, 300 * LAYER_S)  # such jobs took 674 s in the median
    assert long == pytest.approx(674, rel=0.05)


def test_a_device_that_states_its_times_is_believed():
    assert run_s(1000, 0.0, reset_s=1e-3, overhead_s=0.0) == pytest.approx(1.0)


def test_columns_are_predicted_at_once():
    shots = np.array([10.0, 100.0])
    assert run_s(shots, 1e-6).tolist() == [float(run_s(10.0, 1e-6)), float(run_s(100.0, 1e-6))]


def test_a_calibration_without_a_repetition_time_gets_the_usual_one():
    spec = BackendSpec(driver="fake", device="test")
    calibrations = [line(3, reset_s=np.nan), line(3, reset_s=0.0), line(3)]
    records = [BackendRecord(name=f"b{i}", spec=spec, quality=quality(c)) for i, c in enumerate(calibrations)]
    assert build_fleet(records, TAKEN_AT).reset_s.tolist() == [REPETITION_S, 0.0, 250e-6]
