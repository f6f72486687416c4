"""The engine's parts put together, for the SDK, the daemon and the benchmarks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.drivers.registry import Drivers
from qsched.drivers.workers import WorkerPool
from qsched.engine.backends import Backends, no_credentials
from qsched.engine.clock import Clock, SystemClock
from qsched.engine.engine import RUNS, WAITS, Engine
from qsched.engine.logs import log_to_stderr
from qsched.engine.places import LocalPlaces
from qsched.engine.preparation import Preparation
from qsched.engine.refinement import Refinement
from qsched.engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from qsched.api.backend import QuantumBackend
    from qsched.engine.backends import ReadCredentials
    from qsched.engine.meter import Meter
    from qsched.engine.places import Places
    from qsched.engine.pods import Pods
    from qsched.store.protocol import Journal


@dataclass(frozen=True)
class Workshop:
    """What planning needs, with or without an engine: the fleet, and circuits read and transpiled.

    Attributes:
        backends: The fleet.
        preparation: Reads and transpiles circuits.
        refinement: Fits jobs to backends.
        clock: Tells the time.
        settings: Paces and limits.
        places: Where circuits come from and results go.
    """

    backends: Backends
    preparation: Preparation
    refinement: Refinement
    clock: Clock
    settings: Settings
    places: Places

    def engine(self, store: Journal, pods: Pods | None = None, meter: Meter | None = None) -> Engine:
        """An engine over a store; whoever runs it sees to it that there is no other.

        Args:
            store: Where the jobs live.
            pods: Looks after the pods of hybrid jobs; None where there can be none.
            meter: Takes figures of the engine's work, if anybody keeps them.
        """
        return Engine(
            store,
            self.backends,
            self.preparation,
            self.refinement,
            clock=self.clock,
            settings=self.settings,
            places=self.places,
            pods=pods,
            meter=meter,
        )


@asynccontextmanager
async def workshop(
    store: Journal,
    declared: Sequence[QuantumBackend],
    *,
    folder: Path,
    settings: Settings | None = None,
    clock: Clock | None = None,
    drivers: Drivers | None = None,
    places: Places | None = None,
    credentials: ReadCredentials = no_credentials,
) -> AsyncIterator[Workshop]:
    """Drivers, worker processes and a fleet, closed on leaving.

    Args:
        store: Where wait and run models of earlier engines are.
        declared: The fleet.
        folder: Where twins go, and results and circuits unless ``places`` says otherwise.
        settings: Paces and limits.
        clock: Tells the time.
        drivers: Makes drivers; those of the installed entry points by default.
        places: Where circuits come from and results go; files of this machine by default.
        credentials: Reads the Secrets that manifests name.
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
        runs=store.values(RUNS),
        credentials=credentials,
    )
    try:
        places = places or LocalPlaces(folder)
        preparation = Preparation(workers, places)
        yield Workshop(backends, preparation, Refinement(preparation), clock, settings, places)
    finally:
        await backends.aclose()
        await workers.aclose()
        await drivers.aclose()
