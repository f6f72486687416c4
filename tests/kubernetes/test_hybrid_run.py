"""The hybrid example, whose pod a real kubelet runs: its program submits circuits by the SDK and ends."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.kubernetes.controllers import (
    apply,
    backend,
    condition,
    eventually,
    get,
    online,
    phase,
    start_controller,
)

if TYPE_CHECKING:
    from tests.kubernetes.rig import Cluster
    from tests.kubernetes.rig.node import Node

EXAMPLE = Path(__file__).parents[2] / "examples" / "hybrid" / "qaoa.yaml"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cluster(node: Node) -> Cluster:
    """A cluster with a node, a controller and a QPU that takes one task at a time."""
    cluster = node.cluster
    cluster.install_chart()
    apply(cluster, backend("boston", maxInFlight=1, parameters={"outcomes": ["01010", "01011", "00000"]}))
    cluster.start_scheduler()
    start_controller(cluster)
    online(cluster, "boston")
    return cluster


@pytest.fixture(scope="module")
def example(node: Node) -> list[dict[str, Any]]:
    """The example's objects, whose pod runs the Python of this checkout."""
    objects = list(yaml.safe_load_all(EXAMPLE.read_text("utf-8")))
    python, spec = node.python, objects[-1]["spec"]["classical"]["template"]["spec"]
    spec["dnsPolicy"] = "Default"
    spec["securityContext"] |= {"runAsUser": 65534, "runAsGroup": 65534}
    spec["terminationGracePeriodSeconds"] = 1
    spec["volumes"] += python.volumes
    container = spec["containers"][0]
    container |= {"image": python.image, "imagePullPolicy": "Never", "env": python.env}
    container["command"][0] = python.python
    container["volumeMounts"] += python.volume_mounts
    for each in objects:
        each["metadata"]["namespace"] = "default"
        for subject in each.get("subjects", ()):
            subject["namespace"] = "default"
    return objects


def children(cluster: Cluster, of: str) -> list[dict[str, Any]]:
    """The jobs that a hybrid job's program has submitted."""
    items = json.loads(cluster.kubectl("get", "qcj", "-o", "json").stdout)["items"]
    owned = [each for each in items if each["metadata"].get("ownerReferences")]
    return [each for each in owned if each["metadata"]["ownerReferences"][0]["name"] == of]


def test_the_example_completes_and_leaves_nothing(cluster: Cluster, example: list[dict[str, Any]]) -> None:
    apply(cluster, *example)
    cluster.kubectl("wait", "qcj/qaoa", "--for=condition=Complete", "--timeout=240s")
    log = cluster.kubectl("logs", "-l", "qsched.io/job-name=qaoa").stdout.splitlines()
    assert log[0] == "the slot is on boston"
    assert len(log) == 7
    submitted = children(cluster, "qaoa")
    assert len(submitted) == 6
    assert {each["status"]["phase"] for each in submitted} == {"Complete"}
    assert {each["status"]["result"]["backend"] for each in submitted} == {"boston"}
    cluster.kubectl("delete", "qcj", "qaoa", "--timeout=60s")
    eventually(lambda: not children(cluster, "qaoa"), what="the program's jobs are gone")
    found = ["get", "pods", "-l", "qsched.io/job-name=qaoa", "-o", "name"]
    eventually(lambda: not cluster.kubectl(*found).stdout, what="the pod is gone")


def test_a_program_that_raises_fails_the_job_in_its_own_words(
    cluster: Cluster, example: list[dict[str, Any]]
) -> None:
    failing = copy.deepcopy(example[-1])
    failing["metadata"]["name"] = "raises"
    failing["spec"]["backoffLimit"] = 0
    container = failing["spec"]["classical"]["template"]["spec"]["containers"][0]
    container["command"][1:] = ["-c", "raise SystemExit('no convergence after 6 steps')"]
    container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    apply(cluster, failing)
    failed = condition(phase(cluster, "raises", "Failed"), "Failed")
    assert failed["reason"] == "BackoffLimitExceeded"
    assert "container qaoa ended with exit code 1: no convergence after 6 steps" in failed["message"]


def test_a_program_without_its_role_is_told_which_binding_to_make(
    cluster: Cluster, example: list[dict[str, Any]]
) -> None:
    bare = copy.deepcopy(example[-1])
    bare["metadata"]["name"] = "bare"
    bare["spec"]["backoffLimit"] = 0
    spec = bare["spec"]["classical"]["template"]["spec"]
    spec["serviceAccountName"] = "default"
    spec["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError"
    apply(cluster, bare)
    message = condition(phase(cluster, "bare", "Failed"), "Failed")["message"]
    assert "kubectl create rolebinding default-hybrid --clusterrole=qsched-hybrid" in message
    assert get(cluster, "qcj", "bare") is not None
