"""Kills what a killed test run leaves behind.

Run as a script, it reads ``+pid`` and ``-pid`` lines and, when its input ends because the other end is no
more, kills the process groups that are left. It needs the standard library only and outlives Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys


class Guardian:
    """The other end: a process that ends the programs of a rig if this process does not."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True, text=True
        )

    def watch(self, pid: int) -> None:
        """From now on the process group ``pid`` does not outlive this process."""
        self._tell(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        """The process group ``pid`` has ended."""
        self._tell(f"-{pid}\n")

    def close(self) -> None:
        """End it, and with it whatever it still watches."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()


def _guard() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, None] = {}
    for line in sys.stdin:
        if line[0] == "+":
            watched[int(line[1:])] = None
        else:
            watched.pop(int(line[1:]), None)
    for pid in reversed(watched):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    _guard()
