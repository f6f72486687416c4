"""Who may do what: the accounts of qsched's own programs, users by their roles, and policies that refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.kubernetes.rig.chart import ACCESS_KINDS, NAMESPACE
from tests.kubernetes.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.rig import Cluster

DEPLOY = Path(__file__).parents[2] / "deploy"
CONTROLLER = f"{NAMESPACE}:qsched-controller"
SCHEDULER = f"{NAMESPACE}:qsched-scheduler"
QASM = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; h q[0]; c = measure q;'
PEOPLE = ("--as=ana", "--as-group=chemistry", "--as-group=system:authenticated")
POLICIES = {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}


@pytest.fixture(scope="module")
def cluster(start_cluster: Callable[..., Cluster]) -> Cluster:
    """One with the chart's accounts, roles and policies; the controller-manager aggregates roles."""
    cluster = start_cluster(controllers=True)
    cluster.install_crds()
    values = {
        "finalizerPolicy": {"create": "always"},
        "controller": {"credentials": [{"namespace": "default", "secrets": ["ibm-token"]}]},
    }
    cluster.install_chart(values, kinds={*ACCESS_KINDS, *POLICIES})
    cluster.kubectl("apply", "-f", DEPLOY / "policies")
    for namespace, label in (("chemistry", "backends=by-permission"), ("physics", "budgets=required")):
        cluster.create_namespace(namespace)
        cluster.kubectl("label", "namespace", namespace, f"qsched.io/{label}")
        cluster.kubectl(
            *("create", "rolebinding", "ana", "--clusterrole=edit", "--group=chemistry", "-n", namespace)
        )
    until(lambda: may(cluster, PEOPLE, "create quantumcircuitjobs -n physics"), "edit covers jobs")
    return cluster


def may(cluster: Cluster, who: str | tuple[str, ...], what: str) -> bool:
    """Whether an account, or a person, may do something: ``verb resource -n namespace``."""
    words = ("auth", "can-i", *what.split())
    if isinstance(who, str):
        return cluster.kubectl(*words, user=who, check=False).returncode == 0
    return cluster.kubectl(*words, *who, check=False).returncode == 0


@pytest.mark.parametrize(
    ("who", "what", "allowed"),
    [
        (CONTROLLER, "watch quantumcircuitjobs -A", True),
        (CONTROLLER, "patch quantumcircuitjobs --subresource=status -n default", True),
        (CONTROLLER, "create quantumcircuitjobs -n default", False),
        (CONTROLLER, "patch quantumbackends --subresource=status", True),
        (CONTROLLER, "patch quantumbackends", False),
        (CONTROLLER, "get configmaps -n default", True),
        (CONTROLLER, "list configmaps -n default", False),
        (CONTROLLER, "create pods -n default", True),
        (CONTROLLER, "get nodes", False),
        (CONTROLLER, f"watch secrets -n {NAMESPACE}", True),
        (CONTROLLER, "get secrets -n default", False),
        (CONTROLLER, "get secrets/ibm-token -n default", True),
        (CONTROLLER, f"update leases.coordination.k8s.io/qsched-controller -n {NAMESPACE}", True),
        (CONTROLLER, f"update leases.coordination.k8s.io/qsched-scheduler -n {NAMESPACE}", False),
        (CONTROLLER, f"create jobs.batch -n {NAMESPACE}", True),
        (CONTROLLER, "create jobs.batch -n default", False),
        (SCHEDULER, "watch nodes", True),
        (SCHEDULER, "watch quantumcircuitjobs -A", True),
        (SCHEDULER, "patch quantumcircuitjobs -n default", False),
        (SCHEDULER, f"get secrets -n {NAMESPACE}", False),
        (SCHEDULER, f"update leases.coordination.k8s.io/qsched-scheduler -n {NAMESPACE}", True),
        (PEOPLE, "delete quantumcircuitjobs -n chemistry", True),
        (PEOPLE, "create quantumcircuitjobs -n default", False),
        (PEOPLE, "patch quantumcircuitjobs --subresource=status -n chemistry", False),
        (PEOPLE, "list quantumbackends", True),
        (PEOPLE, "create quantumbackends", False),
    ],
)
def test_each_has_what_it_needs_and_no_more(
    cluster: Cluster, who: str | tuple[str, ...], what: str, *, allowed: bool
) -> None:
    assert may(cluster, who, what) is allowed


def test_a_hybrid_pod_may_submit_in_its_namespace(cluster: Cluster) -> None:
    cluster.kubectl("create", "serviceaccount", "pod", "-n", "physics")
    cluster.kubectl(
        *("create", "rolebinding", "pod", "--clusterrole=qsched-hybrid", "--serviceaccount=physics:pod"),
        *("-n", "physics"),
    )
    assert may(cluster, "physics:pod", "create quantumcircuitjobs -n physics")
    assert may(cluster, "physics:pod", "get quantumbackends")
    assert not may(cluster, "physics:pod", "create quantumcircuitjobs -n chemistry")
    assert not may(cluster, "physics:pod", "list secrets -n physics")


def test_the_controller_grants_tasks_their_secret_and_cannot_grant_more(cluster: Cluster) -> None:
    def grant(name: str, *role: str) -> str:
        here = ("-n", NAMESPACE)
        for words in (
            ("role", name, *role),
            ("rolebinding", name, f"--role={name}", f"--serviceaccount={NAMESPACE}:{name}"),
        ):
            done = cluster.kubectl("create", *words, *here, user=CONTROLLER, check=False)
            if done.returncode:
                return done.stderr
        return ""

    assert not grant("task", "--verb=patch", "--resource=secrets", "--resource-name=task")
    refused = "attempting to grant RBAC permissions not currently held"
    assert refused in grant("greedy", "--verb=delete", "--resource=secrets")
    admin = ("rolebinding", "root", "--clusterrole=cluster-admin", f"--serviceaccount={CONTROLLER}")
    done = cluster.kubectl("create", *admin, "-n", NAMESPACE, user=CONTROLLER, check=False)
    assert refused in done.stderr


def job(name: str, namespace: str, labels: dict[str, str] | None = None, **spec: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "qsched.io/v1alpha1",
            "kind": "QuantumCircuitJob",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"shots": 10, "circuits": [{"name": "coin", "qasm": QASM}], **spec},
        }
    )


def finalizers(cluster: Cluster, manifest: str) -> list[str]:
    said = cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", input=manifest).stdout
    return json.loads(said)["metadata"].get("finalizers", [])


def test_jobs_get_the_finalizer_as_they_are_created(cluster: Cluster) -> None:
    plain = job("plain", "default")
    until(lambda: finalizers(cluster, plain) == ["qsched.io/cancel"], "the policy works")
    assert finalizers(cluster, job("other", "default", managedBy="example.org/mine")) == []
    named = yaml.safe_load(plain)
    named["metadata"]["finalizers"] = ["qsched.io/cancel", "example.org/mine"]
    assert sorted(finalizers(cluster, yaml.safe_dump(named))) == ["example.org/mine", "qsched.io/cancel"]


def refusal(cluster: Cluster, manifest: str, *who: str) -> str:
    """Why a job is refused; empty if it is not."""
    done = cluster.kubectl("create", "--dry-run=server", "-f", "-", *who, input=manifest, check=False)
    assert (done.returncode == 0) is (not done.stderr)
    return done.stderr


def test_backends_are_used_by_permission(cluster: Cluster) -> None:
    rule = {"apiGroups": ["qsched.io"], "resources": ["quantumbackends"], "verbs": ["use"]}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "use-torino"},
        "rules": [{**rule, "resourceNames": ["torino"]}],
    }
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(role))
    cluster.kubectl("create", "clusterrolebinding", "torino", "--clusterrole=use-torino", "--group=chemistry")

    def with_backends(*names: str, name: str = "a") -> str:
        return job(name, "chemistry", requirements={"backends": list(names)})

    anything = job("a", "chemistry")
    until(lambda: refusal(cluster, anything, *PEOPLE), "the policy works")
    assert "name those to use in spec.requirements.backends" in refusal(cluster, anything, *PEOPLE)
    until(lambda: not refusal(cluster, with_backends("torino"), *PEOPLE), "the role is bound")
    said = refusal(cluster, with_backends("torino", "boston"), *PEOPLE)
    assert "ana may not use all of torino, boston" in said
    assert not refusal(cluster, anything)  # an administrator may use every backend
    assert not refusal(cluster, job("a", "default", requirements={"backends": ["boston"]}))
    many = with_backends(*(f"backend-{number}" for number in range(64)))
    assert "ana may not use all of backend-0" in refusal(cluster, many, *PEOPLE)


def test_every_job_is_put_down_to_a_budget(cluster: Cluster) -> None:
    def of(budget: str, amount: str = "25.00", currency: str = "USD") -> str:
        cost = {"maxCost": {"amount": amount, "currency": currency}}
        return job("b", "physics", {"qsched.io/budget": budget}, requirements=cost)

    until(lambda: refusal(cluster, job("b", "physics")), "the policy works")
    cluster.kubectl("annotate", "namespace", "physics", "budget.qsched.io/optics=25.00 USD")
    until(lambda: not refusal(cluster, of("optics")), "the budget is known")

    assert "label the job with qsched.io/budget; its budgets: optics" in refusal(cluster, job("b", "physics"))
    assert "there is no budget 'acoustics'" in refusal(cluster, of("acoustics"))
    limit = "a job on the budget 'optics' may cost at most 25.00 USD: set spec.requirements.maxCost"
    for bad in (
        of("optics", "25.01"),
        of("optics", "5.00", "EUR"),
        job("b", "physics", {"qsched.io/budget": "optics"}),
    ):
        assert limit in refusal(cluster, bad)

    cluster.kubectl("create", "-f", "-", input=of("optics"))
    mine = ("qcj", "b", "-n", "physics")
    relabelled = cluster.kubectl("label", *mine, "qsched.io/budget-", check=False)
    assert "label the job with qsched.io/budget" in relabelled.stderr
    # A budget that is closed must hold up neither its jobs nor their deletion.
    cluster.kubectl("annotate", "namespace", "physics", "budget.qsched.io/optics-")
    until(lambda: refusal(cluster, of("optics").replace("name: b", "name: c")), "the budget is closed")
    cluster.kubectl("patch", *mine, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    cluster.kubectl("patch", *mine, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    cluster.kubectl("delete", *mine, "--timeout=20s")
