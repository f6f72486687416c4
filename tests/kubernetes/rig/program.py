"""One program of the rig: its process, its log, and what a test may do to it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from tests.kubernetes.rig.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.kubernetes.rig.guardian import Guardian

READY_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.05


class Program:
    """A command that can be started, killed, paused and started again, the same each time.

    Args:
        name: What errors call it; its log is ``<name>.log``.
        command: Program and arguments.
        logs: The folder of its log; a restart appends.
        guardian: Ends it if this process is killed.
        ready: Says whether it serves; asked until it does. Without it, a program is ready when it runs.
        environment: Variables besides those of this process.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        logs: Path,
        guardian: Guardian,
        ready: Callable[[], bool] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = [os.fspath(word) for word in command]
        self.log = logs / f"{name}.log"
        self._guardian = guardian
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it without waiting; ``wait`` does that, so that several can come up side by side."""
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal is for the rig, which ends its programs in order.
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self._guardian.watch(self._process.pid)

    def wait(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until it is ready.

        Args:
            within_s: How long at most.

        Raises:
            RigError: If it ends, or is not ready in time; with the end of its log.
        """
        deadline = time.monotonic() + within_s
        while True:
            self.check()
            if self._ready is None or self._ready():
                return
            if time.monotonic() > deadline:
                raise RigError(f"{self.name} is not ready after {within_s:.0f} s:\n{self.tail()}")
            time.sleep(_LOOK_EVERY_S)

    def check(self) -> None:
        """See that it runs.

        Raises:
            RigError: If it has ended; with the end of its log.
        """
        if not self.running:
            raise RigError(f"{self.name} ended with status {self._status()}:\n{self.tail()}")

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process.

        Raises:
            RigError: If it was never started.
        """
        if self._process is None:
            raise RigError(f"{self.name} was not started")
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL; returns when it has ended. One that does not run is passed over."""
        if self._process is None:
            return
        if self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._guardian.forget(self._process.pid)

    def terminate(self, within_s: float = 30.0) -> None:
        """SIGTERM, so that it may clean up; SIGKILL after ``within_s`` seconds."""
        if self.running:
            os.killpg(self.pid, signal.SIGTERM)
        self.join(within_s)

    def join(self, within_s: float) -> None:
        """Wait until it has ended by itself; SIGKILL after ``within_s`` seconds."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within_s)
        self.kill()

    def restart(self) -> None:
        """Kill it, start the same again and wait until it is ready."""
        self.kill()
        self.start()
        self.wait()

    def pause(self) -> None:
        """SIGSTOP: its connections stay open and nobody answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.killpg(self.pid, signal.SIGCONT)

    def tail(self, lines: int = 25) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _status(self) -> int | None:
        return None if self._process is None else self._process.returncode
