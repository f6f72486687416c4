"""What the extender knows of the cluster: nodes, backends and the places of jobs.

Reflectors write it (``watch.py``), requests read it, all in one event loop. Nodes are kept by *kind*, a small
number for their traits, and each backend has a table of what every kind is to it. So a node is two look-ups,
whatever its labels are, and a change of a node or a backend costs no more than its own entry.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qsched_extender.reach import SERVES, Traits, reach

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsched_extender.reach import Reach, Site

NODES, BACKENDS, JOBS = "nodes", "quantumbackends", "quantumcircuitjobs"


class Outlook:
    """The cluster as one backend sees it.

    Attributes:
        site: Where the backend stands.
        table: What each kind of node is to it.
        turn: Where the next filter begins, so that its pods are not all offered the same nodes.
        favoured: When a node was last scored as the one whose turn it is, by a running number.
    """

    __slots__ = ("favoured", "site", "table", "turn")

    def __init__(self, site: Site, kinds: Iterable[Traits]) -> None:
        self.site = site
        self.table: list[Reach] = [reach(each, site) for each in kinds]
        self.turn = 0
        self.favoured: dict[str, int] = {}


class Cache:
    """The watched objects.

    Attributes:
        kinds: The kind of each node, by its name.
        jobs: The backend of each job by ``namespace/name``; None while it has no place.
        cold: The resources that have not been listed yet; while there are any, nothing is answered.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.jobs: dict[str, str | None] = {}
        self.cold = {NODES, BACKENDS, JOBS}
        self._kind_of: dict[Traits, int] = {}
        self._populations: Counter[int] = Counter()
        self._outlooks: dict[str, Outlook] = {}

    def outlook(self, backend: str) -> Outlook | None:
        """The cluster as a backend sees it, or None if there is no such backend."""
        return self._outlooks.get(backend)

    def best(self, outlook: Outlook) -> int:
        """The best reach that any node of the cluster has; ``SERVES`` if none serves."""
        return min((outlook.table[kind] for kind in self._populations), default=SERVES)

    def kind(self, traits: Traits) -> int:
        """The kind of nodes of these traits. Kinds are few, and stay."""
        kind = self._kind_of.get(traits)
        if kind is None:
            kind = self._kind_of[traits] = len(self._kind_of)
            for outlook in self._outlooks.values():
                outlook.table.append(reach(traits, outlook.site))
        return kind

    def put_node(self, name: str, traits: Traits) -> None:
        """Take in a node, new or changed."""
        kind, before = self.kind(traits), self.kinds.get(name)
        if kind == before:
            return
        self.kinds[name] = kind
        self._populations[kind] += 1
        self._leave(before)

    def drop_node(self, name: str) -> None:
        """Forget a node."""
        self._leave(self.kinds.pop(name, None))
        for outlook in self._outlooks.values():
            outlook.favoured.pop(name, None)

    def _leave(self, kind: int | None) -> None:
        if kind is not None:
            self._populations[kind] -= 1
            if not self._populations[kind]:
                del self._populations[kind]

    def put_backend(self, site: Site) -> None:
        """Take in a backend, new or changed."""
        known = self._outlooks.get(site.backend)
        if known is None or known.site != site:
            self._outlooks[site.backend] = Outlook(site, self._kind_of)

    def drop_backend(self, name: str) -> None:
        """Forget a backend."""
        self._outlooks.pop(name, None)

    def sizes(self) -> dict[str, int]:
        """How many objects of each resource are known."""
        return {NODES: len(self.kinds), BACKENDS: len(self._outlooks), JOBS: len(self.jobs)}
