"""The kubelet's configuration and command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.kubernetes.rig.containerd import SOCKET
from tests.kubernetes.rig.namespace import NODE_IP

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.rig.pki import Pair


def kubelet_command(
    program: Path,
    folder: Path,
    *,
    name: str,
    kubeconfig: Path,
    serving: Pair,
    authority: Path,
    cgroup: str,
    labels: str,
) -> list[str]:
    """Write the configuration and give the command that uses it.

    Args:
        program: The kubelet.
        folder: For the configuration and the pods' logs.
        name: The node's.
        kubeconfig: As whom it asks: ``system:node:<name>``.
        serving: Its certificate.
        authority: Whose clients it answers.
        cgroup: Below which its pods live.
        labels: ``name=value``, with commas between.
    """
    config = folder / "kubelet.yaml"
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "resolvConf": "",
        "podLogsDir": str(folder / "pods"),
        "volumePluginDir": "/run/kubelet/plugins",
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "oomScoreAdj": 0,
        "maxPods": 250,
        # Tests wait for what the status says, such as an extended resource.
        "nodeStatusUpdateFrequency": "1s",
    }
    config.write_text(yaml.safe_dump(content, sort_keys=False))
    return [
        str(program),
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={name}",
        f"--node-ip={NODE_IP}",
        f"--node-labels={labels}",
        "--root-dir=/run/kubelet",
        "--cert-dir=/run/kubelet/pki",
    ]
