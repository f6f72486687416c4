"""Objects that earlier versions stored are read by this one, under this one's CRDs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
import structlog
import yaml
from msgspec.structs import replace

from qsched.api.backend import BackendSpec, BackendStatus
from qsched.api.job import JobStatus, Phase
from qsched.kube.acceptance import accept
from qsched.kube.api import Api
from qsched.kube.changes import Seen
from qsched.kube.crds import render_crds
from qsched.kube.events import Recorder
from qsched.kube.journal import Journal
from qsched.kube.objects import BACKENDS, JOBS, BackendObject, JobObject, backend_path, job_path
from qsched.kube.queue import WorkQueue
from qsched.kube.status import decode_lifecycle, encode_lifecycle
from qsched.kube.writer import Writer
from qsched.lifecycle.types import settled
from tests.kubernetes.controllers import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.kubernetes.conftest import StartCluster
    from tests.kubernetes.rig import Cluster

STORED = Path(__file__).parent / "stored"
VERSIONS = sorted(folder.name for folder in STORED.iterdir() if folder.name.startswith("v1"))
REFUSED_TODAY = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumCircuitJob
metadata: {name: refused-today, finalizers: [qsched.io/cancel]}
spec:
  circuits: [{name: a, uri: a.qasm, qasm: ""}]
  shots: 0
  weights: {}
  requirements: {maxQueueTime: 0s, completeBy: "0001-01-01T00:00:00Z"}
"""
UNSEEN = {"is-new", "is-refused"}
"""Jobs without a lifecycle."""


class Jobs(msgspec.Struct):
    items: list[JobObject]


class Backends(msgspec.Struct):
    items: list[BackendObject]


def objects(version: str, file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((STORED / version / f"{file}.yaml").read_text()))


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def upgraded(start_cluster: StartCluster, version: str) -> Cluster:
    """A cluster with a version's objects, stored under its CRDs, in which then ours were installed."""
    cluster = start_cluster()
    folder = STORED / version
    cluster.kubectl("apply", "--server-side", "-f", folder / "crds")
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", folder / "crds")
    for file in ("jobs.yaml", "backends.yaml"):
        cluster.kubectl("create", "-f", folder / file)
        with_status = [each for each in objects(version, file.removesuffix(".yaml")) if "status" in each]
        text = yaml.safe_dump_all(with_status)
        cluster.kubectl("apply", "--server-side", "--subresource=status", "-f", "-", input=text)
    cluster.install_crds()
    # For a moment the server says that it makes its storage anew; the controller would ask again.
    eventually(lambda: cluster.kubectl("get", "qcj,qb", "-A", check=False).returncode == 0)
    return cluster


@pytest.fixture
async def api(upgraded: Cluster) -> AsyncIterator[Api]:
    api = await Api.connect(upgraded.kubeconfig())
    yield api
    await api.aclose()


async def stored_jobs(api: Api) -> list[JobObject]:
    return msgspec.json.decode(await api.get(JOBS), type=Jobs).items


def at_home(job: JobObject) -> JobObject:
    """The job as if this were no copy: a lifecycle names the object that it is of."""
    if job.status.lifecycle is None or job.metadata.uid is None:
        return job
    state = replace(decode_lifecycle(job.status.lifecycle), uid=job.metadata.uid)
    return replace(job, status=replace(job.status, lifecycle=encode_lifecycle(state)))


async def test_every_stored_job_is_declared_as_it_was(api: Api, version: str) -> None:
    declared = {each["metadata"]["name"]: each for each in objects(version, "jobs")}
    jobs = await stored_jobs(api)
    assert {job.metadata.name for job in jobs} == declared.keys()
    for job in jobs:
        was = declared[job.metadata.name]
        spec = accept(job, None, ("s3", "file")).spec
        assert spec.circuits[0].name == was["spec"]["circuits"][0]["name"]
        assert spec.shots == was["spec"].get("shots", 1024)
        assert (spec.classical is not None) == ("classical" in was["spec"])


async def test_every_stored_status_is_whole(api: Api, version: str) -> None:
    for was in objects(version, "jobs"):
        path = job_path("default", was["metadata"]["name"])
        now = msgspec.json.decode(await api.get(path), type=dict[str, Any])
        assert now.get("status") == was.get("status")
        msgspec.convert(now.get("status", {}), JobStatus)


async def test_the_journal_goes_on_with_every_job_that_has_not_ended(api: Api) -> None:
    def stand_by() -> bool:
        return False

    def clock() -> float:
        return 1.8e9

    queue: WorkQueue[str] = WorkQueue()
    writer = Writer(
        api,
        queue,
        Recorder(api, may_write=stand_by, clock=clock),
        may_write=stand_by,
        clock=clock,
    )
    journal = Journal(writer, accept=lambda job, now: accept(job, now, ("s3",)), clock=clock)
    jobs = {job.metadata.name: at_home(job) for job in await stored_jobs(api)}
    with structlog.testing.capture_logs() as said:
        for name, job in jobs.items():
            journal.handle(Seen(f"default/{name}", job, listed=True))
    assert [line for line in said if line["log_level"] in {"warning", "error"}] == []
    states = {
        name: decode_lifecycle(job.status.lifecycle)
        for name, job in jobs.items()
        if job.status.lifecycle is not None
    }
    assert jobs.keys() - states.keys() == UNSEEN
    going_on = {name for name, state in states.items() if not settled(state)}
    records = {record.name: record for record in journal.unsettled()}
    assert records.keys() == going_on | {"is-new"}
    for name in going_on:
        assert records[name].phase == states[name].phase == jobs[name].status.phase
        placed = bytes(jobs[name].status.placement) != b""
        assert (records[name].job.status.placement is not None) == placed
    assert journal.commands() == []


async def test_stored_objects_may_still_be_changed(api: Api) -> None:
    for job in await stored_jobs(api):
        await api.merge(job_path("default", job.metadata.name), {"spec": {"priority": 7}})
    for backend in msgspec.json.decode(await api.get(BACKENDS), type=Backends).items:
        await api.merge(backend_path(backend.metadata.name), {"spec": {"paused": True}})


async def test_every_stored_backend_is_read(api: Api, version: str) -> None:
    found = msgspec.json.decode(await api.get(BACKENDS), type=dict[str, Any])["items"]
    declared = {each["metadata"]["name"]: each for each in objects(version, "backends")}
    assert {each["metadata"]["name"] for each in found} == declared.keys()
    for each in found:
        was = declared[each["metadata"]["name"]]
        assert msgspec.convert(each["spec"], BackendSpec).device == was["spec"]["device"]
        assert each.get("status") == was.get("status")
        msgspec.convert(each.get("status", {}), BackendStatus)


def test_a_job_in_every_phase_is_kept_of_every_version() -> None:
    assert VERSIONS
    for version in VERSIONS:
        phases = {each.get("status", {}).get("phase") for each in objects(version, "jobs")}
        assert phases == {*get_args(Phase), None}


def without_checks(node: Any) -> Any:
    """A CRD as an older version might have had it: with fewer bounds and no rules."""
    if isinstance(node, list):
        return [without_checks(each) for each in node]
    if not isinstance(node, dict):
        return node
    checks = {"x-kubernetes-validations", "minimum", "pattern", "minItems", "minLength"}
    return {key: without_checks(value) for key, value in node.items() if key not in checks}


def test_a_job_that_would_be_refused_today_can_be_ended(start_cluster: StartCluster) -> None:
    cluster = start_cluster()
    older = yaml.safe_dump_all(
        without_checks(crd) for text in render_crds().values() for crd in yaml.safe_load_all(text)
    )
    cluster.kubectl("apply", "--server-side", "-f", "-", input=older)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", "-", input=older)
    cluster.kubectl("create", "-f", "-", input=REFUSED_TODAY)
    cluster.install_crds()
    again = cluster.kubectl("create", "--dry-run=server", "-f", "-", input=REFUSED_TODAY, check=False)
    assert "spec.shots" in again.stderr
    assert "all weights are zero" in again.stderr
    patch = '{"status": {"phase": "Failed"}, "metadata": {"finalizers": []}}'
    cluster.kubectl("patch", "qcj", "refused-today", "--type=merge", "-p", '{"spec": {"priority": 7}}')
    cluster.kubectl("patch", "qcj", "refused-today", "--subresource=status", "--type=merge", "-p", patch)
    cluster.kubectl("patch", "qcj", "refused-today", "--type=merge", "-p", patch)
    shown = cluster.kubectl("get", "qcj", "refused-today", "-o", "jsonpath={.spec.priority} {.status.phase}")
    assert shown.stdout == "7 Failed"
