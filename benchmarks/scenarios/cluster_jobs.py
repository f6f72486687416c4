"""Jobs on a real API server: created and patched by hand for the limit, and left to a controller."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import psutil
import yaml

from benchmarks.scenarios.fake_jobs import DEVICES, DISTINCT, QASM, QUBITS
from qsched.kube.objects import job_path
from tests.kubernetes.rig.chart import ACCESS_KINDS
from tests.kubernetes.rig.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from qsched.kube.api import Api
    from tests.kubernetes.rig import Cluster

CONNECTIONS = 32
ACCOUNT = "qsched-system:qsched-controller"
_COLLECTION = "/apis/qsched.io/v1alpha1/namespaces/default/quantumcircuitjobs"
_POLICY = {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}


class Ended(NamedTuple):
    """What a controller did with a batch of jobs.

    Attributes:
        seconds: From the first creation until every end was written.
        rss_bytes: The most memory that the controller held.
    """

    seconds: float
    rss_bytes: int


def install(cluster: Cluster) -> None:
    """CRDs, the chart's accounts and policy, and a fleet whose tasks take no time."""
    cluster.install_crds()
    cluster.install_chart({"finalizerPolicy": {"create": "always"}}, kinds={*ACCESS_KINDS, *_POLICY})
    devices = [{"name": f"device-{index}", "qubits": QUBITS} for index in range(DEVICES)]
    fleet = [
        {
            "apiVersion": "qsched.io/v1alpha1",
            "kind": "QuantumBackend",
            "metadata": {"name": each["name"]},
            "spec": {
                "driver": "fake",
                "device": each["name"],
                "maxInFlight": 500,
                "parameters": {"devices": devices},
            },
        }
        for each in devices
    ]
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(fleet))


@contextmanager
def controller(cluster: Cluster, folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    """A controller with the chart's rights; its process, and the port of its metrics."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "qsched.cli", "controller", "--namespace", "qsched-system"),
        *("--kubeconfig", str(cluster.kubeconfig(ACCOUNT)), "--listen", f"127.0.0.1:{port}"),
    ]
    with (folder / "controller.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            process.wait(timeout=60)


async def bare(api: Api, jobs: int) -> float:
    """Seconds to create jobs and patch the status of each three times, and nothing else."""

    async def one(index: int) -> None:
        name = f"bare-{index}"
        await api.create(_COLLECTION, _job(name, index, managed_by="example.com/nobody"))
        for phase in ("Submitting", "Running", "Complete"):
            await api.merge(f"{job_path('default', name)}/status", {"status": {"phase": phase}})

    return await _in_parallel(jobs, one)


async def through_controller(api: Api, process: psutil.Process, port: int, name: str, jobs: int) -> Ended:
    """Create jobs and wait until the controller has written the end of each.

    Args:
        api: The server.
        process: The controller.
        port: Of its metrics.
        name: Jobs are called ``name-0``, ``name-1`` ...
        jobs: How many.

    Raises:
        RuntimeError: If the controller ends, or a job does not complete.
    """
    before = (await _figures(port))["complete"]
    started = time.perf_counter()
    creating = asyncio.create_task(
        _in_parallel(jobs, lambda index: api.create(_COLLECTION, _job(f"{name}-{index}", index)))
    )
    peak = 0
    while True:
        await asyncio.sleep(0.25)
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError("the controller ended by itself")
        peak = max(peak, process.memory_info().rss)
        seen = await _figures(port)
        if seen["complete"] - before >= jobs and not seen["unwritten"]:
            break
    seconds = time.perf_counter() - started
    await creating
    return Ended(seconds, peak)


async def count_complete(api: Api) -> int:
    """How many jobs the server says are Complete, page by page."""
    count = 0
    params: dict[str, str | int] = {"limit": 500}
    while True:
        page = msgspec.json.decode(await api.get(_COLLECTION, **params), type=_Page)
        count += sum(item.status.phase == "Complete" for item in page.items)
        if not page.metadata.continue_:
            return count
        params["continue"] = page.metadata.continue_


class _Status(msgspec.Struct, frozen=True):
    phase: str = ""


class _Item(msgspec.Struct):
    status: _Status = _Status()


class _Position(msgspec.Struct):
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    items: list[_Item]
    metadata: _Position


def _job(name: str, index: int, *, managed_by: str | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "circuits": [{"name": "circuit", "qasm": QASM.format(angle=index % DISTINCT)}],
        "shots": 100,
    }
    if managed_by is not None:
        spec["managedBy"] = managed_by
    return {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumCircuitJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


async def _in_parallel(count: int, work: Callable[[int], Awaitable[object]]) -> float:
    indices = iter(range(count))

    async def worker() -> None:
        for index in indices:
            await work(index)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return time.perf_counter() - started


async def _figures(port: int) -> dict[str, float]:
    """How many jobs the controller has seen complete, and how many states it has not written."""
    import aiohttp
    from prometheus_client.parser import text_string_to_metric_families

    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    found = {"complete": 0.0, "unwritten": 0.0, "leader": 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "qsched_jobs_ended_total" and sample.labels["phase"] == "Complete":
                found["complete"] += sample.value
            elif sample.name in {"qsched_jobs_unwritten", "qsched_leader"}:
                found[sample.name.rpartition("_")[2]] = sample.value
    return found


async def leading(port: int, within_s: float = 120.0) -> None:
    """Wait until the controller leads; raises ``RuntimeError`` if it does not."""
    import aiohttp

    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if (await _figures(port))["leader"]:
                return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the controller does not lead")
