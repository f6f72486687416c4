"""How near a node is to a backend: the rules of filter and of prioritize.

A node *serves* a backend by the first of these that holds, best first:

========== ===================================================================================
attached   it has the label ``qpu.qsched.io/<backend>: attached``
zone       its ``topology.kubernetes.io/zone`` is the backend's
region     its ``topology.kubernetes.io/region`` is the backend's
near       its ``qsched.io/network-class`` is ``low-latency``
far        otherwise
========== ===================================================================================

It does not serve it when it is dedicated to other backends (taint ``qsched.io/backend``), or when it is
not attached and its network class is ``none``: no provider can be reached from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qsched_extender.objects import Backend, Node

ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
NETWORK_CLASS = "qsched.io/network-class"
DEDICATED = "qsched.io/backend"
"""The taint of nodes that are kept for the pods of some backends; its value names one."""

_ATTACHED_PREFIX = "qpu.qsched.io/"
_REPELLING = frozenset({"NoSchedule", "NoExecute"})


class Reach(IntEnum):
    """What a node is to a backend, from the best down; from ``OFFLINE`` on it does not serve it."""

    ATTACHED = 0
    ZONE = 1
    REGION = 2
    NEAR = 3
    FAR = 4
    OFFLINE = 5
    DEDICATED = 6


SERVES = len([each for each in Reach if each < Reach.OFFLINE])
"""How many kinds of reach there are by which a node serves."""


@dataclass(frozen=True, slots=True)
class Traits:
    """All that tells a node from another here; nodes of equal traits are alike to every backend.

    Attributes:
        zone: Its topology zone; empty when it says none.
        region: Its topology region, likewise.
        network: Its network class, likewise.
        attached: The backends that are attached to it.
        dedicated: The backends for whose pods it is kept; empty for all.
    """

    zone: str = ""
    region: str = ""
    network: str = ""
    attached: frozenset[str] = frozenset()
    dedicated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Site:
    """Where a backend stands.

    Attributes:
        backend: Its name.
        zone: The zone that counts as its own; None if there is none.
        region: The region, likewise.
    """

    backend: str
    zone: str | None = None
    region: str | None = None


def traits_of(node: Node) -> Traits:
    """What a node's labels and taints say."""
    labels = node.metadata.labels or {}
    return Traits(
        zone=labels.get(ZONE, ""),
        region=labels.get(REGION, ""),
        network=labels.get(NETWORK_CLASS, ""),
        attached=frozenset(
            key.removeprefix(_ATTACHED_PREFIX)
            for key, value in labels.items()
            if value == "attached" and key.startswith(_ATTACHED_PREFIX)
        ),
        dedicated=frozenset(
            taint.value
            for taint in node.spec.taints or ()
            if taint.key == DEDICATED and taint.effect in _REPELLING
        ),
    )


def site_of(backend: Backend) -> Site:
    """Where a backend stands: its topology labels, and for what these leave out its ``spec.location``.

    A location may name a zone or a region.
    """
    labels = backend.metadata.labels or {}
    location = backend.spec.location
    return Site(
        backend=backend.metadata.name,
        zone=labels.get(ZONE) or location or None,
        region=labels.get(REGION) or location or None,
    )


def reach(node: Traits, site: Site) -> Reach:
    """What a node of these traits is to the backend of that site."""
    if node.dedicated and site.backend not in node.dedicated:
        return Reach.DEDICATED
    if site.backend in node.attached:
        return Reach.ATTACHED
    if node.network == "none":
        return Reach.OFFLINE
    if node.zone == site.zone:
        return Reach.ZONE
    if node.region == site.region:
        return Reach.REGION
    return Reach.NEAR if node.network == "low-latency" else Reach.FAR
