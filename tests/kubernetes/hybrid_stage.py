"""Pods of hybrid jobs on a real API server; the tests play kubelets, schedulers and users."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, Classical, JobSpec, QuantumCircuitJob
from qsched.kube.api import Api
from qsched.kube.errors import Absent
from qsched.kube.events import Recorder
from qsched.kube.objects import JOBS, JobObject, job_path
from qsched.kube.pods import JobPods
from qsched.kube.queue import Retries, WorkQueue
from qsched.kube.reflector import Reflector
from qsched.lifecycle.types import PodsEnded
from tests.unit.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qsched.lifecycle.types import Event
    from tests.kubernetes.rig import Cluster

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "program:1"}]}}
PATIENCE_S = 20.0
CONTROLLER = "qsched-system:qsched-controller"


@asynccontextmanager
async def staged(cluster: Cluster) -> AsyncIterator[Stage]:
    """A namespace of a test's own, with somebody who looks after the pods in it."""
    namespace = f"hybrid-{secrets.token_hex(3)}"
    cluster.create_namespace(namespace)
    admin = await Api.connect(cluster.kubeconfig())
    controller = await Api.connect(cluster.kubeconfig(CONTROLLER))
    try:
        async with running(Stage(namespace, admin, controller)) as stage:
            yield stage
    finally:
        await admin.aclose()
        await controller.aclose()
        await hung_up()


async def hung_up() -> None:
    """Wait until no connection is left: those of watches that were cut short take leave of the server."""
    watched = asyncio.get_running_loop()._selector.get_map()
    await until(lambda: len(watched) == 1, "only the loop's own pipe is left")


@dataclass
class Stage:
    """What a test does to pods and jobs, and what the engine is told."""

    namespace: str
    admin: Api
    controller: Api
    events: list[tuple[str, Event]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    leads: bool = True
    pods: JobPods = field(init=False)

    async def job(self, name: str, *, hybrid: bool = True, **classical: Any) -> QuantumCircuitJob:
        """Create a job, as its user does."""
        fields: dict[str, Any] = {"classical": {"template": TEMPLATE, **classical}} if hybrid else {}
        spec = {"circuits": [{"name": "bell", "qasm": BELL}], **fields}
        body = {
            "apiVersion": "qsched.io/v1alpha1",
            "kind": "QuantumCircuitJob",
            "metadata": {"name": name},
            "spec": spec,
        }
        path = job_path(self.namespace, "").rstrip("/")
        made = json.loads(await self.admin.create(path, body))
        return QuantumCircuitJob(
            metadata=ObjectMeta(name=name, namespace=self.namespace, uid=made["metadata"]["uid"]),
            spec=JobSpec(
                circuits=[Circuit(name="bell", qasm=BELL)],
                classical=Classical(**fields["classical"]) if hybrid else None,
            ),
        )

    async def of(self, job: QuantumCircuitJob, count: int) -> list[dict[str, Any]]:
        """The pods of a job, by their names, once there are as many."""
        selector = f"qsched.io/job-uid={job.metadata.uid}"

        async def there() -> list[dict[str, Any]] | None:
            found = json.loads(await self.admin.get(self.path(), labelSelector=selector))["items"]
            return sorted(found, key=lambda pod: pod["metadata"]["name"]) if len(found) == count else None

        return await self.until(there, f"{job.metadata.name} has {count} pods")

    async def read(self, name: str) -> dict[str, Any] | None:
        """A pod."""
        try:
            return json.loads(await self.admin.get(self.path(name)))
        except Absent:
            return None

    async def bind(self, pod: dict[str, Any], node: str = "some-node") -> None:
        """Schedule a pod, whose node then never answers."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name(pod)}, "target": target}
        await self.admin.create(f"{self.path(name(pod))}/binding", body)

    async def says(self, pod: dict[str, Any], **status: Any) -> None:
        """Write a pod's status, as its kubelet does."""
        await self.admin.merge(f"{self.path(name(pod))}/status", {"status": status})

    def ends(self, job: QuantumCircuitJob) -> list[PodsEnded]:
        """What the engine was told of a job's rounds."""
        return [
            event for uid, event in self.events if uid == job.metadata.uid and isinstance(event, PodsEnded)
        ]

    async def end(self, job: QuantumCircuitJob, number: int = 1) -> PodsEnded:
        """What the engine was told of the end of a round."""

        async def told() -> PodsEnded | None:
            return next((each for each in self.ends(job) if each.round == number), None)

        return await self.until(told, f"round {number} of {job.metadata.name} has ended")

    async def warnings(self, kind: str, of: str) -> list[str]:
        """The Events about an object: reason and note."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        found = json.loads(await self.admin.get(path))["items"]
        return [
            f"{each['reason']}: {each['note']}"
            for each in found
            if each["regarding"]["kind"] == kind and each["regarding"]["name"] == of
        ]

    async def warned(self, kind: str, of: str) -> str:
        """The first Event about an object."""

        async def there() -> str | None:
            found = await self.warnings(kind, of)
            return found[0] if found else None

        return await self.until(there, f"there is an Event about {kind} {of}")

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until something is there."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := await condition()) is None or found is False:
            assert time.monotonic() < deadline, f"never came true: {what}; events: {self.events}"
            await asyncio.sleep(0.02)
        return found

    async def quiet(self) -> None:
        """Wait until everything that is wanted has been brought about, and the watch has told of it."""
        marker = f"marker-{time.monotonic_ns()}"
        pod = {
            "metadata": {"name": marker},
            "spec": {**TEMPLATE["spec"], "schedulerName": "qsched-scheduler"},
        }
        pod["metadata"]["annotations"] = {"qsched.io/job": marker}
        await self.admin.create(self.path(), {"apiVersion": "v1", "kind": "Pod", **pod})
        await self.warned("Pod", marker)
        await self.admin.delete(self.path(marker))

    def path(self, pod: str = "") -> str:
        """The path of a pod, or of all."""
        return f"/api/v1/namespaces/{self.namespace}/pods" + (f"/{pod}" if pod else "")


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Stage]:
    """Look after the pods, as a controller does that has just begun to lead."""
    recorder = Recorder(stage.controller, may_write=lambda: stage.leads, clock=time.time)
    stage.pods = JobPods(
        stage.controller,
        recorder,
        wants=lambda uid: uid not in stage.ended,
        stored=lambda _uid: asyncio.sleep(0),
        may_write=lambda: stage.leads,
        clock=time.time,
        queue=WorkQueue(Retries(most_s=0.5)),
    )
    stage.pods.attach(lambda uid, event: stage.events.append((uid, event)))
    jobs = Reflector(stage.controller, JOBS, JobObject, stage.pods.job_changed)
    loops = [jobs.run(), *(each.run() for each in stage.pods.reflectors.values()), recorder.run()]
    tasks = [asyncio.ensure_future(each) for each in [*loops, stage.pods.run(jobs.synced)]]
    try:
        yield stage
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome


def name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def gates(pod: dict[str, Any]) -> list[str]:
    return [each["name"] for each in pod["spec"].get("schedulingGates", ())]
