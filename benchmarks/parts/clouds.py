"""Small jobs on three emulated clouds, against each provider's own client used directly.

Both sides talk to the same server, whose devices take .3 s for a task and run twenty at once. One after the
other, qsched's time over the client's is its overhead; with twenty in flight, its throughput is compared with
that of the client, which blocks. The client polls as eagerly as it can be told to.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.findings import Findings, Table
from benchmarks.scenarios.cloud_jobs import CLOUDS, RUN_S, SHOTS, Cloud, CloudJob, cloud_jobs
from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import Requirements
from qsched.api.manifest import manifest_yaml
from qsched.sdk import Client
from qsched_emulators.control import Emulator

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 0  # nothing here is drawn: angles are evenly spaced
IN_FLIGHT = 20
_WARM = 4
_PATIENCE_S = 600.0


def run(*, quick: bool) -> Findings:
    """Seconds of each side, and their ratios.

    Args:
        quick: A tenth of the jobs.
    """
    count = 10 if quick else 100
    figures: dict[str, float] = {"jobs": count}
    rows: list[list[str | float | int | None]] = []
    for cloud in CLOUDS:
        direct_s, alone_s, together_s = _measure(cloud, count)
        figures[f"{cloud.name}_overhead"] = alone_s / direct_s
        figures[f"{cloud.name}_throughput"] = direct_s / together_s
        rows.append([cloud.name, cloud.device, direct_s, alone_s, together_s])
    columns = [
        "cloud",
        "device",
        "client directly, s",
        "qsched, one in flight, s",
        f"qsched, {IN_FLIGHT} in flight, s",
    ]
    return Findings(figures, [Table(f"{count} jobs of {SHOTS} shots", columns, rows)])


def _measure(cloud: Cloud, count: int) -> tuple[float, float, float]:
    """Seconds for so many jobs: directly, by qsched one after the other, and with many in flight."""
    with Emulator.start(cloud.name) as emulator:
        emulator.change(cloud.device, wait_s=0.0, run_s=RUN_S, slots=IN_FLIGHT)
        os.environ |= emulator.environment
        run_directly = cloud.direct(emulator, cloud.device)
        for job in cloud_jobs(_WARM, "warm"):
            run_directly(job)
        started = time.perf_counter()
        for job in cloud_jobs(count, "direct"):
            counts = run_directly(job)
            assert sum(counts.values()) >= SHOTS * 0.98, counts  # a histogram may round
        direct_s = time.perf_counter() - started
        return direct_s, _qsched(cloud, emulator, count, 1), _qsched(cloud, emulator, count, IN_FLIGHT)


def _qsched(cloud: Cloud, emulator: Emulator, count: int, in_flight: int) -> float:
    """Seconds from the first submission to the last result."""
    backend = QuantumBackend(
        metadata=ObjectMeta(name=cloud.name),
        spec=BackendSpec(
            driver=cloud.name,
            device=cloud.device,
            parameters=emulator.parameters,
            max_in_flight=in_flight,
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        fleet = Path(folder) / "fleet.yaml"
        fleet.write_text(manifest_yaml(backend), encoding="utf-8")
        with Client.local(store=Path(folder) / "qsched.db", fleet=fleet) as client:
            _run(client, cloud, cloud_jobs(_WARM, "warm"))
            jobs = cloud_jobs(count, f"in-flight-{in_flight}")
            started = time.perf_counter()
            _run(client, cloud, jobs)
            return time.perf_counter() - started


def _run(client: Client, cloud: Cloud, jobs: Sequence[CloudJob]) -> None:
    handles = [
        client.submit(
            job.circuit(), name=job.name, shots=SHOTS, requirements=Requirements(backends=[cloud.name])
        )
        for job in jobs
    ]
    for handle in handles:
        handle.result(_PATIENCE_S, show_progress=False)
