from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.unit.fleet.builders import TAKEN_AT, line


def test_the_callers_arrays_are_neither_shared_nor_frozen():
    t1_s = np.full(3, 1e-4)
    calibration = line(3, t1_s=t1_s)
    t1_s[0] = 1.0
    assert calibration.t1_s[0] == pytest.approx(1e-4)
    with pytest.raises(ValueError, match="read-only"):
        calibration.t1_s[0] = 1.0


def test_equal_data_has_equal_ids_however_it_is_written():
    one = line(2, t1_s=[np.nan, 1e-4], gate1_error=[0.0, 1e-4])
    other = line(
        2,
        t1_s=[-np.nan, 1e-4],
        gate1_error=[-0.0, 1e-4],
        taken_at=TAKEN_AT.astimezone(dt.timezone(dt.timedelta(hours=5))),
        source="elsewhere",
    )
    assert one == other
    assert hash(one) == hash(other)
    assert one != line(2)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        line(2, taken_at=dt.datetime(2026, 1, 1))  # noqa: DTZ001
