"""A containerd of the node's own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.images import PAUSE, images, write_archive
from tests.kubernetes.rig.namespace import BRIDGE, NODE_IP

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.rig.prerequisites import Tools

SOCKET = "/run/containerd/containerd.sock"

# restrict_oom_score_adj: without CAP_SYS_RESOURCE, as in many containers and sandboxes, nobody may lower an
# OOM score, and runc would fail.
_CONFIG = """\
version = 2
root = "/run/containerd/root"
state = "/run/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        Root = "/run/runc"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{folder}"
"""
_NETWORK = """\
{{
  "cniVersion": "0.4.0", "name": "rig", "plugins": [{{
    "type": "bridge", "bridge": "{bridge}", "isGateway": true,
    "ipam": {{
      "type": "host-local", "dataDir": "/run/cni",
      "ranges": [[{{
        "subnet": "10.88.0.0/16", "rangeStart": "10.88.1.1", "rangeEnd": "10.88.254.254", "gateway": "{node}"
      }}]],
      "routes": [{{"dst": "0.0.0.0/0"}}]
    }}
  }}]
}}
"""


def containerd_command(tools: Tools, folder: Path) -> list[str]:
    """Write the configuration and give the command that uses it.

    Args:
        tools: Where the host's programs are.
        folder: For the configuration; alone in it, the network's is the one that containerd takes.
    """
    network = folder / "cni"
    network.mkdir(parents=True)
    (network / "10-rig.conflist").write_text(_NETWORK.format(bridge=BRIDGE, node=NODE_IP))
    config = folder / "containerd.toml"
    config.write_text(
        _CONFIG.format(socket=SOCKET, pause=PAUSE, runc=tools.runc, cni=tools.cni, folder=network)
    )
    return [str(tools.containerd), f"--config={config}"]


def import_images(tools: Tools, folder: Path, prefix: tuple[str, ...]) -> None:
    """Make the images and hand them to containerd.

    Args:
        tools: Where the host's programs are.
        folder: For the archives.
        prefix: The way into the namespace where containerd runs.

    Raises:
        RigError: If containerd refuses one.
    """
    for image in images(tools.busybox):
        archive = folder / f"{image.name.rpartition('/')[2].replace(':', '-')}.tar"
        write_archive(image, archive)
        command = [*prefix, str(tools.ctr), f"--address={SOCKET}", "--namespace=k8s.io", "images", "import"]
        done = subprocess.run(
            [*command, str(archive)], check=False, capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise RigError(f"containerd does not take {image.name}: {done.stderr.strip()}")
