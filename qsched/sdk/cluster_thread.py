"""An event loop in a thread of its own, for blocking callers."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from qsched.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

R = TypeVar("R")


class LoopThread:
    """Runs coroutines for blocking callers from when it is made until ``close``."""

    def __init__(self, name: str) -> None:
        """Start the thread.

        Args:
            name: The thread's.
        """
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=name, daemon=True)
        self._thread.start()
        self._loop = ready.result()

    def call(self, work: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine and wait for what it returns; it is cancelled if the caller stops waiting.

        Raises:
            StoreError: If the loop was closed.
        """
        if not self._thread.is_alive():
            work.close()
            raise StoreError("the client was closed; make another")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop, and every task in it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._leave.set)
            self._thread.join()

    def _run(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        asyncio.run(self._main(ready))

    async def _main(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        self._leave = asyncio.Event()
        ready.set_result(asyncio.get_running_loop())
        await self._leave.wait()
