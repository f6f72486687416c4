"""Aer tasks as Kubernetes Jobs, on a control plane without nodes: all but the run of the pods."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qsched.drivers import NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched.drivers.contract import ended
from qsched.kube.api import Api
from qsched.kube.errors import Refused
from qsched.kube.task_cluster import ApiTaskCluster
from qsched_aer import AerDriver
from qsched_aer.cluster_driver import AerJobsDriver
from qsched_aer.task import Surroundings, main
from tests.kubernetes.aer_tasks import endless, ghz, task_of
from tests.kubernetes.rig.kubeconfig import write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.kubernetes.conftest import StartCluster
    from tests.kubernetes.rig import Cluster

NAMESPACE = "qsched-system"
CONTROLLER = f"{NAMESPACE}:qsched-controller"
OWNED = ("serviceaccounts", "roles", "rolebindings", "secrets")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(start_cluster: StartCluster) -> Cluster:
    """A control plane with garbage collection and Jobs, and the chart's accounts."""
    cluster = start_cluster(controllers=True)
    cluster.install_crds()
    cluster.install_chart()
    return cluster


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    api = await Api.connect(cluster.kubeconfig(CONTROLLER), agent="aer-test")
    yield api
    await api.aclose()


@pytest.fixture
async def make(api: Api) -> AsyncIterator[Callable[..., AerJobsDriver]]:
    """Makes drivers, as if each were of another controller; closed in the end."""
    made = []

    def make(
        parameters: dict[str, Any] | None = None, *, kind: type[ApiTaskCluster] = ApiTaskCluster, **more: Any
    ) -> AerJobsDriver:
        made.append(AerJobsDriver(parameters, cluster=kind(api, NAMESPACE, image="qsched:1"), **more))
        return made[-1]

    yield make
    for driver in made:
        await driver.aclose()


@pytest.fixture
def driver(make: Callable[..., AerJobsDriver]) -> AerJobsDriver:
    return make()


@pytest.fixture
def token() -> str:
    return uuid.uuid4().hex


def names(cluster: Cluster, kinds: str, token: str) -> list[str]:
    done = cluster.kubectl("get", kinds, "-n", NAMESPACE, "-o=name")
    return [line for line in done.stdout.split() if token in line]


async def until(condition: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the cluster does not tell
            await asyncio.sleep(0.1)


async def test_a_job_owns_all_that_its_task_is_made_of(cluster, driver, token):
    remote = await driver.submit(task_of(ghz(3)), token)
    job = json.loads(cluster.kubectl("get", "job", remote.remote_id, "-n", NAMESPACE, "-o=json").stdout)
    assert job["spec"]["suspend"] is False
    assert job["metadata"]["annotations"]["qsched.io/for"] == "default/an-example"
    await until(lambda: len(names(cluster, "pods", token)) == 1)
    assert len(names(cluster, ",".join(OWNED), token)) == len(OWNED)
    cluster.kubectl("delete", "job", remote.remote_id, "-n", NAMESPACE)
    await until(lambda: not names(cluster, ",".join(("jobs", "pods", *OWNED)), token))
    assert await driver.find(token) is None
    assert await driver.poll([remote.remote_id]) == []


async def test_a_submission_takes_six_requests(cluster, driver, token):
    before = len(cluster.audit())
    await driver.submit(task_of(ghz(3)), token)
    made = [
        (entry.verb, entry.resource, entry.code)
        for entry in cluster.audit()[before:]
        # The server may take a moment to hear of the Role that it is to bind.
        if entry.user.endswith("qsched-controller") and entry.code != 404
    ]
    assert sorted(made) == [
        ("create", "jobs", 201),
        ("create", "rolebindings", 201),
        ("create", "roles", 201),
        ("create", "secrets", 201),
        ("create", "serviceaccounts", 201),
        ("patch", "jobs", 200),
    ]


async def test_young_tasks_are_asked_for_at_a_pace(cluster, driver, token):
    remote = await driver.submit(task_of(ghz(3)), token)
    before = len(cluster.audit())
    started = time.monotonic()
    for _ in range(100):
        assert [it.state for it in await driver.poll([remote.remote_id])] == ["Queued"]
    lists = [it for it in cluster.audit()[before:] if (it.verb, it.resource) == ("list", "jobs")]
    assert (
        1
        <= len([it for it in lists if it.user.endswith("qsched-controller")])
        <= (2 + 2 * (time.monotonic() - started))
    )


async def test_two_controllers_with_one_token_make_one_task(cluster, make, token):
    drivers = [make(), make()]
    remotes = await asyncio.gather(*(each.submit(task_of(ghz(3)), token) for each in drivers * 4))
    assert len({remote.remote_id for remote in remotes}) == 1
    await until(lambda: len(names(cluster, "pods", token)) == 1)
    assert len(names(cluster, "jobs", token)) == 1


class Failing(ApiTaskCluster):
    """The connection breaks before one of the requests of a submission."""

    at: str

    async def create(self, kind, body):
        if kind == self.at:
            raise Unavailable("the connection broke")
        return await super().create(kind, body)

    async def change(self, kind, name, change):
        if self.at == "release":
            raise Unavailable("the connection broke")
        return await super().change(kind, name, change)


@pytest.mark.parametrize("at", [*OWNED, "release"])
async def test_a_half_made_task_is_unknown_and_completed_by_the_next(cluster, make, token, at):
    failing = type("FailingAt", (Failing,), {"at": at})
    with pytest.raises(Unavailable, match="connection broke"):
        await make(kind=failing).submit(task_of(ghz(3)), token)
    second = make()
    assert await second.find(token) is None
    assert not names(cluster, "pods", token)
    remote = await second.submit(task_of(ghz(3)), token)
    assert await second.find(token) == remote
    assert len(names(cluster, ",".join(OWNED), token)) == len(OWNED)
    await until(lambda: len(names(cluster, "pods", token)) == 1)


async def test_a_task_that_its_controller_left_half_made_is_removed_in_time(cluster, make, token):
    failing = type("FailingAt", (Failing,), {"at": "secrets"})
    with pytest.raises(Unavailable):
        await make(kind=failing).submit(task_of(ghz(3)), token)
    await make().status("ideal")
    assert await make().find(token) is None
    later = make(clock=lambda: time.time() + 1000)
    before = (await later.status("ideal")).queue_depth
    assert (await ended(later, f"aer-{token}")).state == "Cancelled"
    assert (await later.status("ideal")).queue_depth == before - 1
    assert not names(cluster, "pods", token)


async def test_what_is_left_of_an_earlier_job_is_not_taken_for_this_ones(cluster, driver, token):
    stranger = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"aer-{token}", "namespace": NAMESPACE},
    }
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(stranger))
    with pytest.raises(Unavailable, match="of an earlier Job of that name"):
        await driver.submit(task_of(ghz(3)), token)
    assert await driver.find(token) is None
    cluster.kubectl("delete", "secret", f"aer-{token}", "-n", NAMESPACE)
    remote = await driver.submit(task_of(ghz(3)), token)
    assert await driver.find(token) == remote


async def test_a_cancelled_token_stays_cancelled_whoever_asks(cluster, make, token):
    first, second = make(), make()
    remote = await first.submit(task_of(endless()), token)
    await until(lambda: len(names(cluster, "pods", token)) == 1)
    await first.cancel(remote.remote_id)
    assert (await ended(second, remote.remote_id)).state == "Cancelled"
    await until(lambda: not names(cluster, "pods", token))
    assert (await second.submit(task_of(endless()), token)).state == "Cancelled"
    found = await second.find(token)
    assert found is not None
    assert found.state == "Cancelled"
    with pytest.raises(NotFound):
        await second.result(remote.remote_id)


async def test_a_finished_job_goes_by_itself(cluster, driver, token):
    remote = await driver.submit(task_of(ghz(3)), token)
    job = json.loads(cluster.kubectl("get", "job", remote.remote_id, "-n", NAMESPACE, "-o=json").stdout)
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    await driver.cancel(remote.remote_id)
    change = json.dumps({"spec": {"ttlSecondsAfterFinished": 0}})
    cluster.kubectl("patch", "job", remote.remote_id, "-n", NAMESPACE, "--type=merge", "-p", change)
    await until(lambda: not names(cluster, ",".join(("jobs", *OWNED)), token))


async def test_a_task_runs_with_the_account_of_its_pod(cluster, driver, token, tmp_path):
    """What the pod does, done here: the account may write the result, and that is enough."""
    task = task_of(ghz(3), ghz(5))
    remote = await driver.submit(task, token)
    around = pod_files(cluster, remote.remote_id, tmp_path)
    with pytest.raises(NotFound):
        await driver.result(remote.remote_id)
    assert await asyncio.to_thread(main, [remote.remote_id], address(cluster), around) == 0
    got = await driver.result(remote.remote_id)
    embedded = AerDriver({"workers": 1, "threads": 1})
    await ended(embedded, (await embedded.submit(task, token)).remote_id)
    expected = await embedded.result(remote.remote_id)
    await embedded.aclose()
    assert got.counts == expected.counts
    assert (got.shots, got.transpiled_hashes) == (expected.shots, expected.transpiled_hashes)


def pod_files(cluster: Cluster, name: str, folder: Path) -> Surroundings:
    """What the kubelet mounts into the pod of a task."""
    read = cluster.kubectl("get", "secret", name, "-n", NAMESPACE, "-o=json").stdout
    (folder / "task").write_bytes(base64.b64decode(json.loads(read)["data"]["task"]))
    (folder / "ca.crt").write_bytes(cluster.authority.certificate.read_bytes())
    (folder / "token").write_text(cluster.kubectl("create", "token", name, "-n", NAMESPACE).stdout)
    (folder / "namespace").write_text(NAMESPACE)
    return Surroundings(task=folder / "task", api=folder, message=folder / "message")


def address(cluster: Cluster) -> dict[str, str]:
    host, port = cluster.url.removeprefix("https://").rsplit(":", 1)
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


async def test_the_account_of_a_task_may_touch_nothing_else(cluster, driver, token):
    own = (await driver.submit(task_of(ghz(3)), token)).remote_id
    other = (await driver.submit(task_of(ghz(3)), uuid.uuid4().hex)).remote_id
    secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine"}, "spec": {}}
    task = await Api.connect(cluster.kubeconfig(f"{NAMESPACE}:{own}"))
    await task.merge(f"{secrets}/{own}", {"data": {"result": b"x"}})
    for call in (
        task.merge(f"{secrets}/{other}", {"data": {"result": b"x"}}),
        task.get(f"{secrets}/{own}"),
        task.get(f"{secrets}/{other}"),
        task.get(secrets),
        task.delete(f"{secrets}/{own}"),
        task.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{own}"),
        task.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod),
        task.get("/api/v1/nodes"),
    ):
        with pytest.raises(Refused, match="is forbidden"):
            await call
    await task.aclose()


async def test_a_quota_asks_for_patience(cluster, driver, token):
    name = f"none-{token[:8]}"
    cluster.kubectl("create", "quota", name, "--hard=count/jobs.batch=0", "-n", NAMESPACE)
    try:
        with pytest.raises(RateLimited, match="quota") as caught:
            await driver.submit(task_of(ghz(3)), token)
        assert caught.value.retry_after_s > 0
        assert await driver.find(token) is None
    finally:
        cluster.kubectl("delete", "quota", name, "-n", NAMESPACE)
    assert (await driver.submit(task_of(ghz(3)), token)).state == "Queued"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nodeselector": {"disk": "fast"}}, r'unknown field "spec.template.spec.nodeselector"'),
        ({"restartPolicy": "Always"}, "restartPolicy"),
        ({"containers": [{"volumeMounts": [{"name": "no", "mountPath": "/no"}]}]}, "volumeMounts"),
    ],
)
async def test_a_wrong_pod_template_is_refused_in_the_servers_words(cluster, make, token, spec, message):
    driver = make({"cluster": {"podTemplate": {"spec": spec}}})
    with pytest.raises(Rejected, match=message):
        await driver.submit(task_of(ghz(3)), token)
    assert not names(cluster, "jobs", token)


async def test_an_account_without_rights_is_told_what_it_lacks(cluster, token):
    api = await Api.connect(cluster.kubeconfig(f"{NAMESPACE}:qsched-scheduler"))
    driver = AerJobsDriver(cluster=ApiTaskCluster(api, NAMESPACE, image="qsched:1"))
    with pytest.raises(Unauthenticated, match=r'cannot create resource "jobs".*chart'):
        await driver.submit(task_of(ghz(3)), token)
    await driver.aclose()
    await api.aclose()


async def test_a_server_that_is_gone_is_unavailable(cluster, token, tmp_path):
    nobody = write_kubeconfig(
        tmp_path / "kubeconfig",
        server="https://127.0.0.1:1",
        authority=cluster.authority.certificate,
        user="nobody",
        proof="none",
        namespace=NAMESPACE,
    )
    api = await Api.connect(nobody)
    driver = AerJobsDriver(cluster=ApiTaskCluster(api, NAMESPACE, image="qsched:1"))
    for call in (
        driver.submit(task_of(ghz(3)), token),
        driver.find(token),
        driver.poll([f"aer-{token}"]),
        driver.result(f"aer-{token}"),
        driver.cancel(f"aer-{token}"),
        driver.status("ideal"),
    ):
        with pytest.raises(Unavailable):
            await call
    await driver.aclose()
    await api.aclose()


async def test_its_pods_are_restricted(cluster, token):
    name = f"restricted-{token[:8]}"
    cluster.create_namespace(name)
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    cluster.kubectl("label", "namespace", name, *levels)
    api = await Api.connect(cluster.kubeconfig())
    driver = AerJobsDriver(cluster=ApiTaskCluster(api, name, image="qsched:1"))
    await driver.submit(task_of(ghz(3)), token)
    await until(lambda: token in cluster.kubectl("get", "pods", "-n", name, "-o=name").stdout)
    await driver.aclose()
    await api.aclose()


async def test_hundreds_of_tasks_are_asked_for_in_a_few_requests(cluster, driver):
    before = len(cluster.audit())
    assert await driver.poll([f"aer-{uuid.uuid4().hex}" for _ in range(250)]) == []
    assert len([it for it in cluster.audit()[before:] if it.user.endswith("qsched-controller")]) == 3
