"""Pending jobs scored and placed at once, writes to the store included."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.scenarios.fake_jobs import fake_fleet, submit
from qsched.drivers.fake import FakeDriver
from qsched.drivers.registry import Drivers
from qsched.engine.assembly import workshop
from qsched.engine.settings import Settings
from qsched.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.drivers import Driver

SEED = 0


class _Cycles:
    """Adds the cycles up until every job has a place.

    Attributes:
        seconds: Spent in cycles.
        placements: Jobs that got a place.
        done: Set when all have.
    """

    def __init__(self, jobs: int) -> None:
        self.seconds = 0.0
        self.placements = 0
        self.cycles = 0
        self.done = asyncio.Event()
        self._jobs = jobs

    def cycle(self, seconds: float, heads: int, placements: int) -> None:
        """See ``Meter.cycle``; those that only dispatch do not count."""
        if self.done.is_set() or not heads or not (self.placements or placements):
            return
        self.seconds += seconds
        self.placements += placements
        self.cycles += 1
        if self.placements >= self._jobs:
            self.done.set()


def run(*, quick: bool) -> dict[str, float]:
    """Seconds in cycles until each of 10,000 jobs has a place.

    Args:
        quick: A tenth of the jobs.
    """
    jobs = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as name, closing(SqliteStore(Path(name) / "qsched.db")) as store:
        cycles = asyncio.run(_place(store, Path(name), jobs))
    return {
        "jobs": jobs,
        "seconds": cycles.seconds,
        "cycles": cycles.cycles,
        "jobs_per_s": cycles.placements / cycles.seconds,
    }


async def _place(store: SqliteStore, folder: Path, jobs: int) -> _Cycles:
    """Let the jobs be read while every device is offline; count from when the devices come."""
    cycles = _Cycles(jobs)
    drivers = _OneProvider()
    fleet = fake_fleet(folder / "provider.db", slots=1, run_s=3600.0, online=False)
    settings = Settings(status_every_s=1.0)
    async with workshop(store, fleet, folder=folder, drivers=drivers, settings=settings) as parts:
        submit(store, "job", jobs)
        engine = parts.engine(store, meter=cycles)
        running = asyncio.ensure_future(engine.run())
        while sum(live.refused is not None for live in engine.pump.jobs.values()) < jobs:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.2)
        cycles.seconds = cycles.cycles = 0
        for each in fleet:
            drivers.provider.set_online(each.spec.device, online=True)
        await asyncio.wait(
            [asyncio.ensure_future(cycles.done.wait()), running], return_when=asyncio.FIRST_COMPLETED
        )
        engine.stop()
        await running
    return cycles


class _OneProvider(Drivers):
    """Keeps hold of the fake provider, whose devices are to come online in the middle.

    Attributes:
        provider: The provider, once there is one.
    """

    provider: FakeDriver

    def make(self, name: str, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None) -> Driver:
        """See ``Drivers.make``."""
        made = super().make(name, parameters, credentials)
        if isinstance(made, FakeDriver):
            self.provider = made
        return made
