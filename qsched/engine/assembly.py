"""The engine's parts put together, for the SDK, the daemon and the benchmarks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.drivers.registry import Drivers
from qsched.drivers.workers import WorkerPool
from qsched.engine.backends import Backends
from qsched.engine.clock import Clock, SystemClock
from qsched.engine.engine import WAITS, Engine
from qsched.engine.logs import log_to_stderr
from qsched.engine.preparation import Preparation
from qsched.engine.refinement import Refinement
from qsched.engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from qsched.api.backend import QuantumBackend
    from qsched.store.protocol import Store


@dataclass(frozen=True)
class Workshop:
    """What planning needs, with or without an engine: the fleet, and circuits read and transpiled.

    Attributes:
        backends: The fleet.
        preparation: Reads and transpiles circuits.
        refinement: Fits jobs to backends.
        clock: Tells the time.
        settings: Paces and limits.
        folder: Where qsched keeps files beside its store.
    """

    backends: Backends
    preparation: Preparation
    refinement: Refinement
    clock: Clock
    settings: Settings
    folder: Path

    def engine(self, store: Store) -> Engine:
        """An engine over a store; whoever runs it holds ``store.engine_lock()``."""
        return Engine(
            store,
            self.backends,
            self.preparation,
            self.refinement,
            clock=self.clock,
            settings=self.settings,
            results=self.folder / "results",
        )


@asynccontextmanager
async def workshop(
    store: Store,
    declared: Sequence[QuantumBackend],
    *,
    folder: Path,
    settings: Settings | None = None,
    clock: Clock | None = None,
    drivers: Drivers | None = None,
) -> AsyncIterator[Workshop]:
    """Drivers, worker processes and a fleet, closed on leaving.

    Args:
        store: Where wait models of earlier engines are.
        declared: The fleet.
        folder: Where results, twins and circuits go.
        settings: Paces and limits.
        clock: Tells the time.
        drivers: Makes drivers; those of the installed entry points by default.
    """
    log_to_stderr()
    settings = settings or Settings()
    clock = clock or SystemClock()
    drivers = drivers or Drivers()
    # One thread each: the workers themselves are what runs side by side.
    workers = WorkerPool(settings.workers, environment={"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    backends = Backends(
        declared,
        drivers=drivers,
        clock=clock,
        settings=settings,
        folder=folder / "twins",
        waits=store.values(WAITS),
    )
    try:
        preparation = Preparation(workers, own=folder / "circuits")
        yield Workshop(backends, preparation, Refinement(preparation), clock, settings, folder)
    finally:
        await backends.aclose()
        await workers.aclose()
        await drivers.aclose()
