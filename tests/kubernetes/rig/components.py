"""The commands of kube-controller-manager and kube-scheduler, and how one sees that they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubernetes.rig.https import Https

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.rig.pki import Authority, Pair


def controller_manager_command(
    programs: Path, *, kubeconfig: Path, serving: Pair, port: int, authority: Path, signing_key: Path
) -> list[str]:
    """Each controller acts as a ServiceAccount of its own with the rights that Kubernetes gives it."""
    return [
        f"{programs / 'kube-controller-manager'}",
        f"--kubeconfig={kubeconfig}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={signing_key}",
        f"--root-ca-file={authority}",
        "--leader-elect=false",
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        *_serving(serving, port),
    ]


def scheduler_command(programs: Path, *, config: Path, serving: Pair, port: int) -> list[str]:
    """A kube-scheduler with a configuration file."""
    return [f"{programs / 'kube-scheduler'}", f"--config={config}", *_serving(serving, port)]


def healthy(authority: Authority, port: int) -> bool:
    """Whether the component on that port of loopback says that it is well."""
    with Https("127.0.0.1", port, authority.context()) as https:
        return https.status("/healthz") == 200


def _serving(pair: Pair, port: int) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={pair.certificate}",
        f"--tls-private-key-file={pair.key}",
    ]
