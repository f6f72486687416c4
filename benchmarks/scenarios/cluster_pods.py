"""Pods on thousands of fake nodes: those that the extender is asked about, and those that it is not."""

from __future__ import annotations

import asyncio
import sys
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import yaml
from msgspec import Struct

from qsched.kube.reflector import Change, Metadata, Pace, Reflector, Seen
from tests.kubernetes.rig.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.kube.api import Api
    from tests.kubernetes.rig import Cluster
    from tests.kubernetes.rig.program import Program

ACCOUNT = "qsched-system:qsched-scheduler"
BACKEND = "heron"
REGION = "us-east"
ZONES = 3
_CONNECTIONS = 32
_PATIENCE_S = 240.0
_PACE = Pace(least_s=0.01)  # a server under load ends watches early
_PODS = "/api/v1/namespaces/default/pods"


class Bound(NamedTuple):
    """How a batch of pods went.

    Attributes:
        pods_per_s: The rate at which they were bound, the first and last tenths left out.
        processor_s: Processor time that it took each program, by its name.
    """

    pods_per_s: float
    processor_s: dict[str, float]


def install(cluster: Cluster, nodes: int) -> list[str]:
    """The chart's accounts, a backend, and fake nodes in three zones of its region; returns their names."""
    cluster.install_crds()
    cluster.install_chart()
    backend = {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumBackend",
        "metadata": {"name": BACKEND},
        "spec": {"driver": "fake", "device": BACKEND, "location": REGION},
    }
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(backend))
    names = []
    for zone in range(ZONES):
        labels = {
            "topology.kubernetes.io/zone": f"{REGION}-{zone}",
            "topology.kubernetes.io/region": REGION,
        }
        names += cluster.add_fake_nodes(len(range(zone, nodes, ZONES)), labels=labels, prefix=f"node-{zone}")
    return names


def start_extender(cluster: Cluster) -> tuple[Program, int]:
    """The extender with the chart's rights, its cache filled; and its port."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "qsched.cli", "extender", "--listen", f"127.0.0.1:{port}"),
        *("--kubeconfig", str(cluster.kubeconfig(ACCOUNT))),
    ]
    return cluster.run("extender", command, ready=lambda: _ready(port)), port


def _ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def pod(name: str, *, hybrid: bool) -> dict[str, Any]:
    """A pod for the second scheduler; a hybrid one requests a QPU, and so goes through the extender."""
    requests = {"cpu": "100m", "memory": "64Mi"} | ({"qsched.io/qpu": "1"} if hybrid else {})
    container = {"name": "main", "image": "none", "resources": {"requests": requests, "limits": requests}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {"qsched.io/backend": BACKEND}},
        "spec": {
            "schedulerName": "qsched-scheduler",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


async def through_scheduler(
    api: Api, programs: Sequence[Program], name: str, pods: int, *, hybrid: bool
) -> Bound:
    """Create pods while the scheduler stands still, let it go, wait until all are bound, and delete them.

    Args:
        api: The server.
        programs: Everything that works for a pod, the scheduler first.
        name: Pods are called ``name-0``, ``name-1`` ...
        pods: How many.
        hybrid: Whether the extender is asked about them.
    """
    scheduler = programs[0]
    scheduler.pause()
    try:
        manifests = (pod(f"{name}-{index}", hybrid=hybrid) for index in range(pods))
        await _create(api, manifests)
        before = {each.name: _processor_s(each) for each in programs}
        seen = asyncio.create_task(_bound(api, pods))
    finally:
        scheduler.resume()
    times = await seen
    spent = {each.name: _processor_s(each) - before[each.name] for each in programs}
    await api.request("DELETE", _PODS, {"gracePeriodSeconds": 0})
    await _gone(api)
    tenth = pods // 10
    rate = (pods - 2 * tenth) / (times[-tenth - 1] - times[tenth - 1])
    return Bound(rate, spent)


async def _create(api: Api, manifests: Any) -> None:
    shared = iter(manifests)

    async def worker() -> None:
        for manifest in shared:
            await api.create(_PODS, manifest)

    await asyncio.gather(*(worker() for _ in range(_CONNECTIONS)))


class _Pod(Struct, frozen=True):
    metadata: Metadata


async def _bound(api: Api, pods: int) -> list[float]:
    """When each of so many pods was first seen with a node; times of ``perf_counter``."""
    times: dict[str, float] = {}
    complete = asyncio.Event()

    def handle(change: Change[_Pod]) -> None:
        if isinstance(change, Seen):
            times.setdefault(change.key, time.perf_counter())
        if len(times) == pods:
            complete.set()

    # A pod enters this selection when it gets its node.
    reflector = Reflector(api, _PODS, _Pod, handle, params={"fieldSelector": "spec.nodeName!="}, pace=_PACE)
    watching = asyncio.create_task(reflector.run())
    try:
        await asyncio.wait_for(complete.wait(), _PATIENCE_S)
    except TimeoutError as error:
        raise RuntimeError(f"{len(times)} of {pods} pods were bound after {_PATIENCE_S} s") from error
    finally:
        watching.cancel()
    return sorted(times.values())


async def _gone(api: Api) -> None:
    while b'"items":[]' not in await api.get(_PODS, limit=1):  # noqa: ASYNC110 - nothing tells of the last
        await asyncio.sleep(0.1)


def _processor_s(program: Program) -> float:
    times = psutil.Process(program.pid).cpu_times()
    return float(times.user + times.system)
