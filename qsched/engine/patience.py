"""A store that fails for a moment is asked again: a busy or full disk must not end the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import structlog

from qsched.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.engine.clock import Clock

T = TypeVar("T")

log = structlog.get_logger(__name__)

PATIENCE_S = (0.2, 1.0, 5.0, 20.0)
"""The pauses between the tries; a store that still fails after them ends the engine."""


async def patiently(ask: Callable[[], T], *, clock: Clock) -> T:
    """What the store answers, asked again for half a minute while it fails.

    Args:
        ask: Calls the store; what it does must bear repetition.
        clock: Tells the time.

    Raises:
        StoreError: If the store fails for longer than that, or for good.
    """
    for wait_s in PATIENCE_S:
        try:
            return ask()
        except StoreError as error:
            if error.lasting:
                raise
            log.warning("the store failed; trying again", error=str(error), wait_s=wait_s)
            await clock.sleep(wait_s)
    return ask()
