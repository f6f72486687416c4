"""etcd and kube-apiserver: what a cluster cannot do without."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from tests.kubernetes.rig.https import Https
from tests.kubernetes.rig.ports import free_port
from tests.kubernetes.rig.program import Program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.kubernetes.rig.guardian import Guardian
    from tests.kubernetes.rig.pki import Authority

SERVICE_IP = "10.0.0.1"
"""The address of the Service ``kubernetes``; it answers in the network namespace of a node only."""

_NAMES = ("localhost", "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc", SERVICE_IP)
_WITHOUT_CONTROLLERS = ("ServiceAccount", "TaintNodesByCondition")
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Site:
    """Where a control plane runs and how this process reaches it.

    Attributes:
        address: The address of its servers.
        api_port: The API server's port.
        etcd_port: The etcd's port.
        prefix: The command that its programs are run with: nothing, or the way into a network namespace.
        advertise: The address that the API server tells the cluster.
    """

    address: str = "127.0.0.1"
    api_port: int = field(default_factory=free_port)
    etcd_port: int = field(default_factory=free_port)
    prefix: tuple[str, ...] = ()
    advertise: str = "127.0.0.1"


class ControlPlane:
    """An etcd and an API server, not yet started.

    Args:
        folder: For data, keys and logs.
        programs: The folder of the binaries.
        guardian: Ends the programs if this process is killed.
        authority: Issues every certificate.
        site: Where they run.
        controllers: Whether a kube-controller-manager will run. Without one, nobody makes default
            ServiceAccounts or takes the not-ready taint off new nodes, so the admission plugins that count on
            it are off.
        durable: Whether etcd syncs to disk. Without, a write survives etcd's end but not the machine's.
    """

    def __init__(
        self,
        folder: Path,
        programs: Path,
        *,
        guardian: Guardian,
        authority: Authority,
        site: Site,
        controllers: bool,
        durable: bool,
    ) -> None:
        self.site = site
        self.url = f"https://{site.address}:{site.api_port}"
        self.signing_key = authority.signing_key("service-accounts")
        self.audit_log = folder / "logs" / "audit.log"
        self._authority = authority
        self._etcd_client = authority.issue("etcd-client", user="kube-apiserver")
        self._as_etcd_client = authority.context(self._etcd_client)
        self._as_admin = authority.context(authority.issue("admin", user="admin", group="system:masters"))
        logs = folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        etcd = self._etcd_command(programs / "etcd", folder / "etcd", durable=durable)
        self.etcd = Program(
            "etcd",
            [*site.prefix, *etcd],
            logs=logs,
            guardian=guardian,
            ready=self._etcd_healthy,
        )
        apiserver = self._apiserver_command(programs / "kube-apiserver", folder, controllers=controllers)
        self.apiserver = Program(
            "kube-apiserver",
            [*site.prefix, *apiserver],
            logs=logs,
            guardian=guardian,
            ready=self._api_ready,
        )

    def start(self) -> None:
        """Start etcd, then the API server: one that meets no etcd tries again only after a second."""
        self.etcd.start()
        self.etcd.wait()
        self.apiserver.start()
        self.apiserver.wait()

    def stop(self) -> None:
        """The API server first: without its etcd it would take a while to end."""
        self.apiserver.kill()
        self.etcd.kill()

    def https(self) -> Https:
        """A new connection to the API server, as admin."""
        return Https(self.site.address, self.site.api_port, self._as_admin)

    def compact(self) -> int:
        """Let etcd forget every revision but the present one.

        Returns:
            The revision that is left.
        """
        with self._etcd_https() as etcd:
            key = base64.b64encode(b"/").decode()
            revision = int(etcd.send("POST", "/v3/kv/range", {"key": key})["header"]["revision"])
            etcd.send("POST", "/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def _api_ready(self) -> bool:
        with self.https() as api:
            return api.status("/readyz") == 200

    def _etcd_healthy(self) -> bool:
        with self._etcd_https() as etcd:
            return etcd.status("/health") == 200

    def _etcd_https(self) -> Https:
        return Https(self.site.address, self.site.etcd_port, self._as_etcd_client)

    def _etcd_command(self, program: Path, data: Path, *, durable: bool) -> Sequence[str]:
        url = f"https://{self.site.address}:{self.site.etcd_port}"
        pair = self._authority.issue("etcd", "localhost", "127.0.0.1", self.site.address, user="etcd")
        trust = f"{self._authority.certificate}"
        return [
            str(program),
            f"--data-dir={data}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            "--listen-peer-urls=https://127.0.0.1:0",
            f"--cert-file={pair.certificate}",
            f"--key-file={pair.key}",
            f"--trusted-ca-file={trust}",
            "--client-cert-auth",
            f"--peer-cert-file={pair.certificate}",
            f"--peer-key-file={pair.key}",
            f"--peer-trusted-ca-file={trust}",
            "--peer-client-cert-auth",
            # Alone, it need not wait a second for other members before it elects itself.
            "--heartbeat-interval=10",
            "--election-timeout=100",
            "--log-level=warn",
            *([] if durable else ["--unsafe-no-fsync"]),
        ]

    def _apiserver_command(self, program: Path, folder: Path, *, controllers: bool) -> Sequence[str]:
        site, issue = self.site, self._authority.issue
        names = dict.fromkeys((*_NAMES, site.address, site.advertise))
        serving = issue("kube-apiserver", *names, user="kube-apiserver")
        kubelet = issue("kubelet-client", user="kube-apiserver", group="system:masters")
        policy = folder / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_AUDIT_POLICY))
        return [
            str(program),
            f"--etcd-servers=https://{site.address}:{site.etcd_port}",
            f"--etcd-cafile={self._authority.certificate}",
            f"--etcd-certfile={self._etcd_client.certificate}",
            f"--etcd-keyfile={self._etcd_client.key}",
            f"--bind-address={'0.0.0.0' if site.prefix else site.address}",
            f"--secure-port={site.api_port}",
            f"--advertise-address={site.advertise}",
            f"--service-cluster-ip-range={SERVICE_IP}/24",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self._authority.certificate}",
            f"--kubelet-certificate-authority={self._authority.certificate}",
            f"--kubelet-client-certificate={kubelet.certificate}",
            f"--kubelet-client-key={kubelet.key}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.signing_key}",
            f"--service-account-signing-key-file={self.signing_key}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            *([] if controllers else [f"--disable-admission-plugins={','.join(_WITHOUT_CONTROLLERS)}"]),
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
            "--endpoint-reconciler-type=none",
            "--allow-privileged",
        ]
