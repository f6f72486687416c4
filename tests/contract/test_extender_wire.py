"""The extender's wire format against files that Go itself wrote.

``extender/golden.go`` writes them, and says how; ``extender/recorded`` holds what a kube-scheduler 1.36 sent.
That Go reads our answers is tested where there is a Go toolchain: ``tests/kubernetes/test_extender.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qsched.errors import InvalidInput
from qsched_extender.wire import (
    FilterResult,
    HostPriority,
    MetaPod,
    MetaVictims,
    NodeList,
    PreemptionResult,
    encode,
    read_args,
    read_node,
    read_preemption,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).with_name("extender")
RECORDED = sorted((FOLDER / "recorded").glob("*.json"))
NODES = {"n1", "n2", "n3"}
VICTIMS = MetaVictims([MetaPod("u-1"), MetaPod("u-2")], 1)


def golden(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def recased(value: Any, case: Callable[[str], str]) -> Any:
    """The same with keys in another case, down to the pods' and nodes' own fields."""
    if isinstance(value, list):
        return [recased(each, case) for each in value]
    if not isinstance(value, dict) or "metadata" in value:
        return value
    return {key if key in NODES else case(key): recased(each, case) for key, each in value.items()}


@pytest.fixture(params=[str, str.lower, str.upper], ids=["as Go writes", "lower case", "upper case"])
def read(request: pytest.FixtureRequest) -> Any:
    """Reads a golden file, with its keys in some case."""

    def reading(name: str) -> bytes:
        if request.param is str:
            return golden(name)
        return json.dumps(recased(json.loads(golden(name)), request.param)).encode()

    return reading


def test_names(read: Any) -> None:
    args = read_args(read("args-names"))
    assert args.node_names == ["n1", "n2"]
    assert args.nodes is None
    assert args.pod is not None
    meta = args.pod.metadata
    assert (meta.name, meta.namespace, meta.uid) == ("p", "lab", "u-0")
    assert meta.annotations == {"qsched.io/job": "bell", "note": '<a> & "b" \u2028 é'}


def test_no_names(read: Any) -> None:
    args = read_args(read("args-names-empty"))
    assert (args.node_names, args.nodes) == ([], None)


def test_whole_nodes(read: Any) -> None:
    args = read_args(read("args-nodes"))
    assert args.node_names is None
    assert args.nodes is not None
    assert args.nodes.items is not None
    first, second = map(read_node, args.nodes.items)
    assert (first.metadata.name, second.metadata.name) == ("n1", "n2")
    assert first.metadata.labels == {"topology.kubernetes.io/zone": "eu-1a"}
    assert first.spec.taints is not None
    assert [(each.key, each.value, each.effect) for each in first.spec.taints] == [
        ("qsched.io/backend", "heron", "NoSchedule")
    ]
    assert msgspec.json.decode(args.nodes.items[0])["status"] == {
        "allocatable": {"cpu": "4"},
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": msgspec.json.decode(args.nodes.items[1])["status"]["nodeInfo"],
    }


def test_no_whole_nodes(read: Any) -> None:
    args = read_args(read("args-nodes-empty"))
    assert (args.node_names, args.nodes) == (None, NodeList(None))


def test_a_pod_of_nothing(read: Any) -> None:
    args = read_args(read("args-bare-pod"))
    assert args.pod is not None
    assert (args.pod.metadata.name, args.pod.metadata.annotations) == ("", None)


def test_arguments_of_nothing(read: Any) -> None:
    with pytest.raises(InvalidInput, match="there is no Pod"):
        read_args(read("args-null"))
    with pytest.raises(InvalidInput, match="there is no Pod"):
        read_preemption(read("preempt-null"))


@pytest.mark.parametrize("form", ["preempt-meta", "preempt-whole"])
def test_victims_in_either_form(read: Any, form: str) -> None:
    args = read_preemption(read(form))
    assert args.pod.metadata.name == "p"
    assert args.victims.keys() == {"n1", "n2"}
    assert args.victims["n1"] == VICTIMS
    assert not args.victims["n2"].pods


def test_no_victims(read: Any) -> None:
    assert read_preemption(read("preempt-empty")).victims == {}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("filter-names", FilterResult(node_names=["n1", "n2"])),
        (
            "filter-failed",
            FilterResult(node_names=[], failed_and_unresolvable_nodes={"n3": "node(s) <too> far"}),
        ),
        ("filter-error", FilterResult(error="not yet")),
        ("priorities", [HostPriority("n1", 10), HostPriority("n2", 0)]),
        ("priorities-empty", []),
        ("victims", PreemptionResult({"n1": VICTIMS})),
        ("victims-empty", PreemptionResult({})),
    ],
)
def test_answers_say_what_those_of_go_say(name: str, answer: object) -> None:
    said, expected = json.loads(encode(answer)), json.loads(golden(name))
    for absent in ("FailedNodes", "FailedAndUnresolvableNodes"):  # null and empty maps are the same to Go
        if isinstance(expected, dict) and absent in expected:
            expected[absent] = expected[absent] or {}
    assert said == expected


def test_whole_nodes_go_back_as_they_came() -> None:
    args = read_args(golden("args-nodes"))
    said = json.loads(encode(FilterResult(nodes=args.nodes)))
    assert said["Nodes"]["items"] == json.loads(golden("filter-nodes"))["Nodes"]["items"]
    assert said["NodeNames"] is None


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_a_scheduler_really_sent_is_read_without_a_second_try(path: Path) -> None:
    """Each file name begins with the verb."""
    body = path.read_bytes()
    raw = json.loads(body)
    if path.stem.startswith("preempt"):
        args = read_preemption(body)
        sent = raw["NodeNameToMetaVictims"] or raw["NodeNameToVictims"]
        assert args.victims.keys() == sent.keys()
        assert all(each.pods and all(pod.uid for pod in each.pods) for each in args.victims.values())
    else:
        args = read_args(body)
        assert args.node_names == raw["NodeNames"]
        if raw["NodeNames"] is None:
            assert args.nodes is not None
            names = [read_node(each).metadata.name for each in args.nodes.items or ()]
            assert names == [each["metadata"]["name"] for each in raw["Nodes"]["items"]]
    assert args.pod is not None
    assert (args.pod.metadata.annotations or {}).items() >= {"qsched.io/job": "bell"}.items()


def test_traffic_of_every_kind_was_recorded() -> None:
    kinds = {path.stem for path in RECORDED}
    assert kinds == {"filter-names", "filter-nodes", "prioritize-names", "preempt-meta", "preempt-whole"}
