"""The v1 wire format of scheduler extenders, as ``k8s.io/kube-scheduler/extender/v1`` has it.

Go writes these types without JSON tags, so their keys are the names of the fields (``NodeNames``), and reads
keys in any case. So do we: what Go writes is decoded at once, and only if something is missing are the keys
compared without regard to case. The fields of pods and nodes have tags, and every client writes them alike.

Of a pod only the metadata is read; nodes are handed back as the bytes that came.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, field

from qsched.errors import InvalidInput
from qsched_extender.objects import Node

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class PodMeta(Struct, frozen=True, gc=False):
    """The metadata of a pod."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    annotations: dict[str, str] | None = None


class Pod(Struct, frozen=True):
    """The pod that is being scheduled, or one that would make room for it."""

    metadata: PodMeta = PodMeta()


class NodeList(Struct, frozen=True):
    """Nodes as they came."""

    items: list[Raw] | None = None


class Args(Struct, frozen=True, rename="pascal"):
    """What filter and prioritize are asked: ``ExtenderArgs``.

    Attributes:
        pod: The pod to schedule.
        nodes: The nodes in question, from a scheduler whose extender is not ``nodeCacheCapable``.
        node_names: Their names, from one whose extender is.
    """

    pod: Pod | None = None
    nodes: NodeList | None = None
    node_names: list[str] | None = None


class FilterResult(Struct, frozen=True, rename="pascal"):
    """The answer to filter: ``ExtenderFilterResult``.

    Attributes:
        nodes: The nodes that passed, if whole nodes came.
        node_names: Their names, if names came.
        failed_nodes: Why others did not pass, where preemption may help.
        failed_and_unresolvable_nodes: Likewise, where it will not.
        error: Why there is no answer; the scheduler tries the pod again.
    """

    nodes: NodeList | None = None
    node_names: list[str] | None = None
    failed_nodes: dict[str, str] = {}
    failed_and_unresolvable_nodes: dict[str, str] = {}
    error: str = ""


class HostPriority(Struct, frozen=True, rename="pascal", gc=False):
    """The score of one node, from 0 to 10."""

    host: str
    score: int


class MetaPod(Struct, frozen=True, gc=False):
    """A pod by its uid."""

    uid: str = field(name="UID", default="")


class MetaVictims(Struct, frozen=True):
    """The pods that would have to go from a node."""

    pods: list[MetaPod] | None = field(name="Pods", default=None)
    violations: Int64 = field(name="NumPDBViolations", default=0)


class PreemptionResult(Struct, frozen=True):
    """The answer to preempt: ``ExtenderPreemptionResult``."""

    victims: dict[str, MetaVictims] = field(name="NodeNameToMetaVictims")


class PreemptionArgs(Struct, frozen=True):
    """What preempt is asked: ``ExtenderPreemptionArgs``, with victims in either form.

    Attributes:
        pod: The pod to schedule.
        victims: Who would have to go, by node.
    """

    pod: Pod
    victims: dict[str, MetaVictims]


class _Victims(Struct, frozen=True):
    """Victims as whole pods."""

    pods: list[Pod | None] | None = field(name="Pods", default=None)
    violations: Int64 = field(name="NumPDBViolations", default=0)

    def meta(self) -> MetaVictims:
        pods = [MetaPod(pod.metadata.uid) for pod in self.pods or () if pod is not None]
        return MetaVictims(pods, self.violations)


class _Preemption(Struct, frozen=True, rename="pascal"):
    pod: Pod | None = None
    node_name_to_victims: dict[str, _Victims | None] | None = None
    node_name_to_meta_victims: dict[str, MetaVictims | None] | None = None

    def victims(self) -> dict[str, MetaVictims]:
        """The victims of either form; the scheduler sends one of them."""
        whole, meta = self.node_name_to_victims or {}, self.node_name_to_meta_victims or {}
        return {name: each.meta() for name, each in whole.items() if each} | {
            name: each for name, each in meta.items() if each
        }

    def complete(self) -> bool:
        """Whether nothing is missing that keys in another case may hold."""
        victims = self.victims()
        return (
            self.pod is not None
            and bool(victims)
            and all(each.pods and all(pod.uid for pod in each.pods) for each in victims.values())
        )


_KEYS = {
    key.casefold(): key
    for kind in (Args, _Preemption, MetaVictims, MetaPod)
    for key in (each.encode_name for each in msgspec.structs.fields(kind))
}
_Fields = dict[str, Raw]
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_args = msgspec.json.Decoder(Args)
_preemption = msgspec.json.Decoder(_Preemption)
_node = msgspec.json.Decoder(Node)
_fields = msgspec.json.Decoder(_Fields)
_victims = msgspec.json.Decoder(dict[str, _Fields | None] | None)
_pods = msgspec.json.Decoder(list[_Fields | None] | None)

encode = msgspec.json.Encoder().encode


def read_args(body: bytes) -> Args:
    """The arguments of filter or prioritize.

    Raises:
        InvalidInput: If the body is no ``ExtenderArgs``, has no pod, or neither nodes nor names.
    """
    try:
        args = _args.decode(body)
        if args.pod is None or (args.nodes is None and args.node_names is None):
            args = _args.decode(encode(_exact(_fields.decode(body))))
    except _UNREADABLE as error:
        raise _refusal("ExtenderArgs", error) from error
    if args.pod is None:
        raise InvalidInput("ExtenderArgs: there is no Pod; send the pod that is to be scheduled")
    if args.nodes is None and args.node_names is None:
        raise InvalidInput("ExtenderArgs: there are neither NodeNames nor Nodes; send one of them")
    return args


def read_preemption(body: bytes) -> PreemptionArgs:
    """The arguments of preempt.

    Raises:
        InvalidInput: If the body is no ``ExtenderPreemptionArgs``, or has no pod.
    """
    try:
        args = _preemption.decode(body)
        if not args.complete():
            args = _preemption.decode(_exact_preemption(body))
    except _UNREADABLE as error:
        raise _refusal("ExtenderPreemptionArgs", error) from error
    if args.pod is None:
        raise InvalidInput("ExtenderPreemptionArgs: there is no Pod; send the pod that is to be scheduled")
    return PreemptionArgs(args.pod, args.victims())


def read_node(raw: Raw) -> Node:
    """A node out of a ``NodeList``.

    Raises:
        InvalidInput: If it is no node.
    """
    try:
        return _node.decode(raw)
    except _UNREADABLE as error:
        raise _refusal("ExtenderArgs.Nodes.items", error) from error


def _exact(fields: _Fields) -> _Fields:
    """The same fields under the keys that Go writes."""
    return {_KEYS.get(key.casefold(), key): value for key, value in fields.items()}


def _exact_preemption(body: bytes) -> bytes:
    outer = _exact(_fields.decode(body))
    for key in ("NodeNameToVictims", "NodeNameToMetaVictims"):
        if key in outer:
            nodes = _victims.decode(outer[key]) or {}
            outer[key] = Raw(encode({name: each and _exact_victims(each) for name, each in nodes.items()}))
    return encode(outer)


def _exact_victims(fields: _Fields) -> _Fields:
    found = _exact(fields)
    if "Pods" in found:
        found["Pods"] = Raw(encode([_exact(pod or {}) for pod in _pods.decode(found["Pods"]) or ()]))
    return found


def _refusal(kind: str, error: Exception) -> InvalidInput:
    said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return InvalidInput(f"{kind}: {said}; send JSON as of k8s.io/kube-scheduler/extender/v1")
