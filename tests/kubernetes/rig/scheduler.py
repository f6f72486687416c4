"""The second kube-scheduler's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.kubernetes.rig.pki import Pair

SCHEDULER_NAME = "qsched-scheduler"


def extender_of(
    url: str, *, authority: Path | None = None, client: Pair | None = None, **more: Any
) -> dict[str, Any]:
    """An extender as kube-scheduler is told about it.

    Args:
        url: Where it listens, without the verb.
        authority: What issued its certificate, for ``https``.
        client: The certificate that the scheduler shows it.
        **more: Fields of ``Extender`` besides, or instead, such as ``httpTimeout="5s"``.
    """
    extender: dict[str, Any] = {
        "urlPrefix": url,
        "filterVerb": "filter",
        "prioritizeVerb": "prioritize",
        "preemptVerb": "preempt",
        "weight": 5,
        "nodeCacheCapable": True,
        "httpTimeout": "2s",
        "managedResources": [{"name": "qsched.io/qpu", "ignoredByScheduler": True}],
    }
    if authority is not None:
        extender |= {"enableHTTPS": True, "tlsConfig": {"caFile": str(authority)}}
    if client is not None:
        extender["tlsConfig"] |= {"certFile": str(client.certificate), "keyFile": str(client.key)}
    return extender | more


def write_scheduler_config(
    path: Path, *, kubeconfig: Path, name: str, extender: Mapping[str, Any] | None
) -> Path:
    """Write a KubeSchedulerConfiguration.

    Args:
        path: The file.
        kubeconfig: As whom the scheduler asks.
        name: Which pods are its own, by their ``schedulerName``.
        extender: As ``extender_of`` makes it.
    """
    config: dict[str, Any] = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 5000, "burst": 10000},
        "profiles": [{"schedulerName": name}],
    }
    if extender is not None:
        config["extenders"] = [dict(extender)]
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
