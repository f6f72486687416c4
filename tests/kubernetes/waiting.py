"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Wait until something is so.

    Args:
        condition: Says whether it is.
        what: It, in words, for who has waited in vain.
        within_s: How long to wait at most.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)
