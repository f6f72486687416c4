"""Hybrid jobs as their users see them, of a real controller; what happens to the pods, the tests write."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.controllers import (
    apply,
    backend,
    condition,
    eventually,
    get,
    job,
    on,
    phase,
    start_controller,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.rig import Cluster
    from tests.kubernetes.rig.program import Program

TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "program:1"}]}}
SLOTS = [f"slot-{number}" for number in range(12)]
"""Backends with one slot each, so that every test sees whether its own is given back."""


@dataclass
class Site:
    """A cluster with a controller, and a backend of the test's own."""

    cluster: Cluster
    controller: Program
    slot: str
    namespace: str = "default"

    def submit(self, name: str, **spec: Any) -> None:
        """Apply a job on the test's backend."""
        apply(self.cluster, job(name, namespace=self.namespace, requirements=on(self.slot), **spec))

    def hybrid(self, name: str, *, template: dict[str, Any] | None = None, **spec: Any) -> None:
        """Apply a hybrid job."""
        self.submit(name, classical={"template": template or TEMPLATE}, **spec)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The pods of a job, the oldest first."""
        selector = f"qsched.io/job-name={name}"
        found = self.cluster.kubectl("get", "pods", "-n", self.namespace, "-l", selector, "-o", "json")
        return sorted(
            json.loads(found.stdout)["items"], key=lambda pod: pod["metadata"]["labels"]["qsched.io/round"]
        )

    def open_pod(self, name: str, number: int = 1) -> str:
        """The pod of a round, once its gate is lifted."""

        def opened() -> str | None:
            for pod in self.pods(name):
                if pod["metadata"]["labels"]["qsched.io/round"] == str(number) and not pod["spec"].get(
                    "schedulingGates"
                ):
                    assert pod["metadata"]["annotations"]["qsched.io/backend"] == self.slot
                    return str(pod["metadata"]["name"])
            return None

        return eventually(opened, what=f"round {number} of {name} is open; pods: {self.pods(name)}")

    def says(self, pod: str, **status: Any) -> None:
        """Write a pod's status, as a kubelet or scheduler does."""
        patch = json.dumps({"status": status})
        self.cluster.kubectl(
            "patch", "pod", pod, "-n", self.namespace, "--subresource=status", "--type=merge", "-p", patch
        )

    def phase(self, name: str, wanted: str) -> dict[str, Any]:
        """The job once it is in a phase."""
        return phase(self.cluster, name, wanted, self.namespace)

    def waits_for_pods(self, name: str) -> None:
        """Wait until a job's own circuits are done and its slot is its program's."""

        def waits() -> bool:
            found = get(self.cluster, "qcj", name, self.namespace)
            return condition(found, "Scheduled").get("reason") == "WaitingForPods" or (
                found is not None and found.get("status", {}).get("result") is not None
            )

        eventually(waits, what=f"{name} waits for its pods: {get(self.cluster, 'qcj', name, self.namespace)}")

    def slot_is_free(self) -> None:
        """See that another job gets the slot."""
        name = f"after-{secrets.token_hex(3)}"
        self.submit(name)
        self.phase(name, "Complete")


@pytest.fixture(scope="module")
def controlled(
    start_cluster: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Cluster, Program]:
    """A cluster with a controller and backends."""
    cluster = start_cluster(controllers=True)
    cluster.install_crds()
    cluster.install_chart()
    providers = tmp_path_factory.mktemp("providers")  # they outlive the controller
    paths = {name: {"path": str(providers / f"{name}.db")} for name in SLOTS}
    apply(cluster, *(backend(name, maxInFlight=1, parameters=paths[name]) for name in SLOTS))
    return cluster, start_controller(cluster)


@pytest.fixture
def site(controlled: tuple[Cluster, Program], free: list[str]) -> Site:
    return Site(*controlled, slot=free.pop())


@pytest.fixture(scope="module")
def free() -> list[str]:
    return list(SLOTS)


FAILURE = {
    "phase": "Failed",
    "containerStatuses": [
        {
            "name": "main",
            "image": "program:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": {"exitCode": 2, "reason": "Error", "message": "no convergence"}},
        }
    ],
}


def preempted() -> dict[str, Any]:
    """What the scheduler writes on a pod before it deletes it; an old condition would be taken off again."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "for a higher one",
        "lastTransitionTime": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    return {"conditions": [condition]}


def test_a_job_completes_with_its_pod_and_keeps_its_slot_until_then(site: Site) -> None:
    site.hybrid("pair")
    pod = site.open_pod("pair")
    site.waits_for_pods("pair")
    site.submit("stranger")
    site.phase("stranger", "Placed")
    site.says(pod, phase="Succeeded")
    found = site.phase("pair", "Complete")
    assert found["status"]["result"]["circuits"][0]["counts"] == {"00": 50, "11": 50}
    site.phase("stranger", "Complete")


def test_circuits_of_the_program_run_on_the_slot_that_the_job_keeps(site: Site) -> None:
    site.hybrid("session")
    pod = site.open_pod("session")
    site.waits_for_pods("session")
    uid = (get(site.cluster, "qcj", "session") or {})["metadata"]["uid"]
    site.submit("in-line", priority=1000)
    child = job("session-child", requirements=on(site.slot))
    child["metadata"]["annotations"] = {"qsched.io/session": uid}
    apply(site.cluster, child)
    site.phase("session-child", "Complete")
    site.phase("in-line", "Placed")
    site.says(pod, phase="Succeeded")
    site.phase("session", "Complete")
    site.phase("in-line", "Complete")


def test_a_pod_that_fails_is_tried_again_until_the_backoff_limit(site: Site) -> None:
    site.hybrid("fails", backoffLimit=1)
    site.says(site.open_pod("fails", 1), **FAILURE)
    site.says(site.open_pod("fails", 2), **FAILURE)
    failed = condition(site.phase("fails", "Failed"), "Failed")
    assert failed["reason"] == "BackoffLimitExceeded"
    assert "container main ended with exit code 2: no convergence" in failed["message"]
    assert len(site.pods("fails")) == 2  # for their logs
    site.slot_is_free()


def events_of(site: Site, name: str) -> str:
    """What people are told of a job; events are written behind the work."""
    return site.cluster.kubectl("get", "events", f"--field-selector=involvedObject.name={name}").stdout


def test_an_evicted_pod_and_a_preempted_one_are_replaced(site: Site) -> None:
    site.hybrid("moved", backoffLimit=2)
    first = site.open_pod("moved", 1)
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": first, "namespace": "default"},
    }
    site.cluster.kubectl(
        "create",
        "--raw",
        f"/api/v1/namespaces/default/pods/{first}/eviction",
        "-f",
        "-",
        input=json.dumps(eviction),
    )
    second = site.open_pod("moved", 2)
    site.says(second, **preempted())
    site.cluster.kubectl("delete", "pod", second)  # as the scheduler does
    third = site.open_pod("moved", 3)
    eventually(
        lambda: "was preempted: for a higher one" in events_of(site, "moved"), what="the event says why"
    )
    site.waits_for_pods("moved")
    site.says(third, phase="Succeeded")
    site.phase("moved", "Complete")
    site.slot_is_free()


def test_a_deleted_job_leaves_no_pod(site: Site) -> None:
    site.hybrid("deleted")
    site.open_pod("deleted")
    site.cluster.kubectl("delete", "qcj", "deleted", "--timeout=60s")
    eventually(lambda: not site.pods("deleted"), what="its pods are gone")
    site.slot_is_free()


def test_a_suspended_job_has_no_pods_and_begins_a_new_round_when_resumed(site: Site) -> None:
    site.hybrid("held")
    site.open_pod("held")
    site.cluster.kubectl("patch", "qcj", "held", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    site.phase("held", "Suspended")
    eventually(lambda: not site.pods("held"), what="its pods are gone")
    site.slot_is_free()
    site.cluster.kubectl("patch", "qcj", "held", "--type=merge", "-p", '{"spec": {"suspend": false}}')
    site.says(site.open_pod("held", 2), phase="Succeeded")
    site.phase("held", "Complete")


def test_a_template_that_makes_no_pod_fails_its_job_with_the_servers_words(site: Site) -> None:
    spec = {"containers": [{"name": "main", "image": "program:1"}], "nodeName": "a-node"}
    site.hybrid("pinned", template={"spec": spec})
    failed = condition(site.phase("pinned", "Failed"), "Failed")
    assert failed["reason"] == "InvalidPodTemplate"
    assert "spec.nodeName" in failed["message"]
    site.slot_is_free()


def test_a_namespace_that_is_terminated_takes_job_pods_and_slot_with_it(site: Site) -> None:
    site.namespace = f"short-lived-{secrets.token_hex(3)}"
    site.cluster.create_namespace(site.namespace)
    site.hybrid("gone")
    site.open_pod("gone")
    site.cluster.kubectl("delete", "namespace", site.namespace, "--timeout=90s")
    site.namespace = "default"
    site.slot_is_free()


def test_a_pod_that_a_user_brings_starts_with_the_slot(site: Site) -> None:
    site.submit("plain")
    site.phase("plain", "Complete")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "brought", "namespace": "default", "annotations": {"qsched.io/job": "plain"}},
        "spec": {
            **TEMPLATE["spec"],
            "schedulerName": "qsched-scheduler",
            "schedulingGates": [{"name": "qsched.io/quantum"}],
        },
    }
    apply(site.cluster, pod)

    def opened() -> bool:
        found = get(site.cluster, "pod", "brought") or {}
        return not found["spec"].get("schedulingGates") and (
            found["metadata"]["annotations"].get("qsched.io/backend") == site.slot
        )

    eventually(opened, what="its gate is lifted")


def test_a_controller_that_is_killed_and_the_next_one_lose_no_pod(site: Site) -> None:
    names = ("goes-on", "is-done", "is-held")
    for name in names:
        site.hybrid(name)
    eventually(lambda: all(site.pods(name) for name in names), what="all have pods")
    (done,) = site.pods("is-done")
    site.controller.kill()
    site.says(done["metadata"]["name"], phase="Succeeded")
    site.cluster.kubectl("patch", "qcj", "is-held", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    site.controller.restart()
    site.phase("is-held", "Suspended")
    eventually(lambda: not site.pods("is-held"), what="the pods of the suspended job are gone")
    site.says(site.open_pod("goes-on"), phase="Succeeded")
    site.phase("goes-on", "Complete")
    site.phase("is-done", "Complete")
    assert [len(site.pods(name)) for name in names] == [1, 1, 0]
