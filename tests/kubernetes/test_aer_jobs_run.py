"""Aer tasks whose pods a real kubelet runs: the driver contract, and what only a run shows."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from qsched.drivers import Unavailable
from qsched.drivers.contract import DriverContract, ended, running
from qsched.kube.api import Api
from qsched.kube.task_cluster import ApiTaskCluster
from qsched_aer import AerDriver
from qsched_aer.cluster_driver import AerJobsDriver
from tests.kubernetes.aer_tasks import bell, endless, ghz, task_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from qsched.drivers import RemoteTask, Task, TaskResult
    from qsched.drivers.contract import LoseAnswer
    from qsched.kube.task_cluster import Kind
    from tests.kubernetes.rig.node import Node

NAMESPACE = "qsched-system"
CONTROLLER = f"{NAMESPACE}:qsched-controller"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def node(node: Node) -> Node:
    """A node, and the chart's accounts."""
    node.cluster.install_chart()
    return node


def here(node: Node, **container: Any) -> dict[str, Any]:
    """Parameters of a backend whose tasks run the Python of this checkout."""
    python = node.python
    task = {
        "image": python.image,
        "imagePullPolicy": "Never",
        "command": [python.python, "-m", "qsched_aer.task"],
        "volumeMounts": python.volume_mounts,
        "env": python.env,
        **container,
    }
    spec = {"dnsPolicy": "Default", "volumes": python.volumes, "containers": [task]}
    return {"memoryMb": 512, "cluster": {"cpu": 0.5, "podTemplate": {"spec": spec}}}


class Losing(ApiTaskCluster):
    """Loses the answer to the last request of a submission when it is told to."""

    lose = False

    async def change(self, kind: Kind, name: str, change: Mapping[str, Any]) -> bytes | None:
        changed = await super().change(kind, name, change)
        if self.lose:
            raise Unavailable("the connection broke")
        return changed


class OfOneTest(AerJobsDriver):
    """Its tokens are of one test only, and its connection closes with it."""

    def __init__(self, parameters: dict[str, Any], api: Api, **more: Any) -> None:
        self.cluster = Losing(api, NAMESPACE)
        super().__init__(parameters, cluster=self.cluster, **more)
        self.prefix = uuid.uuid4().hex[:8]
        self._api = api

    async def submit(self, task: Task, token: str) -> RemoteTask:
        return await super().submit(task, f"{self.prefix}-{token}")

    async def find(self, token: str) -> RemoteTask | None:
        return await super().find(f"{self.prefix}-{token}")

    async def aclose(self) -> None:
        await super().aclose()
        await self._api.aclose()


@pytest.fixture
async def make(node: Node) -> AsyncIterator[Callable[..., Any]]:
    """Makes drivers; they are closed in the end, and their pods ended."""
    made: list[OfOneTest] = []

    async def make(parameters: dict[str, Any] | None = None, **more: Any) -> OfOneTest:
        api = await Api.connect(node.cluster.kubeconfig(CONTROLLER))
        made.append(OfOneTest(parameters or here(node), api, **more))
        return made[-1]

    yield make
    for driver in made:
        await driver.aclose()
    node.cluster.kubectl("delete", "jobs", "-l", "qsched.io/task", "-n", NAMESPACE)


@pytest.fixture
async def driver(make: Callable[..., Any]) -> OfOneTest:
    return await make()


class TestAerJobs(DriverContract):
    @pytest.fixture
    async def driver(self, make: Callable[..., Any]) -> OfOneTest:
        return await make()

    @pytest.fixture
    def task(self) -> Task:
        return task_of(bell(), bell(), device="vigo", shots=200)

    @pytest.fixture
    def other_task(self) -> Task:
        return task_of(ghz(2), shots=200)

    @pytest.fixture
    def long_task(self) -> Task:
        return task_of(endless(), shots=1_000_000)

    @pytest.fixture
    def impossible_task(self) -> Task:
        return task_of(endless(), device="vigo", shots=1)

    @pytest.fixture
    def lose_answer(self) -> LoseAnswer:
        async def lose(driver: OfOneTest, task: Task, token: str) -> None:
            driver.cluster.lose = True
            with pytest.raises(Unavailable):
                await driver.submit(task, token)
            driver.cluster.lose = False

        return lose

    async def test_a_closed_driver_leaves_nothing_behind(
        self, driver: OfOneTest, task: Task, long_task: Task
    ) -> None:
        """In this process: the rig below it goes on, and so does the task."""
        me = psutil.Process()
        threads, children = set(threading.enumerate()), set(me.children())
        await ended(driver, (await driver.submit(task, "short")).remote_id)
        await driver.submit(long_task, "long")
        await driver.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
        assert set(threading.enumerate()) <= threads
        assert set(me.children()) <= children
        assert [each for each in me.net_connections() if each.status != psutil.CONN_NONE] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def result(driver: Any, task: Task, token: str = "token") -> TaskResult:
    remote = await driver.submit(task, token)
    status = await ended(driver, remote.remote_id)
    assert status.state == "Succeeded", status.message
    return await driver.result(remote.remote_id)


@pytest.mark.parametrize("device", ["ideal", "vigo"])
async def test_a_pod_counts_what_the_embedded_driver_counts(driver, device):
    task = task_of(bell(), bell(), device=device)
    embedded = AerDriver({"workers": 1, "threads": 1})
    expected = await result(embedded, task)
    await embedded.aclose()
    got = await result(driver, task)
    assert got.counts == expected.counts
    assert got.run_s == expected.run_s or device == "ideal"
    assert (got.shots, got.transpiled_hashes) == (expected.shots, expected.transpiled_hashes)
    assert got.started_at is not None
    assert got.finished_at is not None


async def test_a_lack_of_memory_is_told_in_words(node, make):
    small = await make(here(node, resources={"requests": {"memory": "32Mi"}, "limits": {"memory": "32Mi"}}))
    remote = await small.submit(task_of(ghz(3)), "token")
    status = await ended(small, remote.remote_id)
    assert status.state == "Failed"
    assert "needed more memory than was estimated, and was killed at 32Mi" in status.message


async def test_a_program_that_is_not_there_is_told_in_words(node, make):
    driver = await make(here(node, command=[node.python.python, "-m", "no_such_module"]))
    remote = await driver.submit(task_of(ghz(3)), "token")
    status = await ended(driver, remote.remote_id)
    assert status.state == "Failed"
    assert "No module named no_such_module" in status.message


async def test_an_image_that_cannot_be_had_fails_the_task_after_a_while(node, make):
    late = {"by": 0.0}
    driver = await make(here(node, image="no/such:1"), clock=lambda: time.time() + late["by"])
    remote = await driver.submit(task_of(ghz(3)), "token")
    await until(lambda: "ErrImageNeverPull" in pods(node, remote.remote_id))
    assert [it.state for it in await driver.poll([remote.remote_id])] == ["Queued"]
    late["by"] = 150.0
    status = await ended(driver, remote.remote_id)
    assert status.state == "Failed"
    assert "image 'no/such:1' does not start: ErrImageNeverPull" in status.message


async def test_cancelling_kills_the_pod(node, driver):
    remote = await driver.submit(task_of(endless(), shots=1_000_000), "token")
    await running(driver, remote.remote_id)
    started = time.monotonic()
    await driver.cancel(remote.remote_id)
    assert (await ended(driver, remote.remote_id)).state == "Cancelled"
    await until(lambda: remote.remote_id not in pods(node))
    assert time.monotonic() - started < 20  # 3 s on an idle machine


async def test_a_pod_that_is_evicted_is_replaced_and_costs_no_attempt(node, driver):
    remote = await driver.submit(task_of(endless(), shots=1_000_000), "token")
    await running(driver, remote.remote_id)
    (first,) = pod_names(node, remote.remote_id)
    named = {"name": first, "namespace": NAMESPACE}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": named}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{first}/eviction"
    node.cluster.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
    await until(lambda: any(name != first for name in pod_names(node, remote.remote_id)))
    await running(driver, remote.remote_id)


async def test_a_deadline_ends_a_run_that_takes_too_long(node, make):
    parameters = here(node)
    parameters["cluster"]["activeDeadlineSeconds"] = 4
    driver = await make(parameters)
    remote = await driver.submit(task_of(endless(), shots=1_000_000), "token")
    status = await ended(driver, remote.remote_id)
    assert status.state == "Failed"
    assert "deadline" in status.message


def pods(node: Node, remote_id: str = "") -> str:
    chosen = f"-l=qsched.io/task={remote_id.removeprefix('aer-')}" if remote_id else "-l=qsched.io/task"
    return node.cluster.kubectl("get", "pods", "-n", NAMESPACE, chosen).stdout


def pod_names(node: Node, remote_id: str) -> list[str]:
    return [line.split()[0] for line in pods(node, remote_id).splitlines()[1:]]


async def until(condition: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the cluster does not tell
            await asyncio.sleep(0.1)
