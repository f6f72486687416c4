"""The chart and the Kustomize manifests: rendered, taken by a real server, enough for what runs with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml

from qsched.cli.app import app
from qsched.version import VERSION
from tests.kubernetes.rig import RigError
from tests.kubernetes.rig.chart import NAMESPACE
from tests.kubernetes.rig.components import healthy, scheduler_command
from tests.kubernetes.rig.ports import free_port
from tests.kubernetes.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.rig import Cluster

    Template = Callable[..., list[dict[str, Any]]]

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGE = DEPLOY.parent / "docs" / "how-to" / "install-on-kubernetes.md"
CHART = DEPLOY / "helm" / "qsched"
CONTROLLER = f"{NAMESPACE}:qsched-controller"
SCHEDULER = f"{NAMESPACE}:qsched-scheduler"

VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": {
        "extender": {"tls": {"source": "cert-manager"}},
        "serviceMonitor": {"create": "always", "labels": {"release": "prometheus"}},
        "finalizerPolicy": {"create": "always"},
        "imagePullSecrets": [{"name": "registry"}],
        "image": {"repository": "registry.example.org/qsched", "digest": f"sha256:{'0' * 64}"},
        "networkPolicy": {
            "apiServer": {"cidrs": ["10.20.0.5/32"], "ports": [8443]},
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "controllerEgress": [{"ports": [{"port": 4318, "protocol": "TCP"}]}],
        },
        "controller": {
            "args": ["--uri-schemes=s3"],
            "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel:4318"}],
            "credentials": [{"namespace": "default", "secrets": ["ibm-token"]}],
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
        },
    },
    "an issuer of one's own": {
        "extender": {
            "tls": {"source": "cert-manager", "issuerRef": {"name": "ours", "kind": "ClusterIssuer"}}
        }
    },
    "a given Secret": {"extender": {"tls": {"source": "secret", "secretName": "extender-tls"}}},
    "small": {
        "controller": {"replicas": 1},
        "scheduler": {"replicas": 1, "image": {"tag": "v1.35.0"}},
        "crds": {"install": False},
        "networkPolicy": {"create": False},
        "podDisruptionBudget": {"create": False},
        "serviceMonitor": {"create": "never"},
        "finalizerPolicy": {"create": "never"},
        "users": {"aggregate": False, "backendReaders": []},
    },
}

STUBS = {
    "monitoring.coreos.com": {"v1": {"ServiceMonitor": "servicemonitors"}},
    "cert-manager.io": {"v1": {"Certificate": "certificates", "Issuer": "issuers"}},
}
"""APIs of other projects, as far as the chart has objects of theirs."""


def stubs() -> Iterator[dict[str, Any]]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for group, versions in STUBS.items():
        for version, kinds in versions.items():
            for kind, plural in kinds.items():
                served = {"name": version, "served": True, "storage": True}
                yield {
                    "apiVersion": "apiextensions.k8s.io/v1",
                    "kind": "CustomResourceDefinition",
                    "metadata": {"name": f"{plural}.{group}"},
                    "spec": {
                        "group": group,
                        "scope": "Namespaced",
                        "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                        "versions": [served | {"schema": {"openAPIV3Schema": anything}}],
                    },
                }


@pytest.fixture(scope="module")
def template(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """``helm template`` with values; fails with helm's words."""
    folder = tmp_path_factory.mktemp("helm")

    def render(values: dict[str, Any], command: str = "template", *words: str) -> list[dict[str, Any]]:
        file = folder / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        release = ["qsched"] if command == "template" else []
        asked = [
            *(binaries / "helm", command, *release, CHART, "--namespace", NAMESPACE),
            *("--kube-version", "1.36.3", "--values", file, *words),
        ]
        done = subprocess.run(asked, check=False, capture_output=True, text=True, env={"HOME": str(folder)})
        if done.returncode != 0:
            raise RigError(done.stderr)
        assert not done.stderr
        return [] if command == "lint" else [each for each in yaml.safe_load_all(done.stdout) if each]

    return render


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> Cluster:
    """A cluster whose namespace takes restricted pods only, and that knows the APIs of others."""
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(stubs()))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    cluster.kubectl("apply", "--server-side", "-f", DEPLOY / "kustomize" / "base" / "namespace.yaml")
    return cluster


def try_out(cluster: Cluster, objects: list[dict[str, Any]]) -> list[str]:
    """Let the server check objects as if they were applied; a warning is a failure."""
    done = cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"),
        input=yaml.safe_dump_all(objects),
    )
    assert not done.stderr
    return done.stdout.splitlines()


def pods_of(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods of the Deployments: the server warns about a bad template, but refuses only pods."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": each["metadata"]["name"], "namespace": NAMESPACE},
            "spec": each["spec"]["template"]["spec"],
        }
        for each in objects
        if each["kind"] == "Deployment"
    ]


def render_script() -> Any:
    spec = spec_from_file_location("deploy_render", DEPLOY / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_derived_files_are_current(binaries: Path) -> None:
    derived = render_script().rendered(str(binaries / "helm"))
    stale = [str(path) for path, text in derived.items() if not path.exists() or path.read_text() != text]
    assert not stale, "run: python deploy/render.py"
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == VERSION


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_server_takes_the_chart_without_a_warning(
    template: Template, restricted: Cluster, values: dict[str, Any]
) -> None:
    template(values, "lint", "--strict")
    objects = template(values)
    assert len(try_out(restricted, objects)) == len(objects)
    assert len(try_out(restricted, pods_of(objects))) == 2


def test_kustomize_makes_what_the_chart_makes(
    template: Template, restricted: Cluster, tmp_path: Path
) -> None:
    """By the overlay that the documentation shows: the base, and both components."""
    blocks = re.findall(r"```yml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (text,) = [each for each in blocks if "kind: Kustomization" in each]
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(text)
    (tmp_path / "qsched").mkdir()
    shutil.copytree(DEPLOY, tmp_path / "qsched" / "deploy")
    made = list(yaml.safe_load_all(restricted.kubectl("kustomize", tmp_path / "overlay").stdout))
    try_out(restricted, made)
    try_out(restricted, pods_of(made))

    image = f"registry.example.org/qsched:{VERSION}"
    wanted = template(
        {
            "image": {"repository": "registry.example.org/qsched"},
            "finalizerPolicy": {"create": "always"},
            "serviceMonitor": {"create": "always"},
        }
    )
    assert names(made) == names(wanted) | {("Namespace", NAMESPACE)}
    assert containers(made) == containers(wanted)
    assert {"name": "TASK_IMAGE", "value": image} in containers(made)[0]["env"]


def names(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in objects}


def containers(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for pod in pods_of(objects) for each in pod["spec"]["containers"]]


def test_pods_that_are_less_strict_are_refused(template: Template, restricted: Cluster) -> None:
    pod = pods_of(template({}))[0]
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(RigError, match='violates PodSecurity "restricted'):
        try_out(restricted, [pod])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"extender": {"tls": {"source": "secret"}}}, "secretName"),
        ({"controller": {"credentials": [{"namespace": "a", "secrets": []}]}}, "minItems"),
        ({"controler": {}}, "controler"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"serviceMonitor": {"create": True}}, "'auto', 'always', 'never'"),
    ],
)
def test_wrong_values_are_refused(template: Template, values: dict[str, Any], words: str) -> None:
    with pytest.raises(RigError, match=words):
        template(values)


def test_an_older_cluster_is_told_so(template: Template) -> None:
    with pytest.raises(RigError, match=r"requires kubeVersion: >=1\.30"):
        template({}, "template", "--kube-version", "1.29.0")


@pytest.mark.parametrize("chosen", ["default", "everything"])
def test_the_commands_know_the_flags(template: Template, chosen: str) -> None:
    commands: Any = typer.main.get_command(app)
    ours = [each["args"] for each in containers(template(VALUES[chosen])) if each["name"] != "scheduler"]
    assert [args[0] for args in ours] == ["controller", "extender"]
    for command, *flags in ours:
        known = {name for each in commands.commands[command].params for name in each.opts}
        assert {flag.partition("=")[0] for flag in flags} <= known


def test_helm_installs_upgrades_and_leaves_the_jobs(
    start_cluster: Callable[..., Cluster], binaries: Path, tmp_path: Path
) -> None:
    cluster = start_cluster()

    def helm(*words: str) -> str:
        asked = [binaries / "helm", *words, "--namespace", NAMESPACE, "--kubeconfig", cluster.kubeconfig()]
        done = subprocess.run(asked, check=True, capture_output=True, text=True, env={"HOME": str(tmp_path)})
        return done.stdout

    said = helm("install", "qsched", str(CHART), "--create-namespace")
    assert f"qsched {VERSION} is installed in namespace {NAMESPACE}" in said
    assert "MutatingAdmissionPolicy" not in said  # the server has the API, so it was installed
    cluster.kubectl("get", "mutatingadmissionpolicy", "qsched-finalizer")
    chosen = "jsonpath={.spec.template.spec.containers[0].image}"
    image = cluster.kubectl("get", "deployment", "qsched-scheduler", "-n", NAMESPACE, "-o", chosen).stdout
    assert image.endswith(":v1.36.3")  # the server's own version

    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    create = ("create", "-f", DEPLOY.parent / "examples" / "ghz.yaml")
    # Policies know the schema of a new resource some seconds after the API does.
    until(lambda: cluster.kubectl(*create, check=False).returncode == 0, "jobs are taken")
    helm("upgrade", "qsched", str(CHART), "--set", "controller.replicas=1")
    helm("uninstall", "qsched")
    assert cluster.kubectl("get", "quantumcircuitjobs", "-o", "name").stdout.count("/") == 1


def test_the_scheduler_works_with_its_account_and_configuration(
    cluster: Cluster, template: Template, tmp_path: Path
) -> None:
    cluster.install_chart()
    (given,) = [each for each in template({}) if each["kind"] == "ConfigMap"]
    config = yaml.safe_load(given["data"]["config.yaml"])
    config["clientConnection"]["kubeconfig"] = str(cluster.kubeconfig(SCHEDULER))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    serving = cluster.authority.issue("chart-scheduler", "127.0.0.1", user="kube-scheduler")
    command = scheduler_command(cluster.programs, config=tmp_path / "config.yaml", serving=serving, port=port)
    for option in ("authentication", "authorization"):
        command.append(f"--{option}-kubeconfig={cluster.kubeconfig(SCHEDULER)}")
    scheduler = cluster.run("chart-scheduler", command, ready=lambda: healthy(cluster.authority, port))

    cluster.add_fake_nodes(1, prefix="chart")
    containers = [{"name": "main", "image": "none"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain"}}
    pod["spec"] = {"schedulerName": "qsched-scheduler", "containers": containers}
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump(pod))
    cluster.kubectl("wait", "--for=condition=PodScheduled", "pod/plain", "--timeout=30s")
    # One that wants a QPU must not be scheduled while its extender does not answer.
    pod["metadata"] = {"name": "hybrid"}
    containers[0]["resources"] = {"limits": {"qsched.io/qpu": "1"}}  # type: ignore[assignment]
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump(pod))
    until(lambda: "127.0.0.1:8888" in cluster.kubectl("get", "events").stdout, "an event names the extender")
    scheduler.kill()

    user = f"system:serviceaccount:{SCHEDULER}"
    refused = {
        (each.verb, each.resource) for each in cluster.audit() if each.user == user and each.code == 403
    }
    assert not refused
    lease = cluster.kubectl("get", "lease", "qsched-scheduler", "-n", NAMESPACE, "-o", "json").stdout
    assert json.loads(lease)["spec"]["holderIdentity"]
