"""The test's handle on an emulator that runs in a process of its own."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from qsched_emulators.faults import Kind


class Emulator:
    """A running emulator; stop it, or use it in a ``with``.

    Attributes:
        name: The provider.
        url: Where it listens.
        parameters: What a backend's ``parameters`` say to reach it.
        credentials: What its Secret holds.
        environment: Variables by which the provider's own client finds credentials.
        process: Its process.
    """

    def __init__(self, process: subprocess.Popen[str], told: dict[str, Any]) -> None:
        self.process = process
        self.name: str = told["name"]
        self.url: str = told["url"]
        self.parameters: dict[str, Any] = told["parameters"]
        self.credentials: dict[str, str] = told["credentials"]
        self.environment: dict[str, str] = told["environment"]

    @classmethod
    def start(cls, name: str, *, pace: float = 1.0) -> Self:
        """Start an emulator and wait until it listens.

        Raises:
            RuntimeError: If it ends before that.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "qsched_emulators", name, "--pace", str(pace), "--until-stdin-ends"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the emulator {name} ended with exit code {process.wait()}")
        return cls(process, json.loads(line))

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fault(
        self,
        kind: Kind,
        call: str = "",
        *,
        times: int | None = 1,
        probability: float = 1.0,
        seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        """Let requests fail.

        Args:
            kind: See ``faults.Fault``.
            call: The driver's method whose requests it is about (a key of the provider's ``CALLS``); any
                request when empty.
            times: How many requests; None for any number.
            probability: Of each.
            seconds: Retry-After, or how slow a body is.
            seed: Of the probability.
        """
        method, path = import_module(f"qsched_emulators.{self.name}").CALLS[call] if call else ("", "")
        self._send(
            "POST",
            "faults",
            {
                "kind": kind,
                "method": method,
                "path": path,
                "times": times,
                "probability": probability,
                "seconds": seconds,
                "seed": seed,
            },
        )

    def clear(self) -> None:
        """No more faults."""
        self._send("DELETE", "faults")

    def change(self, device: str, **changes: Any) -> None:
        """Change fields of a ``twins.Device``, or ``recalibrate=True``."""
        self._send("POST", f"devices/{device}", changes)

    def disturb(self, **changes: Any) -> None:
        """Change fields of the ``twins.Disturbance``."""
        self._send("POST", "disturbance", changes)

    def tasks(self) -> list[dict[str, Any]]:
        """Every task that was ever taken: id, key, device, state, shots, charge."""
        tasks: list[dict[str, Any]] = self._send("GET", "tasks")
        return tasks

    def calls(self) -> dict[str, Any]:
        """How often each request came, over how many connections, and how many faults were met."""
        calls: dict[str, Any] = self._send("GET", "calls")
        return calls

    def reset(self) -> None:
        """As it was at the start."""
        self._send("POST", "reset")

    def _send(self, method: str, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data=data, method=method)
        context = ssl._create_unverified_context() if self.url.startswith("https") else None
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return json.loads(answer.read())
