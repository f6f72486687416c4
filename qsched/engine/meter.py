"""What an engine tells of its own work, to whoever keeps figures of it."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """Takes figures; its methods must be quick."""

    def cycle(self, seconds: float, heads: int, placements: int) -> None:
        """A cycle has ended.

        Args:
            seconds: How long it took, its writes to the store included.
            heads: Jobs that it looked at.
            placements: Jobs that got a place, or another one.
        """
        ...
