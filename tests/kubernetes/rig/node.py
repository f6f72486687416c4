"""A real node: containerd and a kubelet, in namespaces of their own together with the control plane.

Needs root. In-cluster configuration works in its pods: the API server answers at the address of the Service
``kubernetes``. There is no DNS and no kube-proxy: no other Service has an address that answers.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tests.kubernetes.rig.cgroups import Cgroups
from tests.kubernetes.rig.cluster import Cluster
from tests.kubernetes.rig.containerd import SOCKET, containerd_command, import_images
from tests.kubernetes.rig.control_plane import Site
from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.guardian import Guardian
from tests.kubernetes.rig.images import BUSYBOX
from tests.kubernetes.rig.kubelet import kubelet_command
from tests.kubernetes.rig.namespace import NODE_IP, Namespace
from tests.kubernetes.rig.prerequisites import node_tools
from tests.kubernetes.rig.python_pod import PythonPod, python_pod

if TYPE_CHECKING:
    from pathlib import Path

_API_PORT, _ETCD_PORT = 443, 2379
_READY_WITHIN_S = 120.0


class _Condition(msgspec.Struct):
    type: str
    status: str


class _NodeStatus(msgspec.Struct):
    conditions: list[_Condition] = []
    allocatable: dict[str, str] = {}


class _Node(msgspec.Struct):
    status: _NodeStatus


class Node:
    """A cluster with one real node, on which pods really run.

    The cluster has a kube-controller-manager, and a kube-scheduler for pods that name none.

    Args:
        folder: For data, keys and logs; made if it is not there.
        programs: The folder of the binaries, as ``binaries`` gives it.
        qpus: How many ``qsched.io/qpu`` the node has.
        labels: Of the node.
        **options: For ``Cluster``.

    Attributes:
        name: The node's.
        cluster: Its cluster, once started.
        busybox: The name of an image with a shell and the usual tools.
    """

    def __init__(
        self,
        folder: Path,
        programs: Path,
        *,
        qpus: int = 8,
        labels: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        tools = node_tools()
        if isinstance(tools, str):
            raise RigError(tools)
        self.name = "node"
        self.busybox = BUSYBOX
        self._folder = folder
        self._programs = programs
        self._tools = tools
        self._qpus = qpus
        self._labels = labels or {}
        self._options = options
        self._to_end = ExitStack()

    cluster: Cluster

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def python(self) -> PythonPod:
        """What makes a pod run the Python of this checkout."""
        return python_pod()

    def start(self) -> None:
        """Start it, and wait until the node is ready.

        Raises:
            RigError: If a part does not come up; nothing is left behind then.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything: pods, programs, mounts, cgroups, namespaces. Kept are the folder and its logs."""
        self._to_end.close()

    def _start(self) -> None:
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        guardian = Guardian()
        self._to_end.callback(guardian.close)
        cgroups = Cgroups()
        self._to_end.callback(cgroups.remove)
        cgroups.create()
        namespace = Namespace(logs, guardian)
        self._to_end.callback(namespace.stop)
        namespace.start()
        site = Site(
            address=namespace.address,
            api_port=_API_PORT,
            etcd_port=_ETCD_PORT,
            prefix=namespace.network,
            advertise=NODE_IP,
        )
        self.cluster = Cluster(self._folder, self._programs, site=site, controllers=True, **self._options)
        self._to_end.callback(self.cluster.stop)
        # Before the cluster's programs: those inside are to be taken notice of by the ones that sent them in.
        self._to_end.callback(namespace.stop)
        machine = self._folder / "node"
        command = [*namespace.inside, *containerd_command(self._tools, machine)]
        containerd = self.cluster.launch(
            "containerd", command, ready=lambda: self._containerd_answers(namespace)
        )
        self.cluster.start()
        containerd.wait()
        import_images(self._tools, machine, namespace.inside)
        kubelet = kubelet_command(
            self._programs / "kubelet",
            machine,
            name=self.name,
            kubeconfig=self.cluster.kubeconfig(f"system:node:{self.name}"),
            serving=self.cluster.authority.issue("kubelet", NODE_IP, self.name, user=self.name),
            authority=self.cluster.authority.certificate,
            cgroup=cgroups.name,
            labels=",".join(f"{key}={value}" for key, value in self._labels.items()),
        )
        self.cluster.run("kubelet", [*namespace.inside, *kubelet], ready=self._is_ready)
        self.cluster.start_scheduler(name="default-scheduler")
        self._set_capacity("qsched.io/qpu", self._qpus)

    def _containerd_answers(self, namespace: Namespace) -> bool:
        command = [*namespace.inside, str(self._tools.ctr), f"--address={SOCKET}", "version"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _is_ready(self) -> bool:
        status = self._status()
        return status is not None and any(
            each.type == "Ready" and each.status == "True" for each in status.conditions
        )

    def _set_capacity(self, resource: str, amount: int) -> None:
        """Give the node an extended resource, and wait until its kubelet offers it to pods."""
        patch = {"status": {"capacity": {resource: str(amount)}}}
        with self.cluster.https() as api:
            api.send("PATCH", f"{self._path}/status", patch, kind="application/merge-patch+json")
        deadline = time.monotonic() + _READY_WITHIN_S
        while (status := self._status()) is None or status.allocatable.get(resource) != str(amount):
            if time.monotonic() > deadline:
                raise RigError(f"the kubelet does not offer {amount} {resource}")
            time.sleep(0.1)

    def _status(self) -> _NodeStatus | None:
        with self.cluster.https() as api:
            if api.status(self._path) != 200:
                return None
            return msgspec.convert(api.send("GET", self._path), _Node).status

    @property
    def _path(self) -> str:
        return f"/api/v1/nodes/{self.name}"
