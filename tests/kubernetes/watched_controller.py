"""``qsched controller``, watched: it writes down each call to the fake provider, and tests set its clock.

The first three arguments are its name, which is also its ``User-Agent`` in the audit log, the file to which
it appends lines ``<seconds> <name> <call>``, and a file of eight bytes that hold by how many seconds its wall
clock is off (a double). The others are those of ``qsched controller``.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsched.cli import main
from qsched.drivers.fake import FakeDriver  # before the clock is set: the provider has its own
from qsched.kube.api import Api

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CALLS = ("devices", "status", "calibration", "submit", "find", "poll", "result", "cancel")


def steady() -> float:
    """Seconds since the machine started, the same for every process."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _write_calls_down(name: str, journal: str) -> None:
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def watched(call: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(method)
        async def begin(driver: FakeDriver, *args: Any) -> Any:
            os.write(file, f"{steady():.6f} {name} {call}\n".encode())
            return await method(driver, *args)

        return begin

    for call in CALLS:
        setattr(FakeDriver, call, watched(call, getattr(FakeDriver, call)))


def _set_clock_by(offset: str) -> None:
    with Path(offset).open("rb") as file:
        off_by = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    true_time = time.time
    time.time = lambda: true_time() + struct.unpack("d", off_by[:8])[0]


def _sign_requests(name: str) -> None:
    connect = Api.connect

    def signed(*args: Any, **options: Any) -> Any:
        return connect(*args, **{**options, "agent": name})

    Api.connect = signed  # type: ignore[method-assign]


if __name__ == "__main__":
    own_name, calls, clock = sys.argv[1:4]
    del sys.argv[1:4]
    _sign_requests(own_name)
    _write_calls_down(own_name, calls)
    _set_clock_by(clock)
    main()
