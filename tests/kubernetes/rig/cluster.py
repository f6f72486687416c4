"""A cluster: the control plane, the programs around it, and what tests ask of it."""

from __future__ import annotations

import subprocess
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.kubernetes.rig.audit import read_audit
from tests.kubernetes.rig.build import stages
from tests.kubernetes.rig.chart import ACCESS_KINDS, CRDS, NAMESPACE, render
from tests.kubernetes.rig.components import controller_manager_command, healthy, scheduler_command
from tests.kubernetes.rig.control_plane import ControlPlane, Site
from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.fake_nodes import ANNOTATION, create_nodes, fake_node
from tests.kubernetes.rig.guardian import Guardian
from tests.kubernetes.rig.kubeconfig import write_kubeconfig
from tests.kubernetes.rig.pki import Authority
from tests.kubernetes.rig.ports import free_port
from tests.kubernetes.rig.program import Program
from tests.kubernetes.rig.scheduler import SCHEDULER_NAME, extender_of, write_scheduler_config

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from tests.kubernetes.rig.audit import Entry
    from tests.kubernetes.rig.https import Https
    from tests.kubernetes.rig.pki import Pair

_CAPACITY = {"cpu": "32", "memory": "256Gi", "pods": "110", "qsched.io/qpu": "1000"}
_TOKEN_TIME = "24h"


class Cluster:
    """An API server of its own with etcd, TLS on every connection, RBAC and an audit log.

    A user is ``admin``, one of Kubernetes' own such as ``system:kube-scheduler``, or a ServiceAccount that
    exists, as ``namespace:name``.

    Args:
        folder: For data, keys and logs; made if it is not there.
        programs: The folder of the binaries, as ``binaries`` gives it.
        controllers: Start a kube-controller-manager too (default ServiceAccounts, garbage collection, Jobs,
            namespaces that end). Without one, admission asks for no ServiceAccounts, and pods get no token.
        durable: Let etcd sync to disk.
        site: Where the control plane runs; on loopback by default.

    Attributes:
        folder: As given; its ``logs`` hold a log for each program.
        programs: As given.
        authority: Issues certificates that the cluster trusts, and tells whom to trust.
        control_plane: etcd and the API server.
        controllers: Whether a kube-controller-manager runs.
        url: The API server's.
    """

    def __init__(
        self,
        folder: Path,
        programs: Path,
        *,
        controllers: bool = False,
        durable: bool = False,
        site: Site | None = None,
    ) -> None:
        self.folder = folder
        self.programs = programs
        self.authority = Authority(folder / "pki")
        self._guardian = Guardian()
        self.control_plane = ControlPlane(
            folder,
            programs,
            guardian=self._guardian,
            authority=self.authority,
            site=site or Site(),
            controllers=controllers,
            durable=durable,
        )
        self.url = self.control_plane.url
        self.controllers = controllers
        self._started: list[Program] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            RigError: If a program does not come up; with the end of its log.
        """
        self.control_plane.start()
        if self.controllers:
            self._start_controller_manager()

    def stop(self) -> None:
        """End every program. Kept are the folder and its logs."""
        for program in reversed(self._started):
            program.kill()
        self._started.clear()
        self.control_plane.stop()
        self._guardian.close()

    @property
    def apiserver(self) -> Program:
        """The API server, to be killed, paused, restarted: it comes back with its port and its data."""
        return self.control_plane.apiserver

    @property
    def etcd(self) -> Program:
        """The etcd, likewise."""
        return self.control_plane.etcd

    # Asking.

    def kubectl(
        self,
        *words: str | os.PathLike[str],
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        user: str = "admin",
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl.

        Args:
            *words: Its arguments.
            input: Its standard input.
            user: As whom.
            check: Whether a failure raises.

        Raises:
            RigError: If it fails; with its words.
        """
        command = [self.programs / "kubectl", f"--kubeconfig={self.kubeconfig(user)}", *words]
        # A home of its own: kubectl caches what it discovered there.
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, input=input, check=False, capture_output=True, text=True, env=environment, timeout=120
        )
        if check and done.returncode != 0:
            raise RigError(f"kubectl {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done

    def kubeconfig(self, user: str = "admin") -> Path:
        """A kubeconfig file for a user, the same file each time.

        Raises:
            RigError: If the ServiceAccount does not exist.
        """
        path = self.folder / "kubeconfigs" / f"{user.replace(':', '.')}.yaml"
        if path.exists():
            return path
        if user == "admin" or user.startswith("system:"):
            group = {"admin": "system:masters"}.get(user, "system:nodes" if ":node:" in user else None)
            proof: Pair | str = self.authority.issue(user.replace(":", "."), user=user, group=group)
            namespace = "default"
        else:
            proof, namespace = self.token(user), user.partition(":")[0]
        return write_kubeconfig(
            path,
            server=self.url,
            authority=self.authority.certificate,
            user=user,
            proof=proof,
            namespace=namespace,
        )

    def token(self, account: str) -> str:
        """A new token of a ServiceAccount, ``namespace:name``, good for a day.

        Raises:
            RigError: If it does not exist.
        """
        namespace, _, name = account.partition(":")
        done = self.kubectl("create", "token", name, "--namespace", namespace, f"--duration={_TOKEN_TIME}")
        return done.stdout.strip()

    def https(self) -> Https:
        """A new connection as admin, for the rig and for preparing tests fast."""
        return self.control_plane.https()

    def audit(self) -> list[Entry]:
        """Every request that the API server has answered, oldest first; watches when they end."""
        return read_audit(self.control_plane.audit_log)

    def compact_etcd(self) -> int:
        """Let etcd forget every revision but the present one, which it returns.

        The API server still serves watches and pages of older revisions from a memory of its own;
        ``forget_history`` takes that too.
        """
        return self.control_plane.compact()

    def forget_history(self) -> int:
        """Compact etcd and restart the API server, so that watches and pages of older revisions get 410."""
        revision = self.compact_etcd()
        self.apiserver.restart()
        return revision

    # Installing.

    def install_crds(self) -> None:
        """Apply the repository's CRDs and wait until they are served.

        Raises:
            RigError: If the server refuses one, or warns.
        """
        done = self.kubectl("apply", "--server-side", "-f", CRDS)
        if done.stderr:
            raise RigError(f"the API server warns about {CRDS}: {done.stderr.strip()}")
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", CRDS)

    def install_chart(
        self, values: Mapping[str, Any] | None = None, *, kinds: Collection[str] = ACCESS_KINDS
    ) -> None:
        """Apply objects of the Helm chart, into the namespace ``qsched-system``.

        Args:
            values: Over those of the chart.
            kinds: Which objects; by default accounts and what they may do.

        Raises:
            RigError: If the chart does not render or the server refuses an object.
        """
        objects = [each for each in render(self.programs / "helm", values or {}) if each["kind"] in kinds]
        self.create_namespace(NAMESPACE)
        self.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(objects))

    def create_namespace(self, name: str) -> None:
        """Make a namespace, if it is not there."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump(namespace))

    # Programs around the control plane.

    def run(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        ready: Callable[[], bool] | None = None,
        **environment: str,
    ) -> Program:
        """Start a program that ends with the cluster, and wait until it is ready.

        Args:
            name: What errors and its log call it; a second one of a name gets a number.
            command: Program and arguments.
            ready: Says whether it serves.
            **environment: Variables besides those of this process.
        """
        program = self.launch(name, command, ready=ready, **environment)
        program.wait()
        return program

    def launch(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        ready: Callable[[], bool] | None = None,
        **environment: str,
    ) -> Program:
        """``run`` without the waiting."""
        taken = {program.name for program in self._started}
        unique = next(each for each in chain([name], (f"{name}-{n}" for n in count(2))) if each not in taken)
        program = Program(
            unique,
            command,
            logs=self.folder / "logs",
            guardian=self._guardian,
            ready=ready,
            environment=environment,
        )
        self._started.append(program)
        program.start()
        return program

    def start_scheduler(
        self,
        extender: str | Mapping[str, Any] | None = None,
        *,
        name: str = SCHEDULER_NAME,
        user: str = "system:kube-scheduler",
    ) -> Program:
        """Start a kube-scheduler; by default the second one of a cluster, that of qsched.

        Args:
            extender: Its URL for plain HTTP, or a whole ``Extender`` as ``extender_of`` makes it.
            name: Which pods it schedules, by their ``schedulerName``; it is called so in ``logs`` too.
            user: As whom; the chart's account is ``qsched-system:qsched-scheduler``.
        """
        kubeconfig = self.kubeconfig(user)
        config = write_scheduler_config(
            self.folder / f"{name}.yaml",
            kubeconfig=kubeconfig,
            name=name,
            extender=extender_of(extender) if isinstance(extender, str) else extender,
        )
        port = free_port()
        command = scheduler_command(self.programs, config=config, serving=self._serving(name), port=port)
        return self.run(name, command, ready=lambda: healthy(self.authority, port))

    def start_kwok(self) -> Program:
        """Start kwok, which plays the nodes of ``add_fake_nodes`` and their pods."""
        # With a controller-manager, a node that does not renew its Lease is lost; without, renewing is waste.
        lease_s = 40 if self.controllers else 0
        return self.run(
            "kwok",
            [
                self.programs / "kwok",
                f"--kubeconfig={self.kubeconfig()}",
                "--manage-all-nodes=false",
                f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
                f"--node-lease-duration-seconds={lease_s}",
                *(f"--config={stage}" for stage in stages(self.programs)),
            ],
        )

    def add_fake_nodes(
        self,
        number: int,
        *,
        labels: Mapping[str, str] | None = None,
        prefix: str = "fake",
        capacity: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Add nodes that kwok plays; about a thousand a second.

        Args:
            number: How many.
            labels: On each of them.
            prefix: They are called ``<prefix>-0`` and so on.
            capacity: What each has, over 32 CPUs, 256 Gi, 110 pods and 1,000 ``qsched.io/qpu``.

        Returns:
            Their names.
        """
        names = [f"{prefix}-{each}" for each in range(number)]
        create_nodes(
            [fake_node(name, labels or {}, {**_CAPACITY, **(capacity or {})}) for name in names], self.https
        )
        return names

    def _start_controller_manager(self) -> Program:
        port = free_port()
        command = controller_manager_command(
            self.programs,
            kubeconfig=self.kubeconfig("system:kube-controller-manager"),
            serving=self._serving("kube-controller-manager"),
            port=port,
            authority=self.authority.certificate,
            signing_key=self.control_plane.signing_key,
        )
        return self.run("kube-controller-manager", command, ready=lambda: healthy(self.authority, port))

    def _serving(self, name: str) -> Pair:
        return self.authority.issue(f"{name}-serving", "localhost", "127.0.0.1", user=name)
