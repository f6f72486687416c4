"""The scheduler extender: time of an answer, and a real kube-scheduler with it and without.

Pods that request a QPU and pods that do not take turns on the same scheduler and the same fake nodes; the
extender is asked about the first kind only.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scenarios import cluster_pods, cluster_programs
from qsched.kube.api import Api
from tests.kubernetes.rig import Cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.kubernetes.rig.program import Program

SEED = 0
FULL_ONLY = "starts a control plane, which takes minutes"
NODES = 5_000
BLOCKS = 5


def run(*, quick: bool) -> dict[str, float]:
    """Times of answers for 5,000 names, and pods bound a second both ways.

    Args:
        quick: Fewer requests and pods; as many nodes.
    """
    programs = cluster_programs.built()
    with tempfile.TemporaryDirectory() as name, Cluster(Path(name), programs) as cluster:
        names = cluster_pods.install(cluster, NODES)
        kwok = cluster.start_kwok()
        extender, port = cluster_pods.start_extender(cluster)
        figures = _answers(port, names, requests=200 if quick else 2_000)
        scheduler = cluster.start_scheduler(f"http://127.0.0.1:{port}", user=cluster_pods.ACCOUNT)
        rounds, pods = (2, 300) if quick else (6, 1_000)
        working = (scheduler, extender, cluster.apiserver, cluster.etcd, kwok)
        return figures | asyncio.run(_throughput(cluster, working, rounds, pods))


def _answers(port: int, names: Sequence[str], *, requests: int) -> dict[str, float]:
    """Milliseconds from the first byte out to the last one in, over one kept connection on loopback.

    The machine may have other work. So quantiles are taken in five blocks, and the median of each counts;
    and the same is done with an answer that costs nothing, for the part that is not the extender's.
    """
    pod = cluster_pods.pod("p", hybrid=True)
    body = json.dumps({"Pod": pod, "Nodes": None, "NodeNames": names}, separators=(",", ":")).encode()
    head = "POST /filter HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    filtering = f"{head}{len(body)}\r\n\r\n".encode() + body
    nothing = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        blocks = [
            [
                sorted(_exchange_ms(connection, request) for _ in range(requests // BLOCKS))
                for request in (filtering, nothing)
            ]
            for _ in range(BLOCKS)
        ]

    def median(which: int, quantile: float) -> float:
        return statistics.median(each[which][math.ceil(quantile * len(each[which])) - 1] for each in blocks)

    return {
        "names": len(names),
        "filter_p50_ms": median(0, 0.5),
        "filter_p99_ms": median(0, 0.99),
        "nothing_p99_ms": median(1, 0.99),
    }


def _exchange_ms(connection: socket.socket, request: bytes) -> float:
    started = time.perf_counter()
    connection.sendall(request)
    read = b""
    length = -1
    while length < 0 or len(read) < length:
        read += connection.recv(2**18)
        head, end, _ = read.partition(b"\r\n\r\n")
        if end and length < 0:
            said = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            length = len(head) + len(end) + int(said)
    took_ms = (time.perf_counter() - started) * 1e3
    if not read.startswith(b"HTTP/1.1 200") or b'"Error":"cold' in read:
        raise RuntimeError(f"the extender answered {read[:200]!r}")
    return took_ms


async def _throughput(
    cluster: Cluster, programs: Sequence[Program], rounds: int, pods: int
) -> dict[str, float]:
    found: dict[bool, list[cluster_pods.Bound]] = {True: [], False: []}
    api = await Api.connect(cluster.kubeconfig())
    try:
        for turn in range(-1, rounds):  # the first is for warming up
            # Each kind is first as often as second, and follows the other one as often as itself.
            for hybrid in (True, False) if turn % 2 else (False, True):
                name = f"{'hybrid' if hybrid else 'plain'}-{turn + 1}"
                bound = await cluster_pods.through_scheduler(api, programs, name, pods, hybrid=hybrid)
                if turn >= 0:
                    found[hybrid].append(bound)
    finally:
        await api.aclose()
    rates = {hybrid: statistics.median(each.pods_per_s for each in found[hybrid]) for hybrid in found}
    pairs = list(zip(found[True], found[False], strict=True))
    extender, scheduler = programs[1].name, programs[0].name

    def per_pod_ms(*names: str, hybrid: bool) -> float:
        each = [sum(bound.processor_s[name] for name in names) for bound in found[hybrid]]
        return statistics.median(each) * 1e3 / pods

    everything = [each.name for each in programs]
    return {
        "pods": 2 * rounds * pods,
        "pods_per_s": rates[True],
        "pods_per_s_without": rates[False],
        "of_without": statistics.median(one.pods_per_s / other.pods_per_s for one, other in pairs),
        "of_without_cpu": per_pod_ms(*everything, hybrid=False) / per_pod_ms(*everything, hybrid=True),
        "extender_cpu_ms": per_pod_ms(extender, hybrid=True),
        "scheduler_cpu_ms": per_pod_ms(scheduler, hybrid=True),
        "scheduler_cpu_ms_without": per_pod_ms(scheduler, hybrid=False),
    }
