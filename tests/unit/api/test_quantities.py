"""Durations and amounts, as manifests write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.api.quantities import amount, duration_s, duration_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1us2ns", 1.002e-6),
        ("3µs", 3e-6),
        ("0s", 0),
    ],
)
def test_go_durations_in_seconds(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "1h 30m", "1d", "1.s", "90s\n", "five minutes"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write for example 90s"):
        duration_s(text)


@given(st.integers(0, 10**12))
def test_a_duration_is_written_to_the_millisecond_and_read_back(milliseconds: int) -> None:
    assert round(duration_s(duration_text(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (5400, "1h30m"), (61.5, "1m1.5s"), (0.25, "0.25s")])
def test_durations_are_written_short(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_amounts_are_exact() -> None:
    assert amount("0.1") * 3 == Decimal("0.3")
