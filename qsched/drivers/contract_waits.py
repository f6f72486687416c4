"""Waiting for a task in a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qsched.drivers.types import Driver, TaskStatus

PATIENCE_S = 60.0
"""How long a task of these tests may take, when a test does not say."""
PACE_S = 0.005
"""How often it is asked for."""

_ENDED = {"Succeeded", "Failed", "Cancelled"}


async def ended(driver: Driver, remote_id: str, *, timeout_s: float | None = None) -> TaskStatus:
    """Poll until a task has ended.

    Raises:
        TimeoutError: If it has not within the time.
    """
    async with asyncio.timeout(PATIENCE_S if timeout_s is None else timeout_s):
        while True:
            (status,) = await driver.poll([remote_id])
            if status.state in _ENDED:
                return status
            await asyncio.sleep(PACE_S)


async def running(driver: Driver, remote_id: str, *, timeout_s: float | None = None) -> None:
    """Poll until a task runs.

    Raises:
        TimeoutError: If it does not within the time.
    """
    async with asyncio.timeout(PATIENCE_S if timeout_s is None else timeout_s):
        while (await driver.poll([remote_id]))[0].state != "Running":  # noqa: ASYNC110 - no driver tells
            await asyncio.sleep(PACE_S)
