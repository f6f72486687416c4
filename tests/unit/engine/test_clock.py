"""The machine's clock is set while something waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from qsched.engine import clock
from qsched.engine.clock import SLEW, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR_S = 3600.0


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets time pass, and sets the machine's clock."""
    unix, steady = 1.7e9, 100.0
    monkeypatch.setattr(time, "time", lambda: unix)
    monkeypatch.setattr(clock, "steady", lambda: steady)

    def turn(pass_s: float, *, set_by_s: float = 0.0) -> None:
        nonlocal unix, steady
        unix, steady = unix + pass_s + set_by_s, steady + pass_s

    return turn


def test_a_clock_that_is_not_set_is_the_machine_s(turn: Callable[..., None]) -> None:
    ours = SystemClock()
    for _ in range(10):
        turn(7.5)
        assert ours.now() == time.time()


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_pause_that_has_begun_lasts_as_long_as_it_was_to_when_the_clock_is_set(
    turn: Callable[..., None], jump_s: float
) -> None:
    ours = SystemClock()
    turn(1.0)
    begun = ours.now()
    turn(30.0, set_by_s=jump_s)
    assert ours.now() - begun == pytest.approx(30.0, rel=SLEW)


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_was_set_is_followed_without_a_jump(turn: Callable[..., None], jump_s: float) -> None:
    ours = SystemClock()
    turn(0.0, set_by_s=jump_s)
    last = ours.now()
    for _ in range(601):
        turn(60.0)
        assert ours.now() - last == pytest.approx(60.0, rel=SLEW)
        last = ours.now()
    assert ours.now() == pytest.approx(time.time(), abs=1e-3)
