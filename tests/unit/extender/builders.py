"""Caches and requests for the tests of the extender."""

from __future__ import annotations

from typing import Any

from qsched_extender.cache import Cache
from qsched_extender.objects import Backend, BackendSpec, Labelled, Node, NodeSpec, Taint
from qsched_extender.reach import NETWORK_CLASS, REGION, ZONE, site_of, traits_of
from qsched_extender.wire import Args, Pod, PodMeta


def node(
    name: str = "n",
    *,
    zone: str = "",
    region: str = "",
    network: str = "",
    attached: str = "",
    dedicated: str = "",
    effect: str = "NoSchedule",
) -> Node:
    """A node with labels and a taint for what is not empty."""
    labels = {ZONE: zone, REGION: region, NETWORK_CLASS: network, "kubernetes.io/os": "linux"}
    if attached:
        labels[f"qpu.qsched.io/{attached}"] = "attached"
    taints = [Taint(key="node.kubernetes.io/unreachable", effect="NoExecute")]
    if dedicated:
        taints.append(Taint(key="qsched.io/backend", effect=effect, value=dedicated))
    return Node(
        Labelled(name=name, labels={key: value for key, value in labels.items() if value}), NodeSpec(taints)
    )


def backend(name: str = "heron", *, location: str | None = None, **labels: str) -> Backend:
    """A backend with ``zone`` and ``region`` labels, if they are given."""
    known = {"zone": ZONE, "region": REGION}
    topology = {known[key]: value for key, value in labels.items()}
    return Backend(Labelled(name=name, labels=topology), BackendSpec(location))


def cache(
    *nodes: Node, backends: tuple[Backend, ...] = (), jobs: dict[str, str | None] | None = None
) -> Cache:
    """A warm cache; its backend is heron, in eu-1a of eu-1, unless others are given."""
    filled = Cache()
    for each in nodes:
        filled.put_node(each.metadata.name, traits_of(each))
    for each in backends or (backend(zone="eu-1a", region="eu-1"),):
        filled.put_backend(site_of(each))
    filled.jobs.update(jobs or {})
    filled.cold.clear()
    return filled


def pod(*, backend: str | None = "heron", job: str | None = None, namespace: str = "lab") -> Pod:
    """A pod with the annotations that are not None."""
    annotations = {"qsched.io/backend": backend, "qsched.io/job": job}
    return Pod(
        PodMeta(
            name="p",
            namespace=namespace,
            uid="u-0",
            annotations={key: value for key, value in annotations.items() if value is not None},
        )
    )


def asks(*names: str, **about: Any) -> Args:
    """What the scheduler asks of a pod and some nodes."""
    return Args(pod=pod(**about), node_names=list(names))
