"""The objects of the project's Helm chart, as ``helm template`` writes them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.kubernetes.rig.build import KUBERNETES
from tests.kubernetes.rig.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "deploy" / "helm" / "qsched"
CRDS = REPOSITORY / "crds"
RELEASE = "qsched"
NAMESPACE = "qsched-system"
ACCESS_KINDS = frozenset(
    {"Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
)
"""What a program that runs outside the cluster needs of the chart: who it is and what it may do."""


def render(helm: Path, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chart's objects, without its CRDs.

    Args:
        helm: The helm command.
        values: Over those of the chart.

    Raises:
        RigError: If the chart does not render; with helm's words.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(dict(values), file)
        file.flush()
        options = ["--kube-version", KUBERNETES, "--namespace", NAMESPACE, "--values", file.name]
        command = [str(helm), "template", RELEASE, str(CHART), *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RigError(f"helm template {CHART} failed: {done.stderr.strip()}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]
