"""What the extender answers: filter, prioritize and preempt as functions of the cache and a request.

A pod that cannot be helped fails on every node, in a way of which the scheduler knows that preemption does
not change it. The scheduler counts the reasons by node and writes them into an Event of the pod, so what is
wrong with the pod itself is said for one node only: the answer stays small, and a node that is not mentioned
counts as one where preemption does not help either.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from qsched.errors import QschedError
from qsched.kube.pods_template import BACKEND, JOB, QPU
from qsched_extender.reach import DEDICATED, NETWORK_CLASS, SERVES, Reach, traits_of
from qsched_extender.wire import FilterResult, HostPriority, NodeList, PreemptionResult, read_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from qsched_extender.cache import Cache, Outlook
    from qsched_extender.wire import Args, Pod, PreemptionArgs

_SCORES = {Reach.ATTACHED: 9, Reach.ZONE: 7, Reach.REGION: 5, Reach.NEAR: 3, Reach.FAR: 1}
_UNFIT = {
    Reach.OFFLINE: f"node(s) that can reach no quantum provider ({NETWORK_CLASS}: none)",
    Reach.DEDICATED: f"node(s) kept for other backends (taint {DEDICATED})",
}


class Cold(QschedError):
    """Something has not been listed yet, so that an answer would be a guess; ask again."""


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Why no node will do for a pod as things are.

    Attributes:
        outcome: A word for it, for the metrics.
        message: What is wrong and what to do; it follows a number in the pod's Event.
    """

    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How many nodes filter answers with.

    Attributes:
        least: Nodes of a worse reach are added until there are this many.
        most: No more than this many, however many there are of the best reach.
    """

    least: int = 16
    most: int = 32


class Decisions:
    """The three verbs. They change nothing but whose turn it is."""

    def __init__(self, cache: Cache, limits: Limits) -> None:
        self._cache = cache
        self._limits = limits
        self._favours = 0

    def filter(self, args: Args) -> tuple[FilterResult, str]:
        """The nodes of the best reach among those in question, and a word for the outcome.

        Raises:
            Cold: If there is nothing to decide from yet.
            InvalidInput: If a node that came is none.
        """
        asked, kinds, whole = self._asked(args)
        assert args.pod is not None
        outlook = self._outlook(args.pod)
        if isinstance(outlook, Hopeless):
            return _none(args, dict.fromkeys(asked[:1], outlook.message)), outlook.outcome
        chosen = self._choose(asked, kinds, outlook)
        if not chosen and asked:
            return _none(args, _unfit(asked, kinds, outlook)), "no-node"
        if args.node_names is None:
            return FilterResult(nodes=NodeList([whole[name] for name in chosen])), "nodes"
        return FilterResult(node_names=chosen), "nodes"

    def prioritize(self, args: Args) -> list[HostPriority]:
        """A score from 0 to 10 for each node: by its reach, and one more for the node whose turn it is.

        Raises:
            Cold: If there is nothing to decide from yet.
            InvalidInput: If a node that came is none.
        """
        asked, kinds, _ = self._asked(args)
        assert args.pod is not None
        outlook = self._outlook(args.pod)
        if isinstance(outlook, Hopeless):
            return [HostPriority(name, 0) for name in asked]
        scores = {name: _SCORES.get(_reach(kinds, name, outlook), 0) for name in asked}
        best = max(scores.values(), default=0)
        if best:
            turn = min(
                (name for name, score in scores.items() if score == best),
                key=lambda name: outlook.favoured.get(name, 0),
            )
            self._favours += 1
            outlook.favoured[turn] = self._favours
            scores[turn] += 1
        return [HostPriority(name, score) for name, score in scores.items()]

    def preempt(self, args: PreemptionArgs) -> PreemptionResult:
        """The victims on those nodes that serve the pod's backend; it wants no other ones.

        Raises:
            Cold: If there is nothing to decide from yet.
        """
        self._require_warm()
        outlook = self._outlook(args.pod)
        if isinstance(outlook, Hopeless):
            return PreemptionResult({})
        kinds = self._cache.kinds
        return PreemptionResult(
            {
                name: victims
                for name, victims in args.victims.items()
                # The scheduler takes a node without victims for an error of ours.
                if victims.pods and _reach(kinds, name, outlook) < SERVES
            }
        )

    def _require_warm(self) -> None:
        if self._cache.cold:
            cold = ", ".join(sorted(self._cache.cold))
            raise Cold(f"qsched extender: {cold} not listed yet; the scheduler will try the pod again")

    def _asked(self, args: Args) -> tuple[Sequence[str], Mapping[str, int], Mapping[str, Raw]]:
        """The names in question, the kinds of nodes by name, and the whole nodes if these came."""
        self._require_warm()
        if args.node_names is not None:
            return args.node_names, self._cache.kinds, {}
        assert args.nodes is not None
        whole = {}
        kinds = {}
        for raw in args.nodes.items or ():
            node = read_node(raw)
            whole[node.metadata.name] = raw
            kinds[node.metadata.name] = self._cache.kind(traits_of(node))
        return list(whole), kinds, whole

    def _outlook(self, pod: Pod) -> Outlook | Hopeless:
        """The cluster as the pod's backend sees it, or why the pod has none."""
        annotations = pod.metadata.annotations or {}
        backend = annotations.get(BACKEND)
        if not backend:
            job = annotations.get(JOB)
            if not job:
                return Hopeless(
                    "no-job",
                    f"pod that requests {QPU} without a job: annotate it with {JOB}: <a QuantumCircuitJob of "
                    "its namespace>, or take the request away",
                )
            key = f"{pod.metadata.namespace}/{job}"
            if key not in self._cache.jobs:
                return Hopeless(
                    "unknown-job",
                    f"pod whose job {key} does not exist: create that QuantumCircuitJob, or correct the "
                    f"pod's annotation {JOB}",
                )
            backend = self._cache.jobs[key]
            if backend is None:
                return Hopeless(
                    "unplaced",
                    f"pod whose job {key} waits for its placement: kubectl describe qcj {job} says why",
                )
        return self._cache.outlook(backend) or Hopeless(
            "no-backend",
            f"pod whose backend {backend} does not exist: create that QuantumBackend, or let the job be "
            "placed anew",
        )

    def _choose(self, asked: Sequence[str], kinds: Mapping[str, int], outlook: Outlook) -> list[str]:
        """Nodes of the best reach among those asked, filled up with the next best if they are few.

        The walk begins where the last one for this backend left off and ends as soon as it has enough
        of the best, so that pods of one backend are offered different nodes and few names are looked at.
        Neighbours in the scheduler's order alternate between zones, and so do those that are chosen.
        """
        least, most = self._limits.least, self._limits.most
        by_reach: list[list[str]] = [[] for _ in Reach]
        best = self._cache.best(outlook) if kinds is self._cache.kinds else 0
        if best >= SERVES:
            return []
        finest, table = by_reach[best], outlook.table
        start = outlook.turn % len(asked) if asked else 0
        for name in chain(islice(asked, start, None), islice(asked, start)):
            kind = kinds.get(name)
            if kind is not None:
                by_reach[table[kind]].append(name)
                if len(finest) == most:
                    break
        outlook.turn = start + most
        chosen: list[str] = []
        for names in by_reach[:SERVES]:
            chosen += names[: least - len(chosen) if chosen else most]
            if len(chosen) >= least:
                break
        return chosen


def _none(args: Args, reasons: dict[str, str]) -> FilterResult:
    """The answer that no node will do."""
    if args.node_names is None:
        return FilterResult(nodes=NodeList([]), failed_and_unresolvable_nodes=reasons)
    return FilterResult(node_names=[], failed_and_unresolvable_nodes=reasons)


def _reach(kinds: Mapping[str, int], name: str, outlook: Outlook) -> Reach:
    """What a node is to a backend; one that is not known yet cannot be said to serve."""
    kind = kinds.get(name)
    return Reach.OFFLINE if kind is None else outlook.table[kind]


def _unfit(asked: Sequence[str], kinds: Mapping[str, int], outlook: Outlook) -> dict[str, str]:
    """Why none of the nodes will do.

    Raises:
        Cold: If one of them is not known yet, for it may do.
    """
    for name in asked:
        if name not in kinds:
            raise Cold(f"qsched extender: node {name} has not been seen yet; the scheduler will try again")
    return {name: _UNFIT[outlook.table[kinds[name]]] for name in asked}
