"""What the contract wants to do to a provider; test support, like ``qsched.drivers.contract``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLS = ("devices", "status", "calibration", "submit", "find", "poll", "result", "cancel")
"""The methods of a driver that ask its provider."""


class Provider(Protocol):
    """A provider in a test's hands; ``tests/emulators`` has one for each cloud."""

    def fault(
        self,
        kind: str,
        call: str = "",
        *,
        times: int | None = 1,
        probability: float = 1.0,
        seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        """Let requests fail.

        Args:
            kind: ``429``, ``500`` and ``503`` answer without doing anything, ``500-after`` does it first;
                ``timeout-before`` and ``-after`` never answer, ``drop-`` closes the connection, each before
                or after the request was carried out; ``slow-body`` and ``truncated`` spoil the answer;
                ``expired`` and ``revoked`` refuse the credentials.
            call: The driver's method whose requests fail; every request when empty.
            times: How many requests; any number when None.
            probability: Of each of them, by ``random.Random(seed)``.
            seconds: What Retry-After says, or how long a slow body takes.
            seed: Of the probability.
        """
        ...

    def clear(self) -> None:
        """No more faults."""
        ...

    def change(self, device: str, **changes: Any) -> None:
        """Change a device: ``online``, ``queue`` (tasks of other people), or ``recalibrate=True``."""
        ...

    def disturb(self, **changes: Any) -> None:
        """Change what is wrong with tasks: ``result_late_s``, ``shots_factor``, ``strange_state``."""
        ...

    def tasks(self) -> Sequence[object]:
        """Every task that was ever taken, one for each piece of work that the provider would charge for."""
        ...

    def calls(self) -> dict[str, Any]:
        """``requests``: how often each came; ``faults``: how often each kind was met."""
        ...
