"""The rig itself: what the other tests of this folder take for granted."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.rig import Cluster, RigError
from tests.kubernetes.rig.chart import NAMESPACE, REPOSITORY
from tests.kubernetes.rig.scheduler import extender_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.conftest import StartCluster

READER = "default:reader"
PAUSE = {"name": "main", "image": "none"}


def until(condition: Callable[[], object], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)


def processes(folder: Path) -> list[str]:
    """The command lines that mention a folder."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in line:
            lines.append(line)
    return lines


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    cluster.kubectl(
        "apply", "-f", "-", input=json.dumps({"kind": "List", "apiVersion": "v1", "items": objects})
    )


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def pod(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def reader(cluster: Cluster) -> str:
    """A ServiceAccount that may read and write ConfigMaps in its namespace, and nothing else."""
    cluster.kubectl("create", "serviceaccount", "reader")
    cluster.kubectl("create", "role", "reader", "--verb=*", "--resource=configmaps")
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={READER}")
    return READER


def test_it_starts_in_seconds_and_leaves_no_process(binaries: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    with Cluster(tmp_path, binaries, controllers=True) as cluster:
        assert time.monotonic() - started < 30  # 3 s on an idle machine
        assert cluster.kubectl("get", "--raw", "/readyz").stdout == "ok"
        assert len(processes(tmp_path)) == 3
    assert processes(tmp_path) == []


def test_it_ends_with_a_test_run_that_is_killed(binaries: Path, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from tests.kubernetes.rig import Cluster
with Cluster(Path({str(tmp_path)!r}), Path({str(binaries)!r})):
    print("up", flush=True)
    input()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        run.send_signal(signal.SIGKILL)
    until(lambda: not processes(tmp_path), within_s=10)


def test_a_program_that_fails_is_quoted(cluster: Cluster) -> None:
    with pytest.raises(RigError, match=r"(?s)kwok ended with status 1:.*no-such"):
        cluster.run("kwok", [cluster.programs / "kwok", "--kubeconfig=no-such"], ready=lambda: False)


def test_kubectl_says_what_went_wrong(cluster: Cluster) -> None:
    with pytest.raises(RigError, match=r'kubectl get node no-such: .* nodes "no-such" not found'):
        cluster.kubectl("get", "node", "no-such")


def test_an_account_may_do_what_its_role_says_and_the_audit_log_tells(cluster: Cluster, reader: str) -> None:
    cluster.kubectl("create", "configmap", "mine", user=reader)
    refused = cluster.kubectl("get", "secrets", user=reader, check=False)
    assert 'serviceaccount:default:reader" cannot list resource "secrets"' in refused.stderr

    user = "system:serviceaccount:default:reader"
    asked = Counter((each.verb, each.resource, each.code) for each in cluster.audit() if each.user == user)
    assert asked["create", "configmaps", 201] == 1
    assert asked["list", "secrets", 403] == 1


def test_the_chart_brings_the_accounts_of_every_qsched_process(cluster: Cluster) -> None:
    cluster.install_chart()
    for account in ("qsched-controller", "qsched-scheduler"):
        user = f"{NAMESPACE}:{account}"
        assert cluster.kubectl("get", "quantumcircuitjobs", "-A", user=user).returncode == 0
        assert cluster.kubectl("auth", "can-i", "delete", "nodes", user=user, check=False).stdout == "no\n"
    assert not cluster.kubectl("get", "deployments", "-n", NAMESPACE).stdout


def test_the_api_server_comes_back_with_its_data(cluster: Cluster) -> None:
    apply(cluster, config_map("kept"))
    cluster.apiserver.kill()
    assert cluster.kubectl("get", "configmap", "kept", check=False).returncode == 1
    cluster.apiserver.start()
    cluster.apiserver.wait()
    assert "kept" in cluster.kubectl("get", "configmap", "kept").stdout


def test_a_paused_api_server_does_not_answer(cluster: Cluster) -> None:
    cluster.apiserver.pause()
    try:
        silent = cluster.kubectl("get", "configmaps", "--request-timeout=1s", check=False)
        assert silent.returncode == 1
    finally:
        cluster.apiserver.resume()
    cluster.apiserver.wait()


def test_history_can_be_forgotten(cluster: Cluster) -> None:
    def watch() -> dict[str, Any]:
        path = f"/api/v1/configmaps?watch=1&resourceVersion={old}&timeoutSeconds=1"
        event: dict[str, Any] = json.loads(cluster.kubectl("get", "--raw", path).stdout.splitlines()[0])
        return event

    apply(cluster, config_map("before"))
    old = json.loads(cluster.kubectl("get", "--raw", "/api/v1/configmaps?limit=1").stdout)["metadata"][
        "resourceVersion"
    ]
    apply(cluster, config_map("after"))
    assert watch()["object"]["metadata"]["name"] == "after"
    cluster.forget_history()
    assert watch()["object"]["code"] == 410


@pytest.fixture(scope="module")
def extender(start_cluster: StartCluster) -> Iterator[tuple[Cluster, list[str]]]:
    """A cluster with fake nodes, and a scheduler whose extender notes the pods that it is asked about."""
    cluster = start_cluster()
    seen: list[str] = []

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(f"{self.path} {asked['Pod']['metadata']['name']}")
            answer: Any = {"NodeNames": asked["NodeNames"]} if self.path == "/filter" else []
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    authority = cluster.authority
    serving = authority.issue("extender", "127.0.0.1", user="extender")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(serving.certificate, serving.key)
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = authority.issue("scheduler-client", user="scheduler")
        url = f"https://127.0.0.1:{server.server_port}"
        scheduler = cluster.start_scheduler(extender_of(url, authority=authority.certificate, client=client))
        cluster.add_fake_nodes(200)
        cluster.start_kwok()
        yield cluster, seen
        scheduler.kill()
        server.shutdown()
        thread.join()


def test_kwok_plays_pods_and_the_extender_is_asked_about_qpus(extender: tuple[Cluster, list[str]]) -> None:
    cluster, seen = extender
    spec = {"schedulerName": "qsched-scheduler", "containers": [PAUSE]}
    hybrid = {**PAUSE, "resources": {"limits": {"qsched.io/qpu": "1"}}}
    apply(cluster, pod("plain", spec), pod("hybrid", {**spec, "containers": [hybrid]}))
    for name in ("plain", "hybrid"):
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    assert seen == ["/filter hybrid", "/prioritize hybrid"]
