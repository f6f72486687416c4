"""Jobs through the engine, with a provider that takes no time and SQLite on disk.

Beside it, in the same run, the roofline: the engine's transactions written to an SQLite file of the same
kind without any scheduling.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.roofline import MeasuredStore, replay
from benchmarks.scenarios.fake_jobs import DISTINCT, fake_fleet, submit
from qsched.engine.assembly import workshop

SEED = 0


class _Measured(NamedTuple):
    seconds: float
    growth_bytes: int


def run(*, quick: bool) -> dict[str, float]:
    """Throughput, memory that stays, and the roofline.

    Args:
        quick: A tenth of the jobs.

    Raises:
        RuntimeError: If a job did not complete.
    """
    jobs = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = MeasuredStore(folder / "qsched.db")
        try:
            measured = asyncio.run(_through_engine(store, folder, jobs))
            complete = len(store.list(phases=["Complete"], limit=2 * jobs)) - DISTINCT
        finally:
            store.close()
        if complete != jobs:
            raise RuntimeError(f"{complete} of {jobs} jobs are Complete")
        roofline_s = replay(store.transactions, folder / "roofline.db", jobs)
    return {
        "jobs": jobs,
        "jobs_per_s": jobs / measured.seconds,
        "growth_bytes_per_job": measured.growth_bytes / jobs,
        "transactions": len(store.transactions),
        "store_share": store.seconds / measured.seconds,
        "roofline_jobs_per_s": jobs / roofline_s,
        "of_roofline": roofline_s / measured.seconds,
    }


async def _through_engine(store: MeasuredStore, folder: Path, jobs: int) -> _Measured:
    process = psutil.Process()
    async with workshop(store, fake_fleet(folder / "provider.db"), folder=folder) as parts:
        submit(store, "warm-up", DISTINCT)
        await parts.engine(store).run(until_idle=True)
        submit(store, "job", jobs)
        store.transactions.clear()
        store.seconds = 0.0
        gc.collect()
        before = process.memory_info().rss
        started = time.perf_counter()
        await parts.engine(store).run(until_idle=True)
        seconds = time.perf_counter() - started
        gc.collect()
        return _Measured(seconds, process.memory_info().rss - before)
