"""The pods of hybrid jobs on a real API server; what kubelets and schedulers do to them, the tests write."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, Classical, JobSpec, QuantumCircuitJob
from qsched.kube.api import Api
from qsched.kube.errors import Absent
from qsched.kube.events import Recorder
from qsched.kube.objects import JOBS, JobObject, job_path
from qsched.kube.pods import JobPods
from qsched.kube.queue import Retries, WorkQueue
from qsched.kube.reflector import Reflector
from qsched.lifecycle.types import PodsEnded, Unplaceable
from tests.unit.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qsched.lifecycle.types import Event
    from tests.kubernetes.rig import Cluster

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "program:1"}]}}
PATIENCE_S = 20.0
PREEMPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "PreemptionByScheduler",
    "message": "for a higher one",
}
CONTROLLER = "qsched-system:qsched-controller"


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.install_chart()
    return cluster


@pytest.fixture
async def stage(cluster: Cluster) -> AsyncIterator[Stage]:
    """A namespace of the test's own, with somebody who looks after the pods in it."""
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


async def test_a_pod_waits_for_its_slot_and_its_success_is_told(stage: Stage) -> None:
    job = await stage.job("qaoa")
    stage.pods.create(job, 1)
    (pod,) = await stage.of(job, 1)
    assert gates(pod) == ["qsched.io/quantum"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == job.metadata.uid

    stage.pods.ungate(job, 1, "boston")

    async def opened() -> bool:
        now = await stage.read(name(pod))
        return (
            now is not None
            and not gates(now)
            and now["metadata"]["annotations"]["qsched.io/backend"] == "boston"
        )

    await stage.until(opened, "the gate is lifted")
    await stage.bind(pod)
    await stage.says(pod, phase="Running")
    assert not stage.ends(job)
    await stage.says(pod, phase="Succeeded")
    assert await stage.end(job) == PodsEnded(
        at=stage.ends(job)[0].at, round=1, succeeded=True, message=f"the pod {name(pod)} has succeeded"
    )


async def test_a_job_that_moves_before_its_slot_opens_is_written_on_its_pod(stage: Stage) -> None:
    job = await stage.job("moves")
    for backend in ("boston", "fez"):
        stage.pods.create(job, 1)
        stage.pods.ungate(job, 1, backend)
        (pod,) = await stage.of(job, 1)

        async def written(pod: dict[str, Any] = pod, backend: str = backend) -> bool:
            now = await stage.read(name(pod))
            return now is not None and now["metadata"]["annotations"].get("qsched.io/backend") == backend

        await stage.until(written, backend)


async def test_other_gates_of_the_template_stay(stage: Stage) -> None:
    template = {"spec": {**TEMPLATE["spec"], "schedulingGates": [{"name": "example.com/budget"}]}}
    job = await stage.job("gates", template=template)
    stage.pods.create(job, 1)
    stage.pods.ungate(job, 1, "boston")

    async def opened() -> bool:
        (pod,) = await stage.of(job, 1)
        return gates(pod) == ["example.com/budget"]

    await stage.until(opened, "only our own gate is lifted")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            {
                "containerStatuses": [
                    {
                        "name": "main",
                        "image": "program:1",
                        "imageID": "",
                        "ready": False,
                        "restartCount": 0,
                        "state": {
                            "terminated": {
                                "exitCode": 137,
                                "reason": "OOMKilled",
                                "message": "a\nout of memory\n",
                            }
                        },
                    }
                ]
            },
            "has failed: container main ended with exit code 137 (OOMKilled): out of memory",
        ),
        (
            {"reason": "Evicted", "message": "The node was low on resource: memory."},
            "has failed: Evicted: The node was low on resource: memory.",
        ),
        (
            {"conditions": [PREEMPTED]},
            "was preempted: for a higher one",
        ),
    ],
    ids=["out-of-memory", "evicted", "preempted"],
)
async def test_a_failure_is_told_in_words_and_the_next_round_is_another_pod(
    stage: Stage, status: dict[str, Any], words: str, request: pytest.FixtureRequest
) -> None:
    job = await stage.job(f"fails-{request.node.callspec.id}")
    stage.pods.create(job, 1)
    stage.pods.ungate(job, 1, "boston")
    (first,) = await stage.of(job, 1)
    await stage.says(first, phase="Failed", **status)
    end = await stage.end(job)
    assert not end.succeeded
    assert end.message == f"the pod {name(first)} {words}"

    stage.pods.create(job, 2)
    pods = await stage.of(job, 2)  # the failed one is kept for its log
    (second,) = (pod for pod in pods if name(pod) != name(first))
    assert gates(second) == ["qsched.io/quantum"]
    assert len(stage.ends(job)) == 1


async def test_a_pod_that_is_evicted_counts_at_once_though_its_node_is_out_of_reach(stage: Stage) -> None:
    job = await stage.job("evicted")
    stage.pods.create(job, 1)
    stage.pods.ungate(job, 1, "boston")
    (pod,) = await stage.of(job, 1)

    async def opened() -> bool:
        now = await stage.read(name(pod))
        return now is not None and not gates(now)

    await stage.until(opened, "the gate is lifted")
    await stage.bind(pod)
    await stage.says(pod, phase="Running")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name(pod)}}
    await stage.admin.create(f"{stage.path(name(pod))}/eviction", eviction)
    assert "was evicted: Eviction API: evicting" in (await stage.end(job)).message
    assert await stage.read(name(pod)) is not None


async def test_a_set_ends_with_all_of_its_pods_or_with_the_first_that_fails(stage: Stage) -> None:
    job = await stage.job("set", completions=3)
    stage.pods.create(job, 1)
    pods = await stage.of(job, 3)
    indices = {
        env["value"]
        for pod in pods
        for env in pod["spec"]["containers"][0]["env"]
        if env["name"] == "QSCHED_INDEX"
    }
    assert indices == {"0", "1", "2"}
    await stage.says(pods[0], phase="Succeeded")
    await stage.says(pods[2], phase="Succeeded")
    await stage.quiet()
    assert not stage.ends(job)
    await stage.says(pods[1], phase="Failed", reason="NodeShutdown")
    assert "NodeShutdown" in (await stage.end(job)).message

    stage.pods.create(job, 2)
    second = [pod for pod in await stage.of(job, 6) if name(pod) not in map(name, pods)]
    for pod in second:
        await stage.says(pod, phase="Succeeded")
    assert (await stage.end(job, 2)).message == "all 3 pods have succeeded"


async def test_the_rest_of_a_failed_set_is_deleted_when_the_next_round_begins(stage: Stage) -> None:
    job = await stage.job("rest", completions=2)
    stage.pods.create(job, 1)
    failed, rest = await stage.of(job, 2)
    await stage.says(failed, phase="Failed")
    await stage.end(job)
    stage.pods.create(job, 2)
    pods = await stage.of(job, 3)
    assert name(failed) in map(name, pods)
    assert name(rest) not in map(name, pods)


async def test_deleted_pods_are_gone_and_nobody_is_told(stage: Stage) -> None:
    job = await stage.job("suspended")
    stage.pods.create(job, 1)
    await stage.of(job, 1)
    stage.pods.delete(job, 1)
    await stage.of(job, 0)
    await stage.quiet()
    assert not stage.ends(job)
    stage.pods.create(job, 2)
    await stage.of(job, 1)


async def test_a_pod_that_somebody_deletes_has_failed(stage: Stage) -> None:
    job = await stage.job("deleted")
    stage.pods.create(job, 1)
    (pod,) = await stage.of(job, 1)
    await stage.admin.delete(stage.path(name(pod)))
    end = await stage.end(job)
    assert (end.succeeded, end.message) == (False, f"the pod {name(pod)} was deleted")


async def test_a_preempted_pod_that_never_ran_says_so(stage: Stage) -> None:
    job = await stage.job("preempted")
    stage.pods.create(job, 1)
    (pod,) = await stage.of(job, 1)
    await stage.says(pod, conditions=[PREEMPTED])
    await stage.admin.delete(stage.path(name(pod)))
    assert (await stage.end(job)).message == f"the pod {name(pod)} was preempted: for a higher one"


async def test_the_next_controller_goes_on_with_the_pods_that_are_there(
    stage: Stage, cluster: Cluster
) -> None:
    done, open_, ended = [await stage.job(each) for each in ("done", "open", "ended")]
    for job in (done, open_, ended):
        stage.pods.create(job, 1)
        await stage.of(job, 1)
    stage.leads = False
    (pod,) = await stage.of(done, 1)
    await stage.says(pod, phase="Succeeded")
    await stage.end(done)
    orphan = ended.metadata.uid or ""
    later = Stage(stage.namespace, stage.admin, stage.controller, ended={orphan})
    async with running(later):
        for job in (done, open_):
            later.pods.create(job, 1)
            later.pods.create(job, 1)
        assert (await later.end(done)).succeeded
        await later.of(
            ended, 0
        )  # its job had ended, and the first controller died before it could delete them
        await later.of(open_, 1)
    assert len(later.events) == 1


async def test_who_does_not_lead_writes_nothing(stage: Stage) -> None:
    job = await stage.job("follower")
    stage.leads = False
    stage.pods.create(job, 1)
    other = Stage(stage.namespace, stage.admin, stage.controller, ended={job.metadata.uid or ""})
    async with running(other):
        await other.quiet()
    await stage.of(job, 0)
    stage.leads = True
    await stage.of(job, 1)


async def test_a_used_up_quota_is_waited_for_and_the_job_says_so(stage: Stage) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/pods": "0"}},
        "status": {"hard": {"count/pods": "0"}, "used": {"count/pods": "0"}},
    }
    path = f"/api/v1/namespaces/{stage.namespace}/resourcequotas"
    await stage.admin.create(path, quota)
    await stage.admin.merge(f"{path}/none/status", {"status": quota["status"]})
    job = await stage.job("quota")
    stage.pods.create(job, 1)
    assert "exceeded quota: none" in await stage.warned("QuantumCircuitJob", "quota")
    await stage.admin.delete(f"{path}/none")
    await stage.of(job, 1)
    assert len(await stage.warnings("QuantumCircuitJob", "quota")) == 1
    assert not stage.events


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"spec": {"containers": [{"name": "main"}]}}, "spec.containers[0].image: Required value"),
        (
            {"spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Always"}},
            "no pod ends",
        ),
        (
            {"spec": {"containers": [{"name": "main", "image": "x", "env": "DEBUG=1"}]}},
            "spec.classical.template: is not a pod template: Expected `array | null`, got `str`",
        ),
    ],
    ids=["no-image", "always", "no-list"],
)
async def test_a_template_that_makes_no_pod_fails_the_job_with_words(
    stage: Stage, template: dict[str, Any], words: str, request: pytest.FixtureRequest
) -> None:
    job = await stage.job(f"bad-{request.node.callspec.id}", template=template)
    stage.pods.create(job, 1)
    end = await stage.end(job)
    assert not end.succeeded
    assert words in end.message
    (event,) = (event for uid, event in stage.events if isinstance(event, Unplaceable))
    assert event.permanent
    assert words in event.message


async def test_a_template_may_name_another_scheduler(stage: Stage) -> None:
    template = {"spec": {**TEMPLATE["spec"], "schedulerName": "volcano"}}
    job = await stage.job("volcano", template=template)
    stage.pods.create(job, 1)
    (pod,) = await stage.of(job, 1)
    assert gates(pod) == ["qsched.io/quantum"]
    await stage.says(pod, phase="Succeeded")
    assert (await stage.end(job)).succeeded


def brought(pod: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, **metadata},
        "spec": {
            **TEMPLATE["spec"],
            "schedulerName": "qsched-scheduler",
            "schedulingGates": [{"name": "qsched.io/quantum"}],
        },
    }


async def phase(stage: Stage, job: QuantumCircuitJob, phase: str, **status: Any) -> None:
    path = f"{job_path(stage.namespace, job.metadata.name)}/status"
    await stage.admin.merge(path, {"status": {"phase": phase, **status}})


async def test_a_pod_that_its_user_brings_starts_with_the_jobs_slot(stage: Stage) -> None:
    await stage.admin.create(stage.path(), brought("mine", annotations={"qsched.io/job": "later"}))
    assert "waits for the QuantumCircuitJob later" in await stage.warned("Pod", "mine")
    job = await stage.job("later", hybrid=False)
    assert stage.pods.claims(job)
    weights = {"fidelity": 1, "wait": 0, "coherence": 0, "cost": 0}
    placement = {
        "backend": "boston",
        "score": 1,
        "breakdown": {"fidelity": 1, "wait": 1, "coherence": 1, "cost": 1, "weights": weights},
        "estimate": {
            "success": 1,
            "runSeconds": 1,
            "waitSeconds": 1,
            "waitP90Seconds": 1,
            "criticalPathSeconds": 1,
        },
    }
    await phase(stage, job, "Placed", placement=placement)
    await stage.quiet()
    assert gates(await stage.read("mine") or {}) == ["qsched.io/quantum"]
    await phase(stage, job, "Submitting", placement=placement)

    async def opened() -> bool:
        now = await stage.read("mine") or {}
        return not gates(now) and now["metadata"]["annotations"].get("qsched.io/backend") == "boston"

    await stage.until(opened, "the gate is lifted")
    await stage.says({"metadata": {"name": "mine"}}, phase="Failed")
    await stage.quiet()
    assert not stage.events  # it does not decide the job's end


async def test_a_brought_pod_may_start_a_little_before(stage: Stage) -> None:
    job = await stage.job("early", hybrid=False)
    assert not stage.pods.claims(job)
    await stage.admin.create(stage.path(), brought("mine", annotations={"qsched.io/job": "early"}))

    async def claimed() -> bool:
        return stage.pods.claims(job)

    await stage.until(claimed, "the pod is known")
    stage.pods.ungate(job, 1, "fez")

    async def opened() -> bool:
        return not gates(await stage.read("mine") or {})

    await stage.until(opened, "the gate is lifted")
    await stage.quiet()
    assert not stage.pods.claims(job)


async def test_a_pod_of_a_failed_job_stays_and_says_why(stage: Stage) -> None:
    job = await stage.job("failed", hybrid=False)
    await phase(stage, job, "Failed")
    await stage.admin.create(stage.path(), brought("mine", annotations={"qsched.io/job": "failed"}))
    assert "its job failed has ended without a result" in await stage.warned("Pod", "mine")
    assert gates(await stage.read("mine") or {}) == ["qsched.io/quantum"]


async def test_of_two_jobs_that_claim_a_pod_the_owner_wins(stage: Stage) -> None:
    owner = await stage.job("owner")
    other = await stage.job("other", hybrid=False)
    stage.pods.create(owner, 1)
    (pod,) = await stage.of(owner, 1)
    await stage.admin.merge(stage.path(name(pod)), {"metadata": {"annotations": {"qsched.io/job": "other"}}})
    assert "belongs to the job owner" in await stage.warned("Pod", name(pod))
    assert not stage.pods.claims(other)
    stage.pods.ungate(owner, 1, "boston")

    async def opened() -> bool:
        return not gates(await stage.read(name(pod)) or {})

    await stage.until(opened, "the gate is lifted for the owner")


async def test_a_pod_that_asks_for_a_qpu_without_a_job_is_told_what_to_do_once(stage: Stage) -> None:
    pod = brought("jobless")
    pod["spec"]["containers"] = [
        {
            "name": "main",
            "image": "x",
            "resources": {"requests": {"qsched.io/qpu": "1"}, "limits": {"qsched.io/qpu": "1"}},
        }
    ]
    await stage.admin.create(stage.path(), pod)
    assert "annotate it with qsched.io/job" in await stage.warned("Pod", "jobless")
    await stage.admin.merge(stage.path("jobless"), {"metadata": {"labels": {"touched": "yes"}}})
    await stage.quiet()
    assert len(await stage.warnings("Pod", "jobless")) == 1
