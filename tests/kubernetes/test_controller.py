"""What users ask of jobs on a cluster, through kubectl, of a controller with the chart's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qsched.drivers.fake import FakeDriver
from tests.kubernetes.controllers import (
    ACCOUNT,
    BELL,
    apply,
    backend,
    condition,
    eventually,
    get,
    job,
    on,
    online,
    phase,
    start_controller,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.rig import Cluster

SLOW = {"devices": [{"name": "slow", "runSeconds": 600}]}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The memory of the fake provider behind the backend ``slow``."""
    return tmp_path_factory.mktemp("provider") / "provider.db"


@pytest.fixture(scope="module")
def cluster(start_cluster: Any, provider: Path) -> Cluster:
    cluster = start_cluster(controllers=True)
    cluster.install_crds()
    cluster.install_chart()
    apply(
        cluster,
        backend("quick", maxInFlight=50),
        backend("slow", maxInFlight=50, parameters={**SLOW, "path": str(provider)}),
        backend("failing", parameters={"taskFailure": 1.0}),
        backend("nowhere", driver="nosuch"),
    )
    start_controller(cluster)
    online(cluster, "quick")
    online(cluster, "slow")
    return cluster


def events(cluster: Cluster, name: str) -> list[str]:
    """The reasons of a job's Events."""
    done = cluster.kubectl(
        "get",
        "events",
        "--field-selector",
        f"involvedObject.name={name}",
        "-o",
        "jsonpath={.items[*].reason}",
    )
    return done.stdout.split()


def test_a_job_completes_with_its_result_after_at_most_three_status_writes(cluster: Cluster) -> None:
    apply(cluster, job("bell", requirements=on("quick")))
    cluster.kubectl("wait", "qcj/bell", "--for=condition=Complete", "--timeout=60s")
    found = get(cluster, "qcj", "bell")
    assert found is not None
    status = found["status"]
    assert status["result"]["circuits"][0]["counts"] == {"00": 50, "11": 50}
    assert status["result"]["backend"] == status["placement"]["backend"] == "quick"
    assert status["observedGeneration"] == found["metadata"]["generation"]
    assert [each["state"] for each in status["attempts"]] == ["Succeeded"]
    assert condition(found, "Scheduled")["status"] == "True"
    writes = [
        each
        for each in cluster.audit()
        if (each.resource, each.subresource, each.name) == ("quantumcircuitjobs", "status", "bell")
    ]
    assert 1 <= len(writes) <= 3
    assert {each.user for each in writes} == {f"system:serviceaccount:{ACCOUNT}"}
    eventually(lambda: set(events(cluster, "bell")) >= {"Scheduled", "Dispatched", "Completed"})


def test_kubectl_get_shows_backend_phase_score_and_age(cluster: Cluster) -> None:
    apply(cluster, job("shown", requirements=on("quick")))
    phase(cluster, "shown", "Complete")
    head, row = cluster.kubectl("get", "qcj", "shown").stdout.splitlines()
    assert head.split() == ["NAME", "BACKEND", "PHASE", "SCORE", "AGE"]
    assert row.split()[:3] == ["shown", "quick", "Complete"]


def test_a_suspended_job_waits_until_it_is_resumed(cluster: Cluster) -> None:
    apply(cluster, job("held", suspend=True, requirements=on("quick")))
    assert condition(phase(cluster, "held", "Suspended"), "Suspended")["status"] == "True"
    cluster.kubectl("patch", "qcj", "held", "--type=merge", "-p", '{"spec": {"suspend": false}}')
    found = phase(cluster, "held", "Complete")
    assert condition(found, "Suspended") == {}


def test_a_running_job_that_is_suspended_is_cancelled_at_its_provider(
    cluster: Cluster, provider: Path
) -> None:
    apply(cluster, job("paused", requirements=on("slow")))
    phase(cluster, "paused", "Running")
    cluster.kubectl("patch", "qcj", "paused", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    found = phase(cluster, "paused", "Suspended")
    assert found["status"]["attempts"][0]["state"] == "Cancelled"
    cluster.kubectl("delete", "qcj", "paused", "--timeout=30s")


async def test_a_deleted_job_is_cancelled_at_its_provider_before_it_goes(
    cluster: Cluster, provider: Path
) -> None:
    apply(cluster, job("unwanted", requirements=on("slow")))
    remote = phase(cluster, "unwanted", "Running")["status"]["attempts"][0]["remoteId"]
    cluster.kubectl("delete", "qcj", "unwanted", "--timeout=30s")
    assert get(cluster, "qcj", "unwanted") is None
    fake = FakeDriver({"path": str(provider)})
    try:
        assert [each.state for each in await fake.poll([remote])] == ["Cancelled"]
    finally:
        await fake.aclose()


def test_a_job_that_goes_on_failing_fails_after_its_backoff_limit(cluster: Cluster) -> None:
    apply(cluster, job("hopeless", backoffLimit=1, requirements=on("failing")))
    found = phase(cluster, "hopeless", "Failed")
    assert condition(found, "Failed")["reason"] == "BackoffLimitExceeded"
    assert len(found["status"]["attempts"]) == 2


def test_a_job_ends_at_its_active_deadline(cluster: Cluster) -> None:
    apply(cluster, job("late", activeDeadlineSeconds=2, requirements=on("slow")))
    assert condition(phase(cluster, "late", "Failed"), "Failed")["reason"] == "DeadlineExceeded"


def test_a_finished_job_is_removed_after_its_time_to_live(cluster: Cluster) -> None:
    apply(cluster, job("brief", ttlSecondsAfterFinished=0, requirements=on("quick")))
    eventually(lambda: get(cluster, "qcj", "brief") is None, what="brief is removed")


def test_a_job_of_another_controller_is_left_alone(cluster: Cluster) -> None:
    apply(cluster, job("theirs", managedBy="example.com/theirs"), job("ours", requirements=on("quick")))
    phase(cluster, "ours", "Complete")
    found = get(cluster, "qcj", "theirs")
    assert found is not None
    assert "status" not in found
    cluster.kubectl("delete", "qcj", "theirs", "--timeout=10s")


def test_a_config_map_that_is_missing_is_waited_for(cluster: Cluster) -> None:
    source = {"name": "bell", "configMapRef": {"name": "circuits", "key": "bell.qasm"}}
    apply(cluster, job("waiting", circuits=[source], requirements=on("quick")))

    def reason() -> dict[str, Any] | None:
        found = condition(get(cluster, "qcj", "waiting"), "Scheduled")
        return found if found.get("reason") == "WaitingForCircuit" else None

    assert "circuits" in eventually(reason)["message"]
    cluster.kubectl("create", "configmap", "circuits", f"--from-literal=bell.qasm={BELL}")
    phase(cluster, "waiting", "Complete")


def test_a_job_may_not_have_the_controller_read_or_write_its_own_files(cluster: Cluster) -> None:
    stolen = {"name": "a", "uri": "file:///var/run/secrets/token"}
    apply(cluster, job("thief", circuits=[stolen], result={"uri": "file:///etc/cron.d"}))
    accepted = condition(phase(cluster, "thief", "Failed"), "Accepted")
    assert accepted["status"] == "False"
    assert "spec.circuits[0].uri" in accepted["message"]
    assert "spec.result.uri" in accepted["message"]


def test_a_backend_with_an_unknown_driver_says_so_and_the_others_work_on(cluster: Cluster) -> None:
    found = online(cluster, "nowhere", "False")
    assert "no installed package offers a driver 'nosuch'" in found["message"]


def test_credentials_come_from_a_secret_and_go_with_it(cluster: Cluster) -> None:
    apply(
        cluster,
        backend("locked", parameters={"key": "s3cret"}, credentialsSecretRef={"name": "provider-key"}),
    )
    missing = online(cluster, "locked", "False")
    assert missing["reason"] == "SecretMissing"
    assert "provider-key" in missing["message"]
    secret = ("secret", "generic", "provider-key", "-n", "qsched-system")
    cluster.kubectl("create", *secret, "--from-literal=key=s3cret")
    online(cluster, "locked")
    apply(cluster, job("unlocked", requirements=on("locked")))
    phase(cluster, "unlocked", "Complete")
    cluster.kubectl("delete", "secret", "provider-key", "-n", "qsched-system")
    assert online(cluster, "locked", "False")["reason"] == "SecretMissing"
    log = (cluster.folder / "logs" / "controller.log").read_text()
    assert "s3cret" not in log.replace('"key": "s3cret"', "")


def test_a_backend_that_is_deleted_keeps_its_tasks_and_gets_no_more(cluster: Cluster) -> None:
    devices = {"devices": [{"name": "leaving", "runSeconds": 6}]}
    apply(cluster, backend("leaving", parameters=devices))
    online(cluster, "leaving")
    apply(
        cluster, job("stays", requirements=on("leaving")), job("moves", requirements=on("leaving", "quick"))
    )
    phase(cluster, "stays", "Running")
    cluster.kubectl("delete", "qb", "leaving")
    assert phase(cluster, "stays", "Complete")["status"]["result"]["backend"] == "leaving"
    phase(cluster, "moves", "Complete")


def test_a_quota_bounds_the_jobs_of_a_namespace(cluster: Cluster) -> None:
    cluster.create_namespace("bounded")
    quota = {"hard": {"count/quantumcircuitjobs.qsched.io": "1"}}
    meta = {"name": "jobs", "namespace": "bounded"}
    apply(cluster, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": quota})
    eventually(lambda: (get(cluster, "quota", "jobs", "bounded") or {}).get("status", {}).get("hard"))
    apply(cluster, job("first", namespace="bounded", requirements=on("quick")))
    with pytest.raises(Exception, match="exceeded quota"):
        apply(cluster, job("second", namespace="bounded", requirements=on("quick")))
    phase(cluster, "first", "Complete", "bounded")


def test_a_namespace_that_is_terminated_takes_its_jobs_along(cluster: Cluster) -> None:
    cluster.create_namespace("doomed")
    apply(cluster, job("inside", namespace="doomed", requirements=on("slow")))
    phase(cluster, "inside", "Running", "doomed")
    cluster.kubectl("delete", "namespace", "doomed", "--timeout=60s")
    assert get(cluster, "namespace", "doomed") is None


def test_a_job_is_cancelled_by_annotation(cluster: Cluster) -> None:
    apply(cluster, job("cancelled", requirements=on("slow")))
    phase(cluster, "cancelled", "Running")
    cluster.kubectl("annotate", "qcj", "cancelled", "qsched.io/cancel=true")
    assert condition(phase(cluster, "cancelled", "Cancelled"), "Failed")["reason"] == "Cancelled"
