"""What a real node needs of the machine, and whether it is there."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

_CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
_CNI_PLUGINS = ("bridge", "host-local", "loopback")
_PACKAGES = "containerd runc iproute2 containernetworking-plugins busybox-static"


@dataclass(frozen=True)
class Tools:
    """Where the host's programs are."""

    containerd: Path
    ctr: Path
    runc: Path
    busybox: Path
    cni: Path


def node_tools() -> Tools | str:
    """The programs, or the reason why no node can run here."""
    if platform.system() != "Linux":
        return f"a kubelet runs on Linux, and this is {platform.system()}"
    if os.geteuid() != 0:
        return "a kubelet needs root: namespaces, mounts and cgroups"
    # Debian keeps them in /usr/sbin, which is not on everybody's PATH.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    wanted = ("containerd", "ctr", "runc", "busybox", "unshare", "nsenter", "ip")
    found = {name: shutil.which(name, path=path) for name in wanted}
    missing = [name for name, where in found.items() if where is None]
    cni = next((each for each in _CNI_FOLDERS if all((each / name).exists() for name in _CNI_PLUGINS)), None)
    if cni is None:
        missing.append(f"the network plugins {', '.join(_CNI_PLUGINS)}")
    busybox = Path(found["busybox"] or "/")
    if busybox.is_file() and b"/ld-" in busybox.read_bytes()[:4096]:
        missing.append("a statically linked busybox")
    if missing or cni is None:
        return f"missing: {', '.join(missing)} (on Debian: apt-get install {_PACKAGES})"
    return Tools(
        containerd=Path(found["containerd"] or ""),
        ctr=Path(found["ctr"] or ""),
        runc=Path(found["runc"] or ""),
        busybox=busybox,
        cni=cni,
    )
