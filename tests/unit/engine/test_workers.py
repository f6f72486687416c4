"""Worker processes that crash, are killed, cancelled, or closed."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio

from qsched.drivers.workers import WorkerDiedError, WorkerPool
from qsched.errors import CircuitError, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(1)
    yield pool
    await pool.aclose()


def refuse() -> None:
    raise CircuitError([Problem("spec", "first", line=3), Problem("spec", "second")])


def begin_and_wait(begun: Path) -> None:
    begun.touch()
    signal.pause()


class UnreadableError(Exception):
    """Can be written as a pickle and not be read."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_unreadable() -> None:
    raise UnreadableError(1, 2)


async def test_a_crash_fails_its_call_only(pool: WorkerPool) -> None:
    with pytest.raises(WorkerDiedError, match="exit code 3"):
        await pool.call(os._exit, 3)
    assert await pool.call(len, "abc") == 3


async def test_a_worker_killed_in_a_call_fails_it(pool: WorkerPool, tmp_path: Path) -> None:
    pid = await pool.call(os.getpid)
    begun = tmp_path / "begun"
    call = asyncio.create_task(pool.call(begin_and_wait, begun))
    while not begun.exists():  # noqa: ASYNC110 - a process cannot set an event
        await asyncio.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="signal 9"):
        await call
    assert await pool.call(len, "abc") == 3


async def test_a_worker_killed_while_idle_is_replaced_without_notice(pool: WorkerPool) -> None:
    pid = await pool.call(os.getpid)
    os.kill(pid, signal.SIGKILL)  # the pool cannot know yet
    assert await pool.call(os.getpid) != pid


async def test_a_cancelled_call_kills_its_worker(pool: WorkerPool) -> None:
    pid = await pool.call(os.getpid)
    call = asyncio.create_task(pool.call(signal.pause))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not psutil.pid_exists(pid)
    assert await pool.call(len, "abc") == 3


async def test_a_call_that_takes_too_long_is_ended_and_its_wait_does_not_count(pool: WorkerPool) -> None:
    slow = asyncio.create_task(pool.call_within(0.5, signal.pause))
    behind = asyncio.create_task(pool.call_within(30.0, len, "abc"))
    with pytest.raises(TimeoutError):
        await slow
    assert await behind == 3


async def test_closing_ends_a_call_that_runs_and_refuses_the_next(pool: WorkerPool) -> None:
    pid = await pool.call(os.getpid)
    call = asyncio.create_task(pool.call(signal.pause))
    waiting = asyncio.create_task(pool.call(len, "abc"))
    await asyncio.sleep(0)
    await pool.aclose()
    with pytest.raises(WorkerDiedError):
        await call
    with pytest.raises(WorkerDiedError, match="closed"):
        await waiting
    assert not psutil.pid_exists(pid)


async def test_a_pool_that_is_closed_while_a_worker_starts_leaves_none_behind() -> None:
    before = psutil.Process().children()
    pool = WorkerPool(1)
    call = asyncio.create_task(pool.call(len, "abc"))
    await asyncio.sleep(0)
    await pool.aclose()
    with pytest.raises(WorkerDiedError):
        await call
    assert psutil.Process().children() == before


async def test_exceptions_arrive_whole_or_at_least_in_words(pool: WorkerPool) -> None:
    with pytest.raises(CircuitError) as refused:
        await pool.call(refuse)
    assert refused.value.problems == [Problem("spec", "first", line=3), Problem("spec", "second")]
    with pytest.raises(Exception, match="UnreadableError: 1 and 2"):
        await pool.call(raise_unreadable)
