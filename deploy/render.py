"""Write what is derived under deploy/: the chart's CRDs and its version, and the Kustomize manifests.

    python deploy/render.py [--helm HELM]

``qsched/version.py``, ``crds/`` and the chart are the sources. Helm renders the chart with its default
values, and what only Helm cares about is taken out, so that the manifests read as if written by hand.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from qsched.version import VERSION

DEPLOY = Path(__file__).parent
CRDS = DEPLOY.parent / "crds"
CHART = DEPLOY / "helm" / "qsched"
KUSTOMIZE = DEPLOY / "kustomize"

NAMESPACE = "qsched-system"
KUBERNETES = "1.36.3"
"""Whose scheduler the manifests name; overlays set that of their own cluster."""

FILES = {
    "base/controller.yaml": "controller/",
    "base/scheduler.yaml": "scheduler/",
    "base/users.yaml": "users/",
    "base/network.yaml": "network.yaml",
    "base/disruption.yaml": "disruption.yaml",
    "components/finalizer-policy/policy.yaml": "finalizer-policy.yaml",
    "components/service-monitor/monitors.yaml": "monitoring.yaml",
}
"""Manifests, and the templates that each is made of."""

_HEADER = "# Rendered from deploy/helm/qsched by deploy/render.py; edit the chart, not this file.\n"
_OF_HELM = re.compile(r"^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: qsched/templates/(.+)\n", re.MULTILINE)


def rendered(helm: str) -> dict[Path, str]:
    """Every derived file and its text.

    Args:
        helm: The helm command, version 3.

    Raises:
        subprocess.CalledProcessError: If the chart does not render.
    """
    chart = CHART / "Chart.yaml"
    derived = {chart: re.sub(r"(?m)^(version|appVersion): .*$", rf"\1: {VERSION}", chart.read_text("utf-8"))}
    derived |= {CHART / "files" / "crds" / crd.name: crd.read_text("utf-8") for crd in CRDS.glob("*.yaml")}
    documents = _template(helm)
    for name, prefix in FILES.items():
        texts = [text for template, text in documents if template.startswith(prefix)]
        derived[KUSTOMIZE / name] = _HEADER + "---\n".join(texts)
    return derived


def _template(helm: str) -> list[tuple[str, str]]:
    """The chart's documents in the order in which they are to be applied, each with its template's path."""
    command = [helm, "template", "qsched", str(CHART), "--namespace", NAMESPACE, "--kube-version", KUBERNETES]
    values = ["crds.install=false", "finalizerPolicy.create=always", "serviceMonitor.create=always"]
    for value in values:
        command += ["--set", value]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    documents = []
    for document in re.split(r"^---\n", text, flags=re.MULTILINE):
        source = _SOURCE.match(document)
        if source is not None:
            body = _OF_HELM.sub("", document[source.end() :]).strip("\n") + "\n"
            documents.append((source.group(1), body))
    return documents


def main() -> None:
    """Write the files that changed, and say which."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--helm", default=shutil.which("helm"), help="the helm command; from PATH by default")
    helm = parser.parse_args().helm
    if helm is None:
        parser.error("there is no helm on the PATH; name one with --helm")
    try:
        derived = rendered(helm)
    except subprocess.CalledProcessError:
        sys.exit("helm could not render the chart; see above")
    for path, text in derived.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {path.relative_to(DEPLOY.parent)}\n")


if __name__ == "__main__":
    main()
