"""Pods that users bring to their jobs, or forget to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qsched.kube.objects import job_path
from tests.kubernetes.hybrid_stage import TEMPLATE, Stage, gates, name, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qsched.api.job import QuantumCircuitJob
    from tests.kubernetes.rig import Cluster


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.install_chart()
    return cluster


@pytest.fixture
async def stage(cluster: Cluster) -> AsyncIterator[Stage]:
    async with staged(cluster) as stage:
        yield stage


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
