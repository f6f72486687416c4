"""The engine as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from contextlib import closing
from typing import TYPE_CHECKING

from qsched.engine.assembly import workshop
from qsched.fleet.fleet_file import load_fleet
from qsched.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENDING = (signal.SIGINT, signal.SIGTERM)


def serve(path: Path, fleet: Path | None, started: Callable[[], None]) -> None:
    """Run the engine over a store until SIGINT or SIGTERM; what is under way is finished first.

    Args:
        path: The store's file, absolute; made if it is missing. Results go beside it.
        fleet: A file of backends; None is the built-in fleet.
        started: Called as soon as the signals are heeded, before anything else is done.

    Raises:
        StoreError: If the store cannot be used, or another engine works on it.
        InvalidInput: If the fleet file is wrong.
    """
    # Held back until there is a loop to take them: a signal must not end it half made.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    asyncio.run(_serve(path, fleet, started))


async def _serve(path: Path, fleet: Path | None, started: Callable[[], None]) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, ending.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    started()
    declared = load_fleet(fleet)
    with closing(SqliteStore(path)) as store, store.engine_lock():
        async with workshop(store, declared, folder=path.parent) as parts:
            engine = parts.engine(store)
            running = asyncio.create_task(engine.run())
            ended = asyncio.create_task(ending.wait())
            await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            engine.stop()
            await running
