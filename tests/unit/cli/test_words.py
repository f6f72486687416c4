from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.api.job import Money
from qsched.cli import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (6e-8, "60 ns"),
        (3.4e-4, "340 µs"),
        (0.0123, "12.3 ms"),
        (9.999, "10 s"),
        (12.3, "12.3 s"),
        (90.0, "1.5 min"),
        (7_560.0, "2.1 h"),
        (864_000.0, "10 d"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_people_would_choose(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@given(st.floats(min_value=1e-9, max_value=1e8))
def test_a_duration_keeps_two_digits_of_its_value(seconds: float) -> None:
    number, unit = words.duration(seconds).split()
    factor = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert float(number) * factor == pytest.approx(seconds, rel=0.006)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0.0 %"),
        (1e-9, "<0.1 %"),
        (0.125, "12.5 %"),
        (0.99999, ">99.9 %"),
        (1.0, "100.0 %"),
        (None, "-"),
    ],
)
def test_a_percentage_never_rounds_to_impossible_or_certain(fraction: float | None, text: str) -> None:
    assert words.percent(fraction) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "free"), ("0.00035", "0.00035 USD"), ("0.1", "0.10 USD"), ("1234.5", "1,234.50 USD")],
)
def test_money_keeps_small_amounts_whole(amount: str, text: str) -> None:
    assert words.money(Money(amount=amount, currency="USD")) == text


def test_an_age_has_one_unit(now: dt.datetime) -> None:
    ages = [words.age(now - dt.timedelta(seconds=s), now) for s in (0, 119, 120, 7_199, 7_200, 172_800)]
    assert ages == ["0s", "119s", "2m", "119m", "2h", "2d"]


def test_a_clock_that_went_back_gives_no_negative_age(now: dt.datetime) -> None:
    assert words.age(now + dt.timedelta(seconds=3), now) == "0s"


def test_the_nearest_known_names_are_offered_and_far_ones_are_not() -> None:
    assert words.did_you_mean("kioto", ["kyoto", "lagos"]) == "; did you mean kyoto?"
    assert words.did_you_mean("zzz", ["kyoto", "lagos"]) == ""
