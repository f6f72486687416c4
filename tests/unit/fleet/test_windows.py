from __future__ import annotations

import datetime as dt
import math

import pytest

from qsched.api.backend import Window
from qsched.fleet.windows import closes_in_s, opens_at

MONDAY = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
OFFICE = Window(days=["Mon", "Fri"], start="09:00", end="17:00")
NIGHT = Window(start="22:00", end="04:00")


def at(days: int, hours: float) -> dt.datetime:
    return MONDAY + dt.timedelta(days=days, hours=hours)


@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        ([OFFICE], at(0, 8), at(0, 9)),
        ([OFFICE], at(0, 17), at(4, 9)),
        ([OFFICE], at(4, 17), at(7, 9)),
        ([OFFICE, NIGHT], at(4, 17.5), at(4, 22)),
        ([NIGHT], at(1, 4), at(1, 22)),
        ([], at(0, 0), None),
    ],
)
def test_a_closed_backend_opens_with_its_next_window(
    windows: list[Window], now: dt.datetime, opens: dt.datetime | None
) -> None:
    assert opens_at(windows, now) == opens
    if opens is not None:
        assert closes_in_s(windows, now) == 0
        assert closes_in_s(windows, opens) > 0


def test_times_of_other_zones_are_read_as_utc() -> None:
    here = dt.timezone(dt.timedelta(hours=2))
    assert opens_at([OFFICE], at(0, 8).astimezone(here)) == at(0, 9)


def test_a_window_over_midnight_ends_the_next_day() -> None:
    assert closes_in_s([NIGHT], at(0, 23)) == 5 * 3600
    assert closes_in_s([NIGHT], at(1, 3)) == 3600
    assert closes_in_s([], at(1, 3)) == math.inf
