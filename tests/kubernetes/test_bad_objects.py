"""Objects that nobody should have made so, and what becomes of them and of the others."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import pytest

from qsched.drivers.fake_records import Records
from qsched.kube.status import encode_lifecycle
from qsched.lifecycle.backoff import MAX_ATTEMPTS, token_of
from qsched.lifecycle.state import Attempt, Policy, State
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
)
from tests.kubernetes.rig.proxy import FaultProxy, Faults
from tests.kubernetes.watched import Controllers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kubernetes.rig import Cluster

PATH = "/apis/qsched.io/v1alpha1/namespaces/default/quantumcircuitjobs"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider") / "provider.db"


@pytest.fixture(scope="module")
def cluster(start_cluster: Any, provider: Path) -> Cluster:
    cluster = start_cluster()
    cluster.install_crds()
    cluster.install_chart()

    def declare(name: str, slots: int, *, latency_s: float = 0.0, **device: float) -> None:
        devices = [{"name": name, **device}]
        parameters = {"path": str(provider), "devices": devices, "latencySeconds": latency_s}
        apply(cluster, backend(name, maxInFlight=slots, parameters=parameters))

    declare("quick", 50)
    declare("slow", 50, runSeconds=600)
    declare("queueing", 50, waitSeconds=600)
    declare("full", 1, runSeconds=600)
    declare("lagging", 50, latency_s=3.0, runSeconds=600)
    declare("doomed", 50, runSeconds=600)
    return cluster


@pytest.fixture
def controllers(cluster: Cluster, tmp_path: Path) -> Iterator[Controllers]:
    controllers = Controllers(cluster, tmp_path)
    controllers.start()
    yield controllers
    controllers.end()


def create(cluster: Cluster, *jobs: dict[str, Any]) -> None:
    """Create jobs that are too large for ``kubectl apply``, which copies them into an annotation."""
    with cluster.https() as api:
        for each in jobs:
            api.send("POST", PATH, each)


def set_lifecycle(cluster: Cluster, name: str, lifecycle: str | None) -> None:
    """What a careless administrator does to a status."""
    kind = "application/merge-patch+json"
    with cluster.https() as api:
        api.send("PATCH", f"{PATH}/{name}/status", {"status": {"lifecycle": lifecycle}}, kind=kind)


def state_at(provider: Path, status: dict[str, Any]) -> str:
    """The state at the provider of a job's newest task."""
    record = Records(str(provider)).get(status["attempts"][-1]["remoteId"])
    assert record is not None
    return record.state(time.time())


def test_a_lifecycle_that_somebody_edited_is_left_alone_and_the_others_work_on(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    names = ("garbled", "emptied", "copied")
    apply(cluster, *(job(name, requirements=on("slow")) for name in names))
    lifecycles = [phase(cluster, name, "Running")["status"]["lifecycle"] for name in names]
    controllers.stop()
    set_lifecycle(cluster, "garbled", "not what it was")
    set_lifecycle(cluster, "emptied", None)
    set_lifecycle(cluster, "copied", lifecycles[0])
    before = [copy.deepcopy(get(cluster, "qcj", name)) for name in names]
    submissions = len(Records(str(provider)).submissions())
    controllers.start()
    apply(cluster, job("other", requirements=on("quick")))
    phase(cluster, "other", "Complete")
    assert [get(cluster, "qcj", name) for name in names] == before
    assert len(Records(str(provider)).submissions()) == submissions + 1
    cluster.kubectl("delete", "qcj", *names, "--timeout=30s")
    controllers.end(expected="a job's lifecycle cannot be read; it is left alone")


def test_a_job_that_is_not_valid_any_more_fails_and_its_task_is_cancelled(
    cluster: Cluster, provider: Path, controllers: Controllers, tmp_path: Path
) -> None:
    controllers.stop()
    controllers.start("--uri-schemes", "file")
    result = {"uri": f"file://{tmp_path}/results"}
    source = {"name": "bell", "configMapRef": {"name": "missing", "key": "bell.qasm"}}
    apply(
        cluster,
        job("running", requirements=on("slow"), result=result),
        job("waiting", circuits=[source], result=result),
    )
    running = phase(cluster, "running", "Running")
    phase(cluster, "waiting", "Pending")
    controllers.stop()
    controllers.start()
    failed = condition(phase(cluster, "running", "Failed"), "Failed")
    assert failed["reason"] == "Invalid"
    assert "spec.result.uri" in failed["message"]
    assert state_at(provider, running["status"]) == "Cancelled"
    accepted = condition(phase(cluster, "waiting", "Failed"), "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "Invalid")
    controllers.stop()
    controllers.start("--uri-schemes", "file")  # what was refused stays so, whatever is allowed later
    apply(cluster, job("next", requirements=on("quick")))
    phase(cluster, "next", "Complete")
    phase(cluster, "waiting", "Failed")
    cluster.kubectl("delete", "qcj", "running", "waiting", "--timeout=30s")


def test_large_circuits_many_circuits_and_long_names(cluster: Cluster, controllers: Controllers) -> None:
    def padded(size: int) -> list[dict[str, Any]]:
        return [{"name": "bell", "qasm": BELL + "\n// " + "x" * (size - len(BELL) - 4)}]

    large = job("large", circuits=padded(990_000), requirements=on("quick"))
    excessive = job("excessive", circuits=padded(1_000_000), requirements=on("quick"))
    circuits = [{"name": f"bell-{index}", "qasm": BELL} for index in range(300)]
    many = job("many", circuits=circuits, requirements=on("quick"))
    name = "x" * 253
    create(cluster, large, excessive, many, job(name, requirements=on("quick")))
    found = phase(cluster, "many", "Complete")
    assert [each["name"] for each in found["status"]["result"]["circuits"]] == [
        each["name"] for each in circuits
    ]
    assert all(each["counts"] == {"00": 50, "11": 50} for each in found["status"]["result"]["circuits"])
    phase(cluster, "large", "Complete")
    refused = condition(phase(cluster, "excessive", "Failed"), "Accepted")
    assert "ConfigMaps" in refused["message"]
    phase(cluster, name, "Complete")
    about = f"involvedObject.name={name}"
    eventually(lambda: "Completed" in cluster.kubectl("get", "events", f"--field-selector={about}").stdout)
    cluster.kubectl("delete", "qcj", "large", "excessive", "many", name, "--timeout=30s")


def test_a_job_can_be_deleted_in_each_phase(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    source = {"name": "bell", "configMapRef": {"name": "missing", "key": "bell.qasm"}}
    stolen = {"name": "bell", "uri": "file:///var/run/secrets/token"}
    online(cluster, "lagging")
    apply(cluster, job("ahead", requirements=on("full"), priority=10))
    phase(cluster, "ahead", "Running")
    jobs = {
        "Pending": job("pending", circuits=[source]),
        "Placed": job("placed", requirements=on("full")),
        "Queued": job("queued", requirements=on("queueing")),
        "Running": job("running", requirements=on("slow")),
        "Suspended": job("suspended", suspend=True, requirements=on("quick")),
        "Complete": job("complete", requirements=on("quick")),
        "Failed": job("failed", circuits=[stolen]),
        "Cancelled": job("cancelled", requirements=on("slow")),
        "Submitting": job("submitting", requirements=on("lagging")),
    }
    apply(cluster, *jobs.values())
    cluster.kubectl("annotate", "qcj", "cancelled", "qsched.io/cancel=true")
    phase(cluster, "submitting", "Submitting")
    cluster.kubectl("delete", "qcj", "submitting", "--wait=false")
    for wanted, each in jobs.items():
        if wanted not in {"Submitting", "Placed"}:
            phase(cluster, each["metadata"]["name"], wanted)
    assert (get(cluster, "qcj", "placed") or {}).get("status", {}).get("phase") in {None, "Pending", "Placed"}
    names = [each["metadata"]["name"] for each in jobs.values()]
    cluster.kubectl("delete", "qcj", "ahead", *names, "--ignore-not-found", "--timeout=60s")
    eventually(lambda: not alive(provider, {"ahead", *names}), what="no task of them lives")


def test_a_job_whose_finalizer_was_removed_by_hand_is_cancelled_all_the_same(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    apply(cluster, job("orphan", requirements=on("slow")))
    status = phase(cluster, "orphan", "Running")["status"]
    cluster.kubectl("patch", "qcj", "orphan", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    cluster.kubectl("delete", "qcj", "orphan", "--timeout=30s")
    eventually(lambda: state_at(provider, status) == "Cancelled")


def test_jobs_that_are_deleted_while_their_tokens_are_written_leave_nothing(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    controllers.stop()
    apply(cluster, job("warm-up", requirements=on("quick")))
    with FaultProxy(cluster, ACCOUNT, seed=20261121) as proxy:
        controllers.start(kubeconfig=proxy.kubeconfig)
        phase(cluster, "warm-up", "Complete")
        proxy.faults = Faults(delay_s=3.0)
        names = [f"brief-{index}" for index in range(60)]
        with cluster.https() as api:
            for name in names:
                api.send("POST", PATH, job(name, requirements=on("slow")))
            time.sleep(0.5)  # so that some are about to be submitted, and have no finalizer yet
            for name in names:
                api.send("DELETE", f"{PATH}/{name}")
        proxy.faults = Faults()
        eventually(lambda: "brief-" not in cluster.kubectl("get", "qcj", "-o", "name").stdout)
        eventually(lambda: not alive(provider, set(names)), what="no task of them lives")
        controllers.end()


def test_tasks_on_a_backend_that_was_deleted_while_no_controller_ran_are_lost(
    cluster: Cluster, controllers: Controllers
) -> None:
    apply(
        cluster,
        job("stranded", requirements=on("doomed")),
        job("rescued", requirements=on("doomed", "rescue")),
    )
    phase(cluster, "stranded", "Running")
    phase(cluster, "rescued", "Running")
    controllers.stop()
    cluster.kubectl("delete", "qb", "doomed")
    apply(cluster, backend("rescue"))
    controllers.start()
    rescued = phase(cluster, "rescued", "Complete")["status"]
    assert [each["state"] for each in rescued["attempts"]] == ["Failed", "Succeeded"]
    assert rescued["result"]["backend"] == "rescue"
    assert condition(phase(cluster, "stranded", "Pending"), "Scheduled")["status"] == "False"


def test_a_job_with_a_long_history_goes_on_and_its_status_stays_bounded(
    cluster: Cluster, controllers: Controllers
) -> None:
    apply(cluster, job("old", suspend=True, backoffLimit=100, requirements=on("quick")))
    uid = phase(cluster, "old", "Suspended")["metadata"]["uid"]
    controllers.stop()
    attempts = tuple(
        Attempt(
            number=number,
            token=token_of(uid, number),
            backend="quick",
            state="Failed",
            dispatched_at=1.7e9,
            remote_id="r" * 512,
            finished_at=1.7e9,
            reason="x" * 1024,
        )
        for number in range(1, MAX_ATTEMPTS)
    )
    state = State(
        uid=uid,
        policy=Policy(backoff_limit=100),
        created_at=1.7e9,
        since=1.7e9,
        active_since=1.7e9,
        reason="TaskFailed",
        attempts=attempts,
        failures=MAX_ATTEMPTS - 1,
    )
    set_lifecycle(cluster, "old", encode_lifecycle(state))
    cluster.kubectl("patch", "qcj", "old", "--type=merge", "-p", '{"spec": {"suspend": false}}')
    controllers.start()
    found = phase(cluster, "old", "Complete")
    assert [each["number"] for each in found["status"]["attempts"]] == list(range(1, MAX_ATTEMPTS + 1))


def alive(provider: Path, names: set[str]) -> list[str]:
    """Jobs of these whose tasks still wait or run at the provider."""
    records, now = Records(str(provider)), time.time()
    tasks = {each.tags["qsched-job"]: records.get(f"fake-{each.token}") for each in records.submissions()}
    live = {job for job, task in tasks.items() if task and task.state(now) in {"Queued", "Running"}}
    return [name for name in names if f"default/{name}" in live]
