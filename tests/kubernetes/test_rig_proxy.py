"""The fault proxy: what goes wrong is what was asked for, and no more."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from http.client import HTTPSConnection, IncompleteRead
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.rig.proxy import FaultProxy, Faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubernetes.rig import Cluster

ACCOUNT = "default:writer"
PATH = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    cluster.kubectl("create", "serviceaccount", "writer")
    cluster.kubectl("create", "role", "writer", "--verb=*", "--resource=configmaps")
    cluster.kubectl("create", "rolebinding", "writer", "--role=writer", f"--serviceaccount={ACCOUNT}")
    with FaultProxy(cluster, ACCOUNT, seed=20261121) as proxy:
        yield proxy


@pytest.fixture
def connection(cluster: Cluster, proxy: FaultProxy) -> Iterator[HTTPSConnection]:
    context = ssl.create_default_context(cafile=str(cluster.authority.certificate))
    connection = HTTPSConnection("127.0.0.1", proxy.port, context=context, timeout=30)
    yield connection
    connection.close()
    proxy.faults = Faults()


@pytest.fixture(scope="module")
def token(cluster: Cluster, proxy: FaultProxy) -> str:
    return cluster.token(ACCOUNT)


def ask(
    connection: HTTPSConnection, token: str, method: str, path: str, body: Any = None
) -> tuple[int, Any, str | None]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()), answer.getheader("Retry-After")


def named(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_nothing_goes_wrong_unasked(cluster: Cluster, proxy: FaultProxy, connection: Any, token: str) -> None:
    assert ask(connection, token, "POST", PATH, named("through"))[0] == 201
    assert "through" in cluster.kubectl("get", "configmaps").stdout
    user = f"system:serviceaccount:{ACCOUNT}"
    assert ("create", "configmaps", 201) in {
        (each.verb, each.resource, each.code) for each in cluster.audit() if each.user == user
    }
    assert cluster.kubectl("get", "configmaps", f"--kubeconfig={proxy.kubeconfig}").returncode == 0


def test_the_share_fails_that_was_asked_for(proxy: FaultProxy, connection: Any, token: str) -> None:
    proxy.injected.clear()
    proxy.faults = Faults(share=0.3)
    seen = Counter[int]()
    for _ in range(200):
        status, said, retry_after = ask(connection, token, "GET", PATH)
        seen[status] += 1
        assert said["kind"] in {"Status", "ConfigMapList"}
        assert (retry_after is not None) == (status == 429)
    failed = {status: number for status, number in seen.items() if status != 200}
    assert 35 < sum(failed.values()) < 90
    assert failed.keys() == {429, 500, 504}  # a read has nothing to conflict with
    assert proxy.injected == failed


@pytest.mark.parametrize("performed", [0.0, 1.0])
def test_an_answer_may_be_lost_after_the_write(
    cluster: Cluster, proxy: FaultProxy, connection: Any, token: str, performed: float
) -> None:
    name = f"lost-{performed:.0f}"
    proxy.faults = Faults(share=1.0, statuses=(504,), performed=performed)
    assert ask(connection, token, "POST", PATH, named(name))[0] == 504
    assert (name in cluster.kubectl("get", "configmaps").stdout) == bool(performed)


def test_watches_stream_until_they_are_cut(
    cluster: Cluster, proxy: FaultProxy, connection: Any, token: str
) -> None:
    _, listed, _ = ask(connection, token, "GET", PATH)
    version = listed["metadata"]["resourceVersion"]
    connection.request(
        "GET", f"{PATH}?watch=true&resourceVersion={version}", headers={"Authorization": f"Bearer {token}"}
    )
    stream = connection.getresponse()
    for name in ("first", "second"):
        cluster.kubectl("create", "configmap", name)
        assert json.loads(stream.readline())["object"]["metadata"]["name"] == name
    assert proxy.cut_watches() == 1
    with pytest.raises(IncompleteRead):
        stream.read()
