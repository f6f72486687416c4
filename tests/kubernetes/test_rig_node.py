"""The real node: pods run, as unprivileged as they should be, and nothing is left of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.rig import RigError
from tests.kubernetes.rig.node import Node
from tests.kubernetes.rig.prerequisites import node_tools
from tests.kubernetes.test_rig import apply, pod, processes

ASK = """
import os, ssl, sys, urllib.error, urllib.request
import qsched
account = "/var/run/secrets/kubernetes.io/serviceaccount/"
context = ssl.create_default_context(cafile=account + "ca.crt")
server = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
token = open(account + "token").read()
def status(path):
    request = urllib.request.Request(server + path, headers={"Authorization": "Bearer " + token})
    try:
        return urllib.request.urlopen(request, context=context).status
    except urllib.error.HTTPError as error:
        return error.code
print(qsched.__name__, os.getuid(), status("/api"), status("/api/v1/namespaces/default/secrets"))
open("/tmp/writable", "w")
try:
    open("/usr/writable", "w")
except OSError as error:
    print(error.strerror)
"""


def traces() -> dict[str, Any]:
    """What a node of this process may leave on the host besides processes."""
    states = ("containerd*", "runc*", "kubelet*", "cni*", "netns")
    return {
        "cgroups": sorted(
            path
            for depth in ("", "*/")
            for path in Path("/sys/fs/cgroup").glob(f"{depth}qsched-rig-{os.getpid()}-*")
        ),
        "mounts": Path("/proc/self/mounts").read_text().splitlines(),
        "overcommit": Path("/proc/sys/vm/overcommit_memory").read_text(),
        "run": sorted(path for state in states for path in Path("/run").glob(state)),
        "var": sorted(path for state in states for path in Path("/var/lib").glob(state)),
        "log": sorted(Path("/var/log").glob("containers*")),
    }


def test_our_own_python_runs_in_a_pod_and_is_known_to_the_api_server(node: Node) -> None:
    apply(node.cluster, pod("asks", node.python.spec("-c", ASK)))
    node.cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/asks", "--timeout=60s")
    assert node.cluster.kubectl("logs", "asks").stdout.splitlines() == [
        "qsched 65534 200 403",
        "Read-only file system",
    ]


def test_a_memory_limit_kills(node: Node) -> None:
    limits = {"limits": {"memory": "32Mi"}, "requests": {"memory": "32Mi"}}
    spec = node.python.spec("-c", "")
    spec["containers"] = [node.python.container("-c", "bytearray(2**28)", resources=limits)]
    apply(node.cluster, pod("greedy", spec))
    node.cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/greedy", "--timeout=60s")
    reason = "jsonpath={.status.containerStatuses[0].state.terminated.reason}"
    assert node.cluster.kubectl("get", "pod", "greedy", "-o", reason).stdout == "OOMKilled"


def test_qpus_are_an_extended_resource(node: Node) -> None:
    shell = {"name": "main", "image": node.busybox, "command": ["sh", "-c", "sleep 1000"]}
    hybrid = {**shell, "resources": {"limits": {"qsched.io/qpu": "8"}}}
    spec = {"terminationGracePeriodSeconds": 0}
    apply(node.cluster, pod("first", {**spec, "containers": [hybrid]}))
    node.cluster.kubectl("wait", "--for=condition=Ready", "pod/first", "--timeout=60s")
    apply(node.cluster, pod("second", {**spec, "containers": [hybrid]}))
    node.cluster.kubectl("wait", "--for=condition=PodScheduled=False", "pod/second", "--timeout=60s")
    assert "Insufficient qsched.io/qpu" in node.cluster.kubectl("describe", "pod", "second").stdout
    said = node.cluster.kubectl("exec", "first", "--", "sh", "-c", "id -u; hostname").stdout
    assert said == "0\nfirst\n"
    node.cluster.kubectl("delete", "pod", "first")
    node.cluster.kubectl("wait", "--for=condition=Ready", "pod/second", "--timeout=60s")


def test_nothing_is_left_of_a_node(binaries: Path, tmp_path: Path) -> None:
    skip_without_tools()
    before = traces()
    with Node(tmp_path, binaries) as node:
        spec = {"containers": [{"name": "main", "image": node.busybox, "command": ["sleep", "1000"]}]}
        apply(node.cluster, pod("runs", spec))
        node.cluster.kubectl("wait", "--for=condition=Ready", "pod/runs", "--timeout=60s")
        wire = node.cluster.url.split(".")[2]
        assert Path(f"/sys/class/net/qsrig{wire}").exists()
        assert traces() != before
    assert traces() == before
    assert not Path(f"/sys/class/net/qsrig{wire}").exists()
    assert processes(tmp_path) == []


def test_nothing_is_left_of_a_node_that_does_not_start(binaries: Path, tmp_path: Path) -> None:
    skip_without_tools()
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in binaries.iterdir():
        (programs / program.name).symlink_to(program)
    (programs / "kubelet").unlink()
    (programs / "kubelet").symlink_to("/bin/false")
    before = traces()
    with pytest.raises(RigError, match="kubelet ended with status 1"), Node(tmp_path / "node", programs):
        pass
    assert traces() == before
    assert processes(tmp_path) == []


def skip_without_tools() -> None:
    if isinstance(tools := node_tools(), str):
        pytest.skip(f"no real node here: {tools}")
