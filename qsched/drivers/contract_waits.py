"""Waiting for a task in a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qsched.drivers.types import Driver, TaskStatus

_ENDED = {"Succeeded", "Failed", "Cancelled"}


async def ended(driver: Driver, remote_id: str, *, timeout_s: float = 60.0) -> TaskStatus:
    """Poll until a task has ended.

    Raises:
        TimeoutError: If it has not within the time.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            (status,) = await driver.poll([remote_id])
            if status.state in _ENDED:
                return status
            await asyncio.sleep(0.005)


async def running(driver: Driver, remote_id: str, *, timeout_s: float = 60.0) -> None:
    """Poll until a task runs.

    Raises:
        TimeoutError: If it does not within the time.
    """
    async with asyncio.timeout(timeout_s):
        while (await driver.poll([remote_id]))[0].state != "Running":  # noqa: ASYNC110 - no driver tells
            await asyncio.sleep(0.005)
