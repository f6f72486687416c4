"""Pods made from the templates of hybrid jobs."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, Classical, JobSpec, QuantumCircuitJob
from qsched.errors import InvalidInput
from qsched.kube.pods_template import make_pod, pod_names

FOLDER = "/var/run/secrets/qsched.io"


def hybrid(
    template: dict[str, Any], name: str = "qaoa", completions: int = 1, uid: str = "u1"
) -> QuantumCircuitJob:
    return QuantumCircuitJob(
        metadata=ObjectMeta(name=name, namespace="lab", uid=uid),
        spec=JobSpec(
            circuits=[Circuit(name="bell", qasm="OPENQASM 2.0;")],
            classical=Classical(template=template, completions=completions),
        ),
    )


def template(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "image": "x"}], **spec}}


def made(template: dict[str, Any], **more: Any) -> dict[str, Any]:
    before = copy.deepcopy(template)
    pod = make_pod(hybrid(template, **more), 1, 0)
    assert template == before  # the job's declaration is shared
    return pod


def test_what_a_pod_needs_is_added() -> None:
    pod = made(template())
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert spec["schedulerName"] == "qsched-scheduler"
    assert spec["schedulingGates"] == [{"name": "qsched.io/quantum"}]
    assert spec["restartPolicy"] == "Never"
    assert container["resources"] == {"requests": {"qsched.io/qpu": "1"}, "limits": {"qsched.io/qpu": "1"}}
    assert container["volumeMounts"] == [{"name": "qsched-token", "mountPath": FOLDER, "readOnly": True}]
    fixed = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert fixed == {"QSCHED_JOB": "qaoa", "QSCHED_NAMESPACE": "lab", "QSCHED_JOB_UID": "u1"}
    assert pod["metadata"]["annotations"] == {"qsched.io/job": "qaoa"}
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("u1", True, True)


def test_what_the_user_says_wins() -> None:
    qpus = {"limits": {"qsched.io/qpu": "2"}}
    own = {
        "name": "main",
        "image": "x",
        "env": [{"name": "QSCHED_JOB", "value": "mine"}, {"name": "DEBUG", "value": "1"}],
        "volumeMounts": [{"name": "mine", "mountPath": FOLDER + "/"}],
        "resources": qpus,
    }
    pod = made(
        {
            "metadata": {"labels": {"team": "chem"}, "annotations": {"note": "x"}},
            "spec": {
                "containers": [own],
                "schedulerName": "volcano",
                "restartPolicy": "OnFailure",
                "schedulingGates": [{"name": "example.com/budget"}],
                "volumes": [{"name": "qsched-token", "emptyDir": {}}],
                "serviceAccount": "old",
            },
        }
    )
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert (spec["schedulerName"], spec["restartPolicy"]) == ("volcano", "OnFailure")
    assert [each["name"] for each in spec["schedulingGates"]] == ["example.com/budget", "qsched.io/quantum"]
    assert spec["volumes"] == [{"name": "qsched-token", "emptyDir": {}}]
    assert "serviceAccountName" not in spec
    assert container["resources"] == qpus
    assert container["volumeMounts"] == own["volumeMounts"]
    assert [each["value"] for each in container["env"] if each["name"] == "QSCHED_JOB"] == ["mine"]
    assert container["env"][-1] == {"name": "DEBUG", "value": "1"}
    assert pod["metadata"]["labels"]["team"] == "chem"


def test_every_container_finds_its_job_and_one_asks_for_the_qpu() -> None:
    init, side = {"name": "init", "image": "x"}, {"name": "side", "image": "x"}
    pod = made(template(containers=[{"name": "main", "image": "x"}, side], initContainers=[init]))
    containers = [*pod["spec"]["containers"], *pod["spec"]["initContainers"]]
    assert all("QSCHED_BACKEND" in {env["name"] for env in each["env"]} for each in containers)
    assert all(each["volumeMounts"][0]["mountPath"] == FOLDER for each in containers)
    assert ["resources" in each for each in containers] == [True, False, False]


def test_pods_of_a_set_know_their_index() -> None:
    pod = make_pod(hybrid(template(), completions=3), 2, 1)
    env = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
    assert (env["QSCHED_INDEX"], env["JOB_COMPLETION_INDEX"]) == ("1", "1")
    assert pod["metadata"]["name"].startswith("qaoa-2-1-")
    labels = pod["metadata"]["labels"]
    assert (labels["qsched.io/round"], labels["qsched.io/index"]) == ("2", "1")


@given(
    name=st.from_regex(r"[a-z0-9]([-.]?[a-z0-9]){0,120}", fullmatch=True),
    completions=st.integers(1, 64),
    number=st.integers(1, 200),
)
def test_names_are_short_valid_and_of_this_job_alone(name: str, completions: int, number: int) -> None:
    names = pod_names(hybrid(template(), name=name, completions=completions), number)
    again = pod_names(hybrid(template(), name=name, completions=completions), number)
    other = pod_names(hybrid(template(), name=name, completions=completions, uid="u2"), number)
    later = pod_names(hybrid(template(), name=name, completions=completions), number + 1)
    assert names == again
    assert len({*names, *other, *later}) == 3 * completions
    assert all(len(each) <= 63 and re.fullmatch(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?", each) for each in names)
    label = make_pod(hybrid(template(), name=name), 1, 0)["metadata"]["labels"]["qsched.io/job-name"]
    assert len(label) <= 63
    assert label == name or len(name) > 63


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"spec": {}}, "missing required field `containers`"),
        ({"spec": {"containers": []}}, "spec.containers: names no container"),
        ({"spec": {"containers": ["main"]}}, "is not a pod template"),
        (template(restartPolicy="Always"), "no pod ends; use Never or OnFailure"),
        ({**template(), "metadata": {"labels": ["a"]}}, "is not a pod template"),
        (template(volumes=[{"emptyDir": {}}]), "missing required field `name`"),
    ],
)
def test_what_is_no_template_is_refused_in_words(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape("spec.classical.template")) as caught:
        make_pod(hybrid(bad), 1, 0)
    assert words in str(caught.value)
