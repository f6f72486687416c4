"""An event loop in a thread of its own, with a fleet and, where no other process has one, an engine."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

from qsched.engine.assembly import Workshop, workshop
from qsched.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from qsched.api.backend import QuantumBackend
    from qsched.engine.engine import Engine
    from qsched.engine.settings import Settings
    from qsched.store.protocol import Store

R = TypeVar("R")

_LOOK_S = 0.5
"""How often to see whether the engine of another process has ended, or our own thread."""


class Embedded:
    """The asynchronous part of a local client. It starts when made and stops with ``close``."""

    def __init__(
        self,
        store: Store,
        declared: Sequence[QuantumBackend],
        *,
        folder: Path,
        settings: Settings | None,
        with_engine: bool,
    ) -> None:
        """Start the thread and wait until it is ready.

        Args:
            store: Where the jobs live.
            declared: The fleet.
            folder: Where results, twins and circuits go.
            settings: Paces and limits.
            with_engine: Run an engine, unless another process has the store's engine lock.

        Raises:
            QschedError: If the fleet's drivers or the store do not allow it.
        """
        self._store = store
        self._declared = declared
        self._folder = folder
        self._settings = settings
        self._with_engine = with_engine
        self._engine: Engine | None = None
        self._failure: BaseException | None = None
        self._ready: Future[tuple[asyncio.AbstractEventLoop, Workshop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="qsched-engine", daemon=True)
        self._thread.start()
        self._loop, self._workshop, self._leaving = self._ready.result()

    def call(self, make: Callable[[Workshop], Coroutine[None, None, R]]) -> R:
        """Run a coroutine in the loop and wait for what it returns.

        Raises:
            QschedError: Whatever the coroutine raised, or what ended the engine.
        """
        self.check()
        made = make(self._workshop)
        try:
            future = asyncio.run_coroutine_threadsafe(made, self._loop)
        except RuntimeError:  # the loop was closed a moment ago
            made.close()
            self._thread.join()
            self.check()
            raise
        while self._thread.is_alive() and not future.done():
            wait([future], timeout=_LOOK_S)
        if future.cancelled() or not future.done():
            self._thread.join()
            self.check()
        if not future.done():  # the thread stayed behind in the process that this one was forked from
            raise StoreError("a client must not be carried over a fork; make another in this process")
        return future.result(timeout=0)

    def look(self) -> None:
        """Let the engine look for new jobs and commands at once."""
        if self._engine is not None:
            with suppress(RuntimeError):  # the loop is closed: ``check`` tells why
                self._loop.call_soon_threadsafe(self._engine.look)

    def check(self) -> None:
        """Raise what ended the engine, if something did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop the engine; what is queued stays in the store for the next one."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._leaving.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            if self._ready.done():
                self._failure = error
            else:
                self._ready.set_exception(error)

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        with ExitStack() as lock:
            has_lock = self._with_engine and _try_lock(self._store, lock)
            async with workshop(
                self._store, self._declared, folder=self._folder, settings=self._settings
            ) as parts:
                leaving = asyncio.Event()
                if has_lock:
                    self._engine = parts.engine(self._store)
                self._ready.set_result((loop, parts, leaving))
                left = asyncio.create_task(leaving.wait())
                while self._with_engine and self._engine is None and not left.done():
                    # Another process works on this store and sees our jobs; when it ends, we go on.
                    await asyncio.wait([left], timeout=_LOOK_S)
                    if not left.done() and _try_lock(self._store, lock):
                        self._engine = parts.engine(self._store)
                if self._engine is None:
                    await left
                    return
                running = asyncio.create_task(self._engine.run())
                await asyncio.wait([running, left], return_when=asyncio.FIRST_COMPLETED)
                left.cancel()
                self._engine.stop()
                await running


def _try_lock(store: Store, stack: ExitStack) -> bool:
    try:
        stack.enter_context(store.engine_lock())
    except StoreError:
        return False  # another process works on this store; it will see our jobs
    return True
