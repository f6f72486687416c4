"""The SDK in a pod, on a real API server; what the controller would write, the tests write."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from qiskit import QuantumCircuit

from qsched.errors import AlreadyExists, InvalidInput, JobFailed, NotFound, StoreError
from qsched.sdk import Client
from qsched.sdk.cluster import ClusterClient
from qsched.sdk.cluster_pod import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kubernetes.rig import Cluster

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
PATIENCE_S = 20.0
JOBS = "/apis/qsched.io/v1alpha1/namespaces/{}/quantumcircuitjobs"
WEIGHTS = {"fidelity": 1, "wait": 0, "coherence": 0, "cost": 0}
FIGURES = {"success": 1, "runSeconds": 1, "waitSeconds": 1, "waitP90Seconds": 1, "criticalPathSeconds": 1}
AT = "2030-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.install_chart()
    return cluster


class Place:
    """A namespace with a hybrid job in it, and a folder as its pod would have one."""

    def __init__(self, cluster: Cluster, folder: Path, *, bound: bool = True) -> None:
        self.cluster = cluster
        self.namespace = f"sdk-{secrets.token_hex(3)}"
        self.folder = folder
        cluster.create_namespace(self.namespace)
        cluster.kubectl("create", "serviceaccount", "program", "-n", self.namespace)
        if bound:
            self.bind()
        token = cluster.kubectl("create", "token", "program", "-n", self.namespace).stdout.strip()
        (folder / "token").write_text(token)
        (folder / "namespace").write_text(self.namespace)
        (folder / "ca.crt").write_bytes(cluster.authority.certificate.read_bytes())
        self.parent = self.create("qaoa")
        self.says("qaoa", phase="Collecting", placement=placement("boston"))

    def bind(self) -> None:
        account = f"--serviceaccount={self.namespace}:program"
        role = ["rolebinding", "program-hybrid", "--clusterrole=qsched-hybrid", account]
        self.cluster.kubectl("create", *role, "-n", self.namespace)

    def environment(self, **more: str) -> dict[str, str]:
        host, _, port = self.cluster.url.removeprefix("https://").partition(":")
        return {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "QSCHED_JOB": "qaoa",
            "QSCHED_JOB_UID": self.parent,
            **more,
        }

    def client(self, **more: str) -> ClusterClient:
        return ClusterClient.in_pod(Surroundings.of(self.environment(**more), [self.folder]))

    def create(self, name: str) -> str:
        """Create a job as admin; its uid."""
        spec = {"circuits": [{"name": "bell", "qasm": BELL}], "priority": 7}
        body = {
            "apiVersion": "qsched.io/v1alpha1",
            "kind": "QuantumCircuitJob",
            "metadata": {"name": name},
            "spec": spec,
        }
        with self.cluster.https() as api:
            return str(api.send("POST", JOBS.format(self.namespace), body)["metadata"]["uid"])

    def says(self, name: str, **status: Any) -> None:
        """Write a job's status, as the controller does."""
        path = f"{JOBS.format(self.namespace)}/{name}/status"
        with self.cluster.https() as api:
            api.send("PATCH", path, {"status": status}, kind="application/merge-patch+json")

    def read(self, name: str) -> dict[str, Any]:
        with self.cluster.https() as api:
            return dict(api.send("GET", f"{JOBS.format(self.namespace)}/{name}"))

    def names(self) -> set[str]:
        with self.cluster.https() as api:
            items = api.send("GET", JOBS.format(self.namespace))["items"]
        return {each["metadata"]["name"] for each in items} - {"qaoa"}

    def completes(self, name: str, **result: Any) -> None:
        result = {
            "backend": "boston",
            "driver": "fake",
            "remoteId": "task-1",
            "qschedVersion": "0.4.0",
            "simulated": False,
            "circuits": [
                {"name": "circuit", "counts": {"00": 51, "11": 49}, "shots": 100, "transpiledHash": "abc"}
            ],
            **result,
        }
        self.says(name, phase="Complete", conditions=[condition("Complete")], result=result, finishedAt=AT)


def placement(backend: str) -> dict[str, Any]:
    breakdown = {"fidelity": 1, "wait": 1, "coherence": 1, "cost": 1, "weights": WEIGHTS}
    return {"backend": backend, "score": 1, "breakdown": breakdown, "estimate": FIGURES}


def condition(kind: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": kind, "message": message, "lastTransitionTime": AT}


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Place:
    return Place(cluster, tmp_path)


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)
    return found


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def test_a_circuit_becomes_a_child_on_the_reserved_backend_and_its_result_comes_back(place: Place) -> None:
    with place.client() as client:
        assert client.backend == "boston"
        job = client.submit(bell(), shots=100)
        made = place.read(job.name)
        assert job.name.startswith("qaoa-")
        assert made["metadata"]["uid"] == job.uid
        assert made["metadata"]["ownerReferences"][0]["uid"] == place.parent
        assert made["metadata"]["annotations"] == {"qsched.io/session": place.parent}
        assert made["spec"]["requirements"]["backends"] == ["boston"]
        assert made["spec"]["priority"] == 7
        assert "OPENQASM" in made["spec"]["circuits"][0]["qasm"]
        assert job.status().phase == "Pending"
        place.completes(job.name)
        result = job.result(timeout_s=PATIENCE_S)
        assert result.circuits[0].counts == {"00": 51, "11": 49}
        assert job.status().result == result
        assert [line[1] for line in job.history()] == ["Complete"]


def test_following_jobs_costs_one_watch_and_no_polling(place: Place) -> None:
    with place.client() as client:
        jobs = [client.submit(bell()) for _ in range(3)]
        waiting = [threading.Thread(target=job.result, args=(PATIENCE_S,)) for job in jobs]
        for thread in waiting:
            thread.start()
        for job in jobs:
            until(lambda job=job: job.status().phase == "Pending", "it is seen")
            place.completes(job.name)
        for thread in waiting:
            thread.join()
        asked = [entry for entry in place.cluster.audit() if entry.namespace == place.namespace]
        reads = [entry for entry in asked if entry.verb == "get" and entry.name in {job.name for job in jobs}]
        assert [entry for entry in reads if "qsched-sdk" in entry.user_agent] == []


def test_the_backend_is_the_one_on_which_the_job_is_now(place: Place) -> None:
    with place.client(QSCHED_BACKEND="boston") as client:
        attempt = {"number": 1, "token": "t", "backend": "fez", "state": "Running"}
        place.says("qaoa", attempts=[attempt])
        job = client.submit(BELL)
        assert place.read(job.name)["spec"]["requirements"]["backends"] == ["fez"]
        own = client.submit(BELL, requirements={"backends": ["kyiv"]}, priority=1)
        made = place.read(own.name)["spec"]
        assert (made["requirements"]["backends"], made["priority"]) == (["kyiv"], 1)


def test_a_job_that_fails_raises_and_one_that_is_cancelled_or_deleted_is(place: Place) -> None:
    with place.client() as client:
        job = client.submit(BELL)
        place.says(job.name, phase="Failed", conditions=[condition("Failed", "the coupler is broken")])
        with pytest.raises(JobFailed, match="Failed: the coupler is broken"):
            job.result(timeout_s=PATIENCE_S)
        other = client.submit(BELL)
        other.cancel()
        assert place.read(other.name)["metadata"]["annotations"]["qsched.io/cancel"] == "true"
        other.delete()
        until(lambda: not other.exists(), "it is gone")
        with pytest.raises(NotFound, match="was deleted"):
            other.result(timeout_s=PATIENCE_S)


def test_an_earlier_job_is_found_by_its_name(place: Place) -> None:
    with place.client() as client:
        found = client.job("qaoa")
        assert found.status().phase == "Collecting"
        assert found.uid == place.parent
        with pytest.raises(NotFound, match="no-such"):
            client.job("no-such")


def test_of_several_jobs_all_are_submitted_or_none(place: Place) -> None:
    with place.client() as client:
        first, second = (client.submit(BELL, name=name).manifest() for name in ("taken-1", "free-1"))
        client.job("free-1").delete()
        until(lambda: place.names() == {"taken-1"}, "it is gone")
        fresh = [second, first]
        with pytest.raises(AlreadyExists, match="taken-1"):
            client.submit_all(fresh)
        until(lambda: place.names() == {"taken-1"}, "the other one is deleted again")


@pytest.mark.parametrize(
    ("work", "options", "words"),
    [
        (
            "OPENQASM 2.0;" + "x" * 1_000_000,
            {},
            r"circuits\[0\].qasm: has 1000013 characters; the limit is",
        ),
        ([BELL + " " * 900_000, BELL + " " * 900_000], {}, "bytes, and a cluster takes 1,400,000"),
        (BELL, {"shots": 0}, "spec.shots"),
        (BELL, {"requirements": {"complete_by": "2020-01-01T00:00:00Z"}}, "has passed"),
    ],
    ids=["long", "heavy", "shots", "late"],
)
def test_what_can_never_work_is_refused_in_words(
    place: Place, work: Any, options: dict[str, Any], words: str
) -> None:
    with place.client() as client, pytest.raises(InvalidInput, match=words):
        client.submit(work, **options)
    assert not place.names()


def test_a_missing_role_binding_is_named(cluster: Cluster, tmp_path: Path) -> None:
    place = Place(cluster, tmp_path, bound=False)
    with pytest.raises(StoreError) as caught:
        place.client()
    command = str(caught.value).rpartition("allow it: kubectl ")[2].split()
    cluster.kubectl(*command)
    with place.client() as client:
        assert client.backend == "boston"


def test_the_job_of_the_pod_must_be_there_and_not_over(place: Place) -> None:
    with pytest.raises(NotFound, match="another one has its name"):
        place.client(QSCHED_JOB_UID="another")
    with pytest.raises(NotFound, match="no-such"):
        place.client(QSCHED_JOB="no-such")
    with place.client() as client:
        place.says("qaoa", phase="Failed", conditions=[condition("Failed", "backoffLimit")])
        with pytest.raises(JobFailed, match="of this pod is Failed: backoffLimit"):
            client.submit(BELL)


def test_a_laptop_reaches_the_cluster_by_its_kubeconfig(place: Place) -> None:
    with Client.cluster(place.cluster.kubeconfig(), namespace=place.namespace) as client:
        job = client.submit(bell(), name="from-a-laptop", objective="fidelity")
        assert place.read("from-a-laptop")["spec"]["objective"] == "fidelity"
        assert client.backends() == []
        place.completes(job.name)
        assert job.result(timeout_s=PATIENCE_S).backend == "boston"
        with pytest.raises(InvalidInput, match="only the pod of a hybrid job"):
            _ = client.backend
        with pytest.raises(InvalidInput, match="kubectl describe qcj from-a-laptop"):
            client.explain(job.manifest())
    with pytest.raises(StoreError, match="was closed"):
        client.job("from-a-laptop")
