"""Nodes that kwok plays, thousands of them: their pods become Running, and run nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.kubernetes.rig.https import Https

ANNOTATION = "kwok.x-k8s.io/node"
_CONNECTIONS = 8


def fake_node(name: str, labels: Mapping[str, str], capacity: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of one node, ready from the start so that kwok need not make it so."""
    status = {"capacity": dict(capacity), "allocatable": dict(capacity)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "played by kwok"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **labels},
        },
        "status": {**status, "conditions": [ready], "phase": "Running"},
    }


def create_nodes(nodes: Sequence[Mapping[str, Any]], connect: Callable[[], Https]) -> None:
    """Create nodes over several connections at once.

    Args:
        nodes: Their manifests.
        connect: Makes a connection.
    """

    def create(some: Sequence[Mapping[str, Any]]) -> None:
        with connect() as https:
            for node in some:
                https.send("POST", "/api/v1/nodes", node)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(create, [nodes[first::_CONNECTIONS] for first in range(_CONNECTIONS)]))
