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
    from pathlib import Path


async def serve(path: Path, fleet: Path | None) -> None:
    """Run the engine over a store until SIGINT or SIGTERM; what is under way is finished first.

    Args:
        path: The store's file, absolute; made if it is missing. Results go beside it.
        fleet: A file of backends; None is the built-in fleet.

    Raises:
        StoreError: If the store cannot be used, or another engine works on it.
        InvalidInput: If the fleet file is wrong.
    """
    declared = load_fleet(fleet)
    with closing(SqliteStore(path)) as store, store.engine_lock():
        async with workshop(store, declared, folder=path.parent) as parts:
            engine = parts.engine(store)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, engine.stop)
            await engine.run()
