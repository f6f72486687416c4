"""The machine in the machine: namespaces in which a node's programs neither harm the host nor outlive us.

One process holds a network, a mount and a process namespace. When it ends, however it ends, the kernel ends
every process in them and takes their mounts and interfaces away; only ``cgroups`` are left to remove.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.program import Program

if TYPE_CHECKING:
    from tests.kubernetes.rig.guardian import Guardian

NODE_IP = "10.88.0.1"
BRIDGE = "kl0"

_GONE_WITHIN_S = 10.0

# The sysctls are the whole host's, and kubelet sets them at its start: it finds files there that hold what it
# wants. /run is private, and so is what is written below /var. The holder ignores SIGCHLD: orphans of its
# namespace leave no zombies.
_SETUP = f"""
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sysctl /run/var/upper /run/var/work
mount -t overlay -o lowerdir=/var,upperdir=/run/var/upper,workdir=/run/var/work overlay /var
for pair in kernel/panic=10 kernel/panic_on_oops=1 vm/overcommit_memory=1 vm/panic_on_oom=0 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/sysctl/$(basename "${{pair%=*}}")
  echo "${{pair#*=}}" > "$file"
  mount --bind "$file" "/proc/sys/${{pair%=*}}"
done
ip link set lo up
ip address add 10.0.0.1/32 dev lo
ip link add {BRIDGE} type bridge
ip address add {NODE_IP}/16 dev {BRIDGE}
ip link set {BRIDGE} up
echo ready
exec env --ignore-signal=CHLD sleep infinity
"""


class Namespace:
    """Namespaces of their own, with a wire to the host.

    Args:
        logs: The folder for the holder's log.
        guardian: Ends it if this process is killed.

    Attributes:
        address: Where the host reaches it, once started.
    """

    def __init__(self, logs: Path, guardian: Guardian) -> None:
        self.address = ""
        self._first = 0
        self._wire_name = ""
        command = ["unshare", "--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
        self._holder = Program(
            "namespace",
            [*command, "--mount-proc", "sh", "-c", _SETUP],
            logs=logs,
            guardian=guardian,
            ready=lambda: self._holder.tail(1) == "ready",
        )

    def start(self) -> None:
        """Make it, and the wire.

        Raises:
            RigError: If the kernel refuses a step; with the step's words.
        """
        self._holder.start()
        self._holder.wait()
        outer = self._holder.pid
        self._first = int(Path(f"/proc/{outer}/task/{outer}/children").read_text())
        self.address = self._wire()

    def stop(self) -> None:
        """End every process in it and cut the wire; again is harmless.

        Only those that run in its network alone go on, such as the API server.
        """
        if self._first and self._holder.running:
            # The kernel ends the others with it, and lets go of it when their parents took notice of that.
            os.kill(self._first, signal.SIGKILL)
        self._holder.join(_GONE_WITHIN_S)
        if self._wire_name:
            _ip("link", "delete", self._wire_name)

    @property
    def network(self) -> tuple[str, ...]:
        """The prefix of a command that is to run in its network."""
        return ("nsenter", f"--target={self._first}", "--net", "--")

    @property
    def inside(self) -> tuple[str, ...]:
        """The prefix of a command that is to run in its network, among its mounts and its processes."""
        return ("nsenter", f"--target={self._first}", "--net", "--mount", "--pid", "--")

    def _wire(self) -> str:
        """A pair of interfaces; its name, unique on the host, is what reserves the subnet."""
        for number in range(256):
            name = f"qsrig{number}"
            made = _ip(
                "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", str(self._first)
            )
            if made.returncode == 0:
                break
            if "exists" not in made.stderr:
                raise RigError(f"ip link add {name}: {made.stderr.strip()}")
        else:
            raise RigError("256 rigs run at once: no subnet of 10.89.0.0/16 is free")
        self._wire_name = name
        for prefix, device, host in (((), name, 1), (self.network, "host0", 2)):
            for words in (
                ("address", "add", f"10.89.{number}.{host}/24", "dev", device),
                ("link", "set", device, "up"),
            ):
                done = _ip(*words, prefix=prefix)
                if done.returncode != 0:
                    raise RigError(f"ip {' '.join(words)}: {done.stderr.strip()}")
        return f"10.89.{number}.2"


def _ip(*words: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*prefix, "ip", *words], check=False, capture_output=True, text=True)
