"""The pod of a task, and a backend's ``podTemplate`` laid over it."""

from __future__ import annotations

import msgspec
import pytest

from qsched.drivers.parameters import read_parameters
from qsched.errors import InvalidInput
from qsched_aer.parameters import AerParameters
from qsched_aer.task_objects import device_label
from qsched_aer.task_pod import task_pod


def pod(template=None, *, image="qsched:1", memory_mb=300, **cluster):
    declared = {"cluster": {**cluster, **({"podTemplate": template} if template else {})}}
    return task_pod("t0", memory_mb, msgspec.convert(declared, AerParameters), image)


def container(template):
    (only,) = template["spec"]["containers"]
    return only


def test_a_task_may_use_its_own_secret_and_no_more():
    spec = pod()["spec"]
    assert spec["serviceAccountName"] == "aer-t0"
    assert spec["automountServiceAccountToken"] is False
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["task"]["secret"]["secretName"] == "aer-t0"
    (token,) = [it for it in volumes["api"]["projected"]["sources"] if "serviceAccountToken" in it]
    assert token["serviceAccountToken"]["expirationSeconds"] == 600


def test_a_task_asks_for_what_it_was_estimated_to_need():
    resources = container(pod(cpu=0.5, memory_mb=1234))["resources"]
    assert resources == {"requests": {"cpu": "500m", "memory": "1234Mi"}, "limits": {"memory": "1234Mi"}}


@pytest.mark.parametrize(
    ("parameters", "threads"), [({}, 1), ({"cluster": {"cpu": 2.5}}, 3), ({"threads": 8}, 8)]
)
def test_a_simulation_has_a_thread_for_each_processor(parameters, threads):
    assert msgspec.convert(parameters, AerParameters).pod_threads() == threads


def test_a_deadline_is_of_the_run_and_not_of_the_wait_for_a_node():
    assert pod(activeDeadlineSeconds=60)["spec"]["activeDeadlineSeconds"] == 60


def test_a_template_adds_and_replaces():
    made = pod(
        {
            "metadata": {"labels": {"team": "blue"}},
            "spec": {
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "batch", "operator": "Exists"}],
                "securityContext": {"runAsUser": 1000},
                "volumes": [{"name": "code", "hostPath": {"path": "/opt"}}, {"name": "tmp", "emptyDir": {}}],
                "containers": [
                    {
                        "imagePullPolicy": "Never",
                        "command": ["/opt/python"],
                        "env": [{"name": "HOME", "value": "/home"}, {"name": "LANG", "value": "C.UTF-8"}],
                        "volumeMounts": [{"name": "code", "mountPath": "/opt"}],
                        "resources": {"limits": {"cpu": "2"}},
                    }
                ],
            },
        }
    )
    assert made["metadata"]["labels"]["team"] == "blue"
    assert made["metadata"]["labels"]["qsched.io/task"] == "t0"
    spec = made["spec"]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert [it["name"] for it in spec["volumes"]] == ["task", "api", "tmp", "code"]
    assert spec["volumes"][2] == {"name": "tmp", "emptyDir": {}}
    it = container(made)
    assert (it["command"], it["args"], it["imagePullPolicy"]) == (["/opt/python"], ["aer-t0"], "Never")
    assert {var["name"]: var["value"] for var in it["env"]} == {
        "HOME": "/home",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    assert [mount["mountPath"] for mount in it["volumeMounts"]][-1] == "/opt"
    assert it["resources"]["limits"] == {"memory": "300Mi", "cpu": "2"}


def test_null_removes_what_a_cluster_sets_itself():
    made = pod({"spec": {"securityContext": {"runAsUser": None, "runAsGroup": None}}})
    assert "runAsUser" not in made["spec"]["securityContext"]
    assert "runAsGroup" not in made["spec"]["securityContext"]


def test_the_tasks_container_may_be_named_and_others_stand_beside_it():
    made = pod(
        {
            "spec": {
                "containers": [
                    {"name": "task", "tty": False},
                    {"name": "proxy", "image": "proxy:2"},
                ]
            }
        }
    )
    assert [(it["name"], it["image"]) for it in made["spec"]["containers"]] == [
        ("task", "qsched:1"),
        ("proxy", "proxy:2"),
    ]


def test_the_image_is_the_templates_the_parameters_or_the_controllers():
    template = {"spec": {"containers": [{"image": "templates:1"}]}}
    parameters = msgspec.convert({"cluster": {"image": "parameters:1"}}, AerParameters)
    assert container(pod())["image"] == "qsched:1"
    assert container(task_pod("t0", 300, parameters, "qsched:1"))["image"] == "parameters:1"
    assert container(pod(template))["image"] == "templates:1"


def test_without_an_image_it_says_where_one_is_named():
    with pytest.raises(InvalidInput, match=r"spec\.parameters\.cluster\.image: names no image"):
        pod(image="")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"spec": {"containers": {"image": "x"}}}, r"podTemplate\.spec\.containers: is not a list"),
        ({"spec": {"volumes": ["code"]}}, r"spec\.volumes\[0\]: is not an object"),
        ({"spec": {"volumes": [{"emptyDir": {}}]}}, r"spec\.volumes\[0\]: has no 'name'"),
        (
            {"spec": {"containers": [{"volumeMounts": [{"name": "code"}]}]}},
            r"containers\[0\]\.volumeMounts\[0\]: has no 'mountPath'",
        ),
    ],
)
def test_a_template_that_cannot_be_laid_over_says_where(template, message):
    with pytest.raises(InvalidInput, match=message):
        pod(template)


def test_one_manifest_serves_a_laptop_and_a_cluster():
    read_parameters({"workers": 1, "cluster": {"image": "mine:1", "cpu": 2}}, AerParameters, driver="aer")


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ({"imag": "mine:1"}, "unknown field `imag`"),
        ({"cpu": "500m"}, "cpu"),
        ({"cpu": 0}, "cpu"),
        ({"podTemplate": {"sepc": {}}}, "unknown field `sepc`"),
    ],
)
def test_wrong_words_about_a_cluster_are_refused_everywhere(cluster, message):
    with pytest.raises(InvalidInput, match=message):
        read_parameters({"cluster": cluster}, AerParameters, driver="aer")


def test_a_device_has_a_label():
    assert device_label("vigo") == "vigo"
    path = device_label("/var/lib/qsched/a device.qcal.json.gz")
    assert len(path) == 16
    assert path != device_label("/var/lib/qsched/another.qcal.json.gz")
