"""Where pods are, and the one change that is made to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qsched.kube.errors import Absent, Conflict
from qsched.kube.pods_seen import PodObject
from qsched.kube.pods_template import BACKEND, GATE

if TYPE_CHECKING:
    from qsched.kube.api import Api

_pods = msgspec.json.Decoder(PodObject)


def pods_path(namespace: str) -> str:
    """The path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def pod_path(namespace: str, name: str) -> str:
    """The path of one pod."""
    return f"{pods_path(namespace)}/{name}"


async def lift_gate(api: Api, pod: PodObject, backend: str) -> PodObject | None:
    """Let a pod be scheduled, and write on it which backend it works with.

    Args:
        api: The server.
        pod: The pod; other gates of it stay.
        backend: The backend on which its job has a slot.

    Returns:
        The pod as it is now; None if it is not there any more.

    Raises:
        ApiError: As its kinds say.
    """
    metadata = pod.metadata
    change = {
        "metadata": {"uid": metadata.uid, "annotations": {BACKEND: backend}},
        "spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]},
    }
    if not pod.gated:
        del change["spec"]
    path = pod_path(metadata.namespace or "default", metadata.name)
    try:
        # Of the ways to patch, only this one names a gate rather than its place in the list.
        return _pods.decode(
            await api.request("PATCH", path, change, kind="application/strategic-merge-patch+json")
        )
    except (Absent, Conflict):  # gone, or another pod of that name; the reflector tells
        return None
