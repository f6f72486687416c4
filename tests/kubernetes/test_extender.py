"""The extender between a real kube-scheduler and a real API server, with the chart's rights."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qsched.api.job import Breakdown, Estimate, Placement, Weights
from qsched_extender.wire import (
    FilterResult,
    HostPriority,
    MetaPod,
    MetaVictims,
    NodeList,
    PreemptionResult,
    encode,
    read_args,
)
from tests.kubernetes.rig import NoGo
from tests.kubernetes.rig.build import TOOLS, cache_folder
from tests.kubernetes.rig.go import toolchain
from tests.kubernetes.rig.ports import free_port
from tests.kubernetes.rig.scheduler import extender_of
from tests.kubernetes.waiting import until

if TYPE_CHECKING:
    from tests.kubernetes.rig import Cluster

ACCOUNT = "qsched-system:qsched-scheduler"
GOLDEN = Path(__file__).parents[1] / "contract" / "extender"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
PLACEMENT = Placement(
    backend="heron",
    score=0.5,
    breakdown=Breakdown(fidelity=0.5, wait=0.5, coherence=0.5, cost=0.5, weights=Weights(fidelity=1)),
    estimate=Estimate(success=0.5, run_s=1, wait_s=1, wait_p90_s=1, critical_path_s=1e-6),
)
PATIENCE_S = 60.0


class Scene:
    """A cluster with the extender and the second scheduler, which speak TLS and know each other."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.port = free_port()
        self._health = free_port()
        server = cluster.authority.issue("extender", "127.0.0.1", user="extender")
        client = cluster.authority.issue("extender-client", user="scheduler")
        command = [
            *(sys.executable, "-m", "qsched.cli", "extender", "--nodes-min", "1"),
            *("--kubeconfig", cluster.kubeconfig(ACCOUNT), "--listen", f"127.0.0.1:{self.port}"),
            *("--health-listen", f"127.0.0.1:{self._health}"),
            *("--tls-cert", server.certificate, "--tls-key", server.key),
            *("--client-ca", cluster.authority.certificate),
        ]
        self.extender = cluster.run("extender", command, ready=self.ready)
        authority = cluster.authority.certificate
        self.scheduler = cluster.start_scheduler(
            extender_of(f"https://127.0.0.1:{self.port}", authority=authority, client=client), user=ACCOUNT
        )

    def ready(self) -> bool:
        try:
            return self.health("/readyz")[0] == 200
        except OSError:
            return False

    def health(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._health, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def asked(self, verb: str) -> float:
        """How often the scheduler has asked."""
        start = f'qsched_extender_request_seconds_count{{verb="{verb}"}} '
        text = self.health("/metrics")[1]
        return next(float(line.removeprefix(start)) for line in text.splitlines() if line.startswith(start))

    def apply(self, *objects: dict[str, Any]) -> None:
        self.cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(objects))

    def node_of(self, name: str) -> str:
        """The node of a pod once it has one."""
        found = [""]

        def bound() -> bool:
            found[0] = self._pod(name)["spec"].get("nodeName", "")
            return bool(found[0])

        until(bound, f"pod {name} has a node; {self.words(name)}", PATIENCE_S)
        return found[0]

    def hears(self, name: str, words: str) -> None:
        """Wait until the scheduler's Event says something to a pod, which is Pending then."""
        until(lambda: words in self.words(name), f"an Event of pod {name} says {words!r}", PATIENCE_S)
        assert "nodeName" not in self._pod(name)["spec"]

    def words(self, name: str) -> str:
        selector = f"--field-selector=involvedObject.name={name},reason=FailedScheduling"
        done = self.cluster.kubectl("get", "events", selector, "-o", "jsonpath={.items[*].message}")
        return done.stdout

    def _pod(self, name: str) -> dict[str, Any]:
        return json.loads(self.cluster.kubectl("get", "pod", name, "-o", "json").stdout)


def pod(
    name: str, *, qpu: bool = True, cpu: str = "100m", priority: str | None = None, **notes: str
) -> dict[str, Any]:
    """A pod for the second scheduler; ``notes`` are annotations ``qsched.io/...``."""
    requests = {"cpu": cpu} | ({"qsched.io/qpu": "1"} if qpu else {})
    resources = {"requests": requests, "limits": {key: "1" for key in requests if "/" in key}}
    annotations = {f"qsched.io/{key}": value for key, value in notes.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {
            "schedulerName": "qsched-scheduler",
            "containers": [{"name": "main", "image": "none", "resources": resources}],
            **({"priorityClassName": priority} if priority else {}),
        },
    }


def backend(name: str, location: str) -> dict[str, Any]:
    return {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumBackend",
        "metadata": {"name": name},
        "spec": {"driver": "fake", "device": name, "location": location},
    }


@pytest.fixture(scope="module")
def scene(cluster: Cluster) -> Scene:
    cluster.install_chart()
    cluster.add_fake_nodes(2, prefix="near", labels={ZONE: "eu-1a", REGION: "eu-1"})
    cluster.add_fake_nodes(2, prefix="far", labels={ZONE: "us-1a", REGION: "us-1"})
    cluster.add_fake_nodes(1, prefix="offline", labels={REGION: "eu-1", "qsched.io/network-class": "none"})
    cluster.add_fake_nodes(1, prefix="lab", labels={"qpu.qsched.io/eagle": "attached"})
    scene = Scene(cluster)
    scene.apply(backend("heron", "eu-1"), backend("eagle", "us-1"))
    # The API server has them; the extender's watch follows in its own time.
    until(
        lambda: 'cached_objects{resource="quantumbackends"} 2.0' in scene.health("/metrics")[1],
        "it knows both",
    )
    return scene


def test_pods_go_where_their_backend_is(scene: Scene) -> None:
    scene.apply(
        *(pod(f"near-{each}", backend="heron") for each in range(4)), pod("attached", backend="eagle")
    )
    assert {scene.node_of(f"near-{each}") for each in range(4)} == {"near-0", "near-1"}
    assert scene.node_of("attached") == "lab-0"


def test_pods_that_want_no_qpu_pay_nothing(scene: Scene) -> None:
    before = scene.asked("filter")
    scene.apply(pod("plain", qpu=False))
    scene.node_of("plain")
    assert scene.asked("filter") == before


def test_a_pod_without_a_job_stays_pending_and_hears_what_to_do(scene: Scene) -> None:
    scene.apply(pod("lost"))
    scene.hears("lost", "annotate it with qsched.io/job: <a QuantumCircuitJob of its namespace>")


def test_a_pod_starts_when_its_job_has_a_place(scene: Scene) -> None:
    scene.apply(pod("early", job="bell"))
    scene.hears("early", "default/bell does not exist: create that QuantumCircuitJob")
    scene.apply(
        {
            "apiVersion": "qsched.io/v1alpha1",
            "kind": "QuantumCircuitJob",
            "metadata": {"name": "bell", "namespace": "default"},
            "spec": {"circuits": [{"name": "bell", "qasm": BELL}]},
        }
    )
    scene.apply(pod("waiting", job="bell"))
    scene.hears("waiting", "default/bell waits for its placement")
    status = encode({"status": {"placement": PLACEMENT}}).decode()
    scene.cluster.kubectl("patch", "qcj", "bell", "--subresource=status", "--type=merge", "-p", status)
    scene.apply(pod("late", job="bell"))
    assert scene.node_of("late").startswith("near-")
    # The controller writes the backend on pods that wait, and so the scheduler looks at them again.
    scene.cluster.kubectl("annotate", "pod", "waiting", "early", "qsched.io/backend=heron")
    assert scene.node_of("waiting").startswith("near-")
    assert scene.node_of("early").startswith("near-")


def test_a_backend_that_is_gone_is_named(scene: Scene) -> None:
    scene.apply(pod("stranded", backend="osprey"))
    scene.hears("stranded", "backend osprey does not exist")


def test_a_dedicated_node_takes_the_pods_of_its_backend_only(scene: Scene) -> None:
    scene.cluster.add_fake_nodes(1, prefix="kept", labels={REGION: "ap-1"})
    scene.cluster.kubectl("taint", "node", "kept-0", "qsched.io/backend=kept:NoSchedule")
    scene.apply(backend("kept", "ap-1"), backend("other", "ap-1"))
    tolerations = [{"key": "qsched.io/backend", "operator": "Exists"}]
    for name in ("kept", "other"):
        each = pod(f"for-{name}", backend=name)
        each["spec"] |= {"tolerations": tolerations, "nodeSelector": {"kubernetes.io/hostname": "kept-0"}}
        scene.apply(each)
    assert scene.node_of("for-kept") == "kept-0"
    scene.hears("for-other", "node(s) kept for other backends (taint qsched.io/backend)")


def test_room_is_made_only_where_the_backend_is_served(scene: Scene) -> None:
    for name, value in (("small", 1), ("great", 1000)):
        scene.apply(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
            }
        )
    labels = {"full": "yes"}
    scene.cluster.add_fake_nodes(
        1, prefix="full-far", labels=labels | {"qsched.io/network-class": "none"}, capacity={"cpu": "1"}
    )
    scene.cluster.add_fake_nodes(
        1, prefix="full-near", labels=labels | {REGION: "eu-1"}, capacity={"cpu": "1"}
    )
    for name in ("full-far-0", "full-near-0"):
        filler = pod(f"on-{name}", qpu=False, cpu="900m", priority="small")
        filler["spec"]["nodeSelector"] = {"kubernetes.io/hostname": name}
        scene.apply(filler)
        scene.node_of(f"on-{name}")
    wanted = pod("great", cpu="900m", priority="great", backend="heron")
    wanted["spec"]["nodeSelector"] = labels
    scene.apply(wanted)
    until(lambda: scene.asked("preempt") > 0, "the scheduler asks about preemption", PATIENCE_S)
    going = ["get", "pods", "-o", "jsonpath={.items[?(@.metadata.deletionTimestamp)].metadata.name}"]
    until(
        lambda: scene.cluster.kubectl(*going).stdout == "on-full-near-0",
        "one pod has to go",
        PATIENCE_S,
    )
    scene.cluster.kubectl("delete", "pod", "on-full-near-0", "--force", "--grace-period=0")
    assert scene.node_of("great") == "full-near-0"


def test_pods_wait_for_an_extender_that_is_away(scene: Scene) -> None:
    scene.extender.kill()
    scene.apply(pod("patient", backend="heron"))
    scene.hears("patient", "connection refused")
    scene.extender.restart()
    assert scene.node_of("patient").startswith("near-")


def test_it_stops_when_it_is_told_to(scene: Scene) -> None:
    scene.extender.terminate()
    assert scene.extender.tail().rstrip().endswith("stopped")
    scene.extender.restart()


def test_it_only_reads_and_only_what_the_chart_grants(scene: Scene) -> None:
    requests = {
        (entry.verb, entry.resource, entry.code)
        for entry in scene.cluster.audit()
        if entry.agent.startswith("qsched-extender/")
    }
    resources = ("nodes", "quantumbackends", "quantumcircuitjobs")
    allowed = {(verb, each) for verb in ("list", "watch") for each in resources}
    assert {(verb, each) for verb, each, _ in requests} <= allowed
    assert {("list", each, 200) for each in resources} <= requests
    assert not {code for _, _, code in requests} & {401, 403}


def test_go_reads_our_answers(tmp_path: Path) -> None:
    """Every kind of answer, through the types that the scheduler decodes."""
    try:
        go = toolchain(cache_folder(), print)
    except NoGo as error:
        pytest.skip(str(error))
    nodes = read_args((GOLDEN / "args-nodes.json").read_bytes()).nodes
    victims = MetaVictims([MetaPod("u-1")], 2)
    answers = {
        "names": ("filter", FilterResult(node_names=["n1", "n2"])),
        "nodes": ("filter", FilterResult(nodes=nodes)),
        "none": ("filter", FilterResult(nodes=NodeList([]), failed_and_unresolvable_nodes={"n1": "<no>"})),
        "error": ("filter", FilterResult(error="not yet \u2028")),
        "scores": ("prioritize", [HostPriority("n1", 10), HostPriority("n2", 0)]),
        "no scores": ("prioritize", []),
        "victims": ("preempt", PreemptionResult({"n1": victims})),
        "no victims": ("preempt", PreemptionResult({})),
    }
    sent = {
        name: {"kind": kind, "answer": json.loads(encode(each))} for name, (kind, each) in answers.items()
    }
    done = subprocess.run(
        [go, "run", GOLDEN / "golden.go", "read"],
        cwd=TOOLS / "kubernetes",
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert read.keys() == answers.keys()
    assert read["names"]["NodeNames"] == ["n1", "n2"]
    assert [each["metadata"]["name"] for each in read["nodes"]["Nodes"]["items"]] == ["n1", "n2"]
    assert (read["none"]["Nodes"]["items"], read["none"]["FailedAndUnresolvableNodes"]) == (
        [],
        {"n1": "<no>"},
    )
    assert read["error"]["Error"] == "not yet \u2028"
    assert read["scores"] == [{"Host": "n1", "Score": 10}, {"Host": "n2", "Score": 0}]
    assert read["no scores"] == []
    assert read["victims"] == sent["victims"]["answer"]
    assert read["no victims"] == {"NodeNameToMetaVictims": {}}
