"""Jobs through the controller on a real API server, next to what that server can do at all.

The limit is a client that only creates jobs and patches the status of each three times, over as many
connections. Both run against the same server, one after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.scenarios import cluster_jobs, cluster_programs
from qsched.kube.api import Api
from tests.kubernetes.rig import Cluster

SEED = 0
FULL_ONLY = "starts a control plane, which takes minutes"


def run(*, quick: bool) -> dict[str, float]:
    """Throughput, its steadiness, status writes and memory.

    Args:
        quick: A tenth of the jobs.

    Raises:
        RuntimeError: If a job did not complete.
    """
    jobs = 2_000 if quick else 20_000
    programs = cluster_programs.built()
    with tempfile.TemporaryDirectory() as name, Cluster(Path(name), programs, controllers=True) as cluster:
        cluster_jobs.install(cluster)
        return asyncio.run(_measure(cluster, Path(name), jobs))


async def _measure(cluster: Cluster, folder: Path, jobs: int) -> dict[str, float]:
    api = await Api.connect(cluster.kubeconfig())
    few = jobs // 10
    try:
        limits = [few / await cluster_jobs.bare(api, few)]
        with cluster_jobs.controller(cluster, folder) as (process, port):
            await cluster_jobs.leading(port)
            await cluster_jobs.through_controller(api, process, port, "warm-up", 100)
            first = await cluster_jobs.through_controller(api, process, port, "first", few)
            middle = await cluster_jobs.through_controller(api, process, port, "middle", jobs - 2 * few)
            last = await cluster_jobs.through_controller(api, process, port, "last", few)
        complete = await cluster_jobs.count_complete(api) - few - 100
    finally:
        await api.aclose()
    if complete != jobs:
        raise RuntimeError(f"{complete} of {jobs} jobs are Complete")
    writes = [
        each
        for each in cluster.audit()
        if each.subresource == "status" and each.resource == "quantumcircuitjobs" and "qsched" in each.user
    ]
    seconds = first.seconds + middle.seconds + last.seconds
    return {
        "jobs": jobs,
        "bare_jobs_per_s": limits[0],
        "jobs_per_s": jobs / seconds,
        "of_bare": jobs / seconds / limits[0],
        "last_over_first": first.seconds / last.seconds,
        "status_writes_per_job": len(writes) / (jobs + 100),
        "controller_mb": max(first.rss_bytes, middle.rss_bytes, last.rss_bytes) / 1e6,
    }
