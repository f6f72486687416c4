"""Ten thousand jobs through the engine, with the fake driver and SQLite on disk.

Nothing but the engine's own work is in the figures: the provider takes no time. The same transactions of
the same size, written to an SQLite file of the same kind without any scheduling, are the roofline.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob
from qsched.engine.assembly import workshop
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.types import new_state, policy_of
from qsched.store.protocol import NewJob
from qsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVICES = 4
DISTINCT = 20
PAGE = 500
_QASM = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3]; h q; cx q[0],q[1]; rz({}) q[2]; measure q->c;'


def run(*, quick: bool) -> dict[str, float]:
    """Jobs a second, and bytes of memory that stay for each job.

    Args:
        quick: A tenth of the jobs.

    Returns:
        ``jobs``, ``jobs_per_s``, ``growth_bytes_per_job`` and ``peak_bytes_per_job``.
    """
    jobs = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_through_engine(Path(folder), jobs))


async def _through_engine(folder: Path, jobs: int) -> dict[str, float]:
    store = SqliteStore(folder / "qsched.db")
    process = psutil.Process()
    try:
        async with workshop(store, _fleet(folder), folder=folder) as parts:
            _submit(store, "warm-up", DISTINCT)
            await parts.engine(store).run(until_idle=True)
            _submit(store, "job", jobs)
            gc.collect()
            before = process.memory_info().rss
            started = time.perf_counter()
            await parts.engine(store).run(until_idle=True)
            seconds = time.perf_counter() - started
            gc.collect()
            growth = process.memory_info().rss - before
        complete = len(store.list(phases=["Complete"], limit=2 * jobs)) - DISTINCT
    finally:
        store.close()
    if complete != jobs:
        raise RuntimeError(f"{complete} of {jobs} jobs are Complete")
    return {
        "jobs": jobs,
        "jobs_per_s": jobs / seconds,
        "growth_bytes_per_job": growth / jobs,
    }


def _fleet(folder: Path) -> list[QuantumBackend]:
    devices = [{"name": f"device-{index}", "qubits": 7} for index in range(DEVICES)]
    return [
        QuantumBackend(
            metadata=ObjectMeta(name=device["name"]),
            spec=BackendSpec(
                driver="fake", device=device["name"], max_in_flight=100, parameters={"devices": devices, "path": str(folder / "provider.db")}
            ),
        )
        for device in devices
    ]


def _submit(store: SqliteStore, name: str, count: int) -> None:
    now = time.time()
    for start in range(0, count, PAGE):
        store.add([_job(f"{name}-{index}", index, now) for index in range(start, min(start + PAGE, count))])


def _job(name: str, index: int, now: float) -> NewJob:
    spec = JobSpec(circuits=[Circuit(name="circuit", qasm=_QASM.format(index % DISTINCT))], shots=100)
    state = new_state(name, policy_of(spec), now)
    job = QuantumCircuitJob(metadata=ObjectMeta(name=name, uid=name), spec=spec)
    return NewJob(uid=name, job=job, phase=state.phase, state=encode_state(state), submitted_at=now)
