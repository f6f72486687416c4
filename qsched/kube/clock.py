"""The clock of what must not be misled when somebody sets the time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

from qsched.engine import clock

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

_R = TypeVar("_R")


class Clock(clock.Clock, Protocol):
    """Tells Unix time, and the time since some moment that no adjustment moves."""

    def monotonic(self) -> float:
        """Seconds since some moment of the past, whatever becomes of Unix time."""
        ...


class SystemClock(clock.SystemClock):
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds since the machine started, those included in which it or this process was stopped."""
        return clock.steady()


async def within(clock: Clock, seconds: float, call: Coroutine[Any, Any, _R]) -> _R:
    """What a call returns, if it does so within a time of a clock; else it is cancelled.

    Raises:
        TimeoutError: If the time is over first.
    """
    asking, time_ = asyncio.ensure_future(call), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait([asking, time_], return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        raise TimeoutError
    finally:
        asking.cancel()
        time_.cancel()
