"""The clock, passed in so that tests and simulations bring their own."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

SLEW = 0.1
"""How fast a clock that was set is followed, as a share of the time that passes."""


def steady() -> float:
    """Seconds since some moment, those included in which the machine slept; nobody can set it."""
    if hasattr(time, "clock_gettime"):
        # Linux's monotonic clock stands still while the machine sleeps; this one goes on.
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return time.monotonic()


class Clock(Protocol):
    """Tells Unix time in seconds, and waits."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's own clock, which never jumps.

    When somebody sets the machine's clock, this one follows as time servers do: it goes a little faster or
    slower until both agree, ten hours for an hour. So no pause, back-off or deadline that has begun ends at
    once, or an hour late.
    """

    def __init__(self) -> None:
        """Begin with the machine's time."""
        self._last = steady(), time.time()

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""
        before, then = self._last
        at = steady()
        passed = at - before
        now, most = then + passed, passed * SLEW
        now += max(-most, min(time.time() - now, most))
        self._last = at, now
        return now

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)
