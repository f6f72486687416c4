"""The pods of hybrid jobs on a real API server; what kubelets and schedulers do to them, the tests write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qsched.lifecycle.types import PodsEnded, Unplaceable
from tests.kubernetes.hybrid_stage import TEMPLATE, Stage, gates, name, running, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.kubernetes.rig import Cluster

PREEMPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "PreemptionByScheduler",
    "message": "for a higher one",
}


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.install_chart()
    return cluster


@pytest.fixture
async def stage(cluster: Cluster) -> AsyncIterator[Stage]:
    async with staged(cluster) as stage:
        yield stage


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


async def test_a_pod_that_its_node_does_not_take_is_made_again_and_costs_nothing(stage: Stage) -> None:
    job = await stage.job("turned-away")
    stage.pods.create(job, 1)
    stage.pods.ungate(job, 1, "boston")
    (first,) = await stage.of(job, 1)
    await stage.says(
        first, phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"
    )

    async def replaced() -> bool:
        now = await stage.read(name(first))
        return now is not None and now["metadata"]["uid"] != first["metadata"]["uid"] and not gates(now)

    await stage.until(replaced, "another pod is there, its gate lifted")
    assert not stage.ends(job)


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
