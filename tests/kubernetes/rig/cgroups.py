"""A node's place among the host's cgroups; unlike everything else of it, it does not vanish by itself."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.kubernetes.rig.errors import RigError

_MOUNT = Path("/sys/fs/cgroup")
_EMPTY_WITHIN_S = 10.0
_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")


class Cgroups:
    """A cgroup in every hierarchy, for a kubelet with the cgroupfs driver; version 1 or 2.

    Attributes:
        name: Its path from the hierarchies' root.
    """

    def __init__(self) -> None:
        self.name = f"/qsched-rig-{os.getpid()}-{time.monotonic_ns() % 10**9}"
        self._version_2 = (_MOUNT / "cgroup.controllers").exists()
        roots = [_MOUNT] if self._version_2 else _mounted()
        self._folders = [root / self.name.lstrip("/") for root in roots]

    def create(self) -> None:
        """Make them.

        Raises:
            RigError: If the kernel refuses.
        """
        try:
            if self._version_2:
                control = _MOUNT / "cgroup.subtree_control"
                control.write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
            for folder in self._folders:
                folder.mkdir()
                # In version 1 a cpuset is born empty, and nothing can run in it.
                for file in () if self._version_2 else ("cpuset.cpus", "cpuset.mems"):
                    if (folder / file).exists():
                        (folder / file).write_text((folder.parent / file).read_text())
        except OSError as error:
            raise RigError(f"no cgroup for the node: {error}") from error

    def remove(self) -> None:
        """Take them away with all that is below, as soon as their last process is gone.

        Raises:
            RigError: If something keeps running in them.
        """
        deadline = time.monotonic() + _EMPTY_WITHIN_S
        for folder in self._folders:
            while folder.exists():
                try:
                    for path, _, _ in os.walk(folder, topdown=False):
                        Path(path).rmdir()
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise RigError(f"{folder} cannot be removed: {error}") from error
                    time.sleep(0.05)


def _mounted() -> list[Path]:
    """The mount points of all hierarchies: those of version 1, and perhaps an empty one of version 2."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(mount[1]) for mount in mounts if mount[2] in {"cgroup", "cgroup2"}]
