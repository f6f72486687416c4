"""What filter, prioritize and preempt answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qsched.errors import InvalidInput
from qsched_extender.decisions import Cold, Decisions, Limits
from qsched_extender.wire import Args, MetaPod, MetaVictims, NodeList, PreemptionArgs
from tests.unit.extender.builders import asks, backend, cache, node, pod

if TYPE_CHECKING:
    from qsched_extender.cache import Cache

FLEET = (
    *(node(f"zone-{each}", zone="eu-1a", region="eu-1") for each in range(10)),
    *(node(f"region-{each}", zone="eu-1b", region="eu-1") for each in range(10)),
    node("attached", attached="heron"),
    node("far"),
    node("offline", network="none"),
    node("kept", dedicated="eagle"),
)
ALL = [each.metadata.name for each in FLEET]


def deciding(known: Cache, least: int = 3, most: int = 5) -> Decisions:
    return Decisions(known, Limits(least, most))


def passed(decisions: Decisions, *names: str, **about: Any) -> list[str]:
    result, _ = decisions.filter(asks(*names, **about))
    assert not result.error
    assert result.node_names is not None
    return result.node_names


def kinds_of(names: list[str]) -> Counter[str]:
    return Counter(name.partition("-")[0] for name in names)


def test_the_best_nodes_pass_and_next_best_ones_only_fill_up() -> None:
    assert kinds_of(passed(deciding(cache(*FLEET)), *ALL)) == {"attached": 1, "zone": 2}
    assert kinds_of(passed(deciding(cache(*FLEET), least=1), *ALL)) == {"attached": 1}
    assert kinds_of(passed(deciding(cache(*FLEET), least=15, most=20), *ALL)) == {
        "attached": 1,
        "zone": 10,
        "region": 4,
    }


def test_what_the_scheduler_did_not_ask_about_does_not_pass() -> None:
    assert kinds_of(passed(deciding(cache(*FLEET)), *ALL[:20])) == {"zone": 5}
    assert kinds_of(passed(deciding(cache(*FLEET)), *ALL[8:12])) == {"zone": 2, "region": 1}
    assert passed(deciding(cache(*FLEET)), "far", "offline") == ["far"]
    assert passed(deciding(cache(*FLEET))) == []


def test_a_few_nodes_all_pass() -> None:
    few = ["zone-1", "zone-2", "region-1"]
    assert sorted(passed(deciding(cache(*FLEET)), *few)) == sorted(few)


def test_pods_of_one_backend_are_offered_all_nodes_in_turn() -> None:
    decisions = deciding(cache(*FLEET))
    zone = ALL[:10]
    offered = Counter(name for _ in range(10) for name in passed(decisions, *zone))
    assert offered == dict.fromkeys(zone, 5)


def test_another_backend_has_turns_of_its_own() -> None:
    decisions = deciding(
        cache(*FLEET, backends=(backend("heron", zone="eu-1a"), backend("eagle", zone="eu-1a")))
    )
    first = passed(decisions, *ALL[:10])
    assert passed(decisions, *ALL[:10], backend="eagle") == first
    assert passed(decisions, *ALL[:10]) != first


def test_nodes_that_no_pod_of_the_backend_may_use_fail_with_the_reason_where_preemption_does_not_help() -> (
    None
):
    result, outcome = deciding(cache(*FLEET)).filter(asks("offline", "kept"))
    assert outcome == "no-node"
    assert result.node_names == []
    assert result.failed_nodes == {}
    assert result.failed_and_unresolvable_nodes == {
        "offline": "node(s) that can reach no quantum provider (qsched.io/network-class: none)",
        "kept": "node(s) kept for other backends (taint qsched.io/backend)",
    }


def test_an_answer_with_nodes_gives_no_reasons() -> None:
    result, outcome = deciding(cache(*FLEET)).filter(asks(*ALL))
    assert (outcome, result.failed_nodes, result.failed_and_unresolvable_nodes) == ("nodes", {}, {})


@pytest.mark.parametrize(
    ("about", "outcome", "words"),
    [
        (
            {"backend": None},
            "no-job",
            "annotate it with qsched.io/job: <a QuantumCircuitJob of its namespace>",
        ),
        ({"backend": "", "job": ""}, "no-job", "annotate it with qsched.io/job"),
        ({"backend": None, "job": "nowhere"}, "unknown-job", "lab/nowhere does not exist"),
        ({"backend": None, "job": "placed", "namespace": "other"}, "unknown-job", "other/placed"),
        ({"backend": None, "job": "waiting"}, "unplaced", "lab/waiting waits for its placement"),
        ({"backend": None, "job": "stranded"}, "no-backend", "backend osprey does not exist"),
        ({"backend": "osprey", "job": "placed"}, "no-backend", "backend osprey does not exist"),
    ],
)
def test_a_pod_that_no_node_can_help_hears_once_what_to_do(
    about: dict[str, Any], outcome: str, words: str
) -> None:
    known = cache(*FLEET, jobs={"lab/placed": "heron", "lab/waiting": None, "lab/stranded": "osprey"})
    result, said = deciding(known).filter(asks(*ALL, **about))
    assert said == outcome
    assert result.node_names == []
    assert list(result.failed_and_unresolvable_nodes) == [ALL[0]]
    assert words in result.failed_and_unresolvable_nodes[ALL[0]]
    assert {score.score for score in deciding(known).prioritize(asks("far", **about))} == {0}
    victims = {"far": MetaVictims([MetaPod("u-1")])}
    assert deciding(known).preempt(PreemptionArgs(pod(**about), victims)).victims == {}


def test_the_place_of_the_job_is_the_backend_of_a_pod_that_names_none() -> None:
    known = cache(*FLEET, jobs={"lab/placed": "heron"})
    assert "attached" in passed(deciding(known), *ALL, backend=None, job="placed")


@pytest.mark.parametrize("resource", ["nodes", "quantumbackends", "quantumcircuitjobs"])
def test_a_cold_cache_does_not_guess(resource: str) -> None:
    known = cache(*FLEET)
    known.cold.add(resource)
    for ask in (
        lambda: deciding(known).filter(asks("far")),
        lambda: deciding(known).prioritize(asks("far")),
        lambda: deciding(known).preempt(PreemptionArgs(pod(), {})),
    ):
        with pytest.raises(Cold, match=f"{resource} not listed yet"):
            ask()


def test_a_node_that_has_not_been_seen_is_asked_for_again_unless_others_do() -> None:
    decisions = deciding(cache(*FLEET))
    assert passed(decisions, "new", "far") == ["far"]
    with pytest.raises(Cold, match="node new has not been seen yet"):
        decisions.filter(asks("offline", "new"))
    nodes = cache(node("offline", network="none"))
    with pytest.raises(Cold, match="node new has not been seen yet"):
        deciding(nodes).filter(asks("offline", "new"))


def test_scores_follow_the_reach() -> None:
    names = ["far", "attached", "region-1", "zone-1", "offline", "kept", "unheard-of"]
    scores = {each.host: each.score for each in deciding(cache(*FLEET)).prioritize(asks(*names))}
    assert scores == {
        "attached": 10,
        "zone-1": 7,
        "region-1": 5,
        "far": 1,
        "offline": 0,
        "kept": 0,
        "unheard-of": 0,
    }


def test_the_best_nodes_take_turns() -> None:
    decisions = deciding(cache(*FLEET))
    names = ["zone-1", "zone-2", "zone-3", "region-1"]

    def favoured() -> str:
        scores = decisions.prioritize(asks(*names))
        assert Counter(each.score for each in scores) == {8: 1, 7: 2, 5: 1}
        return max(scores, key=lambda each: each.score).host

    assert Counter(favoured() for _ in range(9)) == dict.fromkeys(names[:3], 3)


def test_preemption_makes_room_only_where_the_backend_is_served() -> None:
    victims = MetaVictims([MetaPod("u-1"), MetaPod("u-2")], 1)
    offered = dict.fromkeys(["zone-1", "far", "offline", "kept", "unheard-of"], victims)
    offered["attached"] = MetaVictims([], 0)
    result = deciding(cache(*FLEET)).preempt(PreemptionArgs(pod(), offered))
    assert result.victims == {"zone-1": victims, "far": victims}


def whole(name: str, **labels: str) -> msgspec.Raw:
    manifest = {"metadata": {"name": name, "labels": labels}, "status": {"capacity": {"cpu": "4"}}}
    return msgspec.Raw(msgspec.json.encode(manifest))


def test_whole_nodes_speak_for_themselves_and_come_back_as_they_were() -> None:
    near = whole("zone-1", **{"topology.kubernetes.io/zone": "eu-1a"})
    off = whole("attached", **{"qsched.io/network-class": "none"})
    args = Args(pod=pod(), nodes=NodeList([off, whole("stranger"), near]))
    decisions = deciding(cache(*FLEET), least=1, most=1)
    result, _ = decisions.filter(args)
    assert result.node_names is None
    assert result.nodes == NodeList([near])
    scores = {each.host: each.score for each in decisions.prioritize(args)}
    assert scores == {"zone-1": 8, "stranger": 1, "attached": 0}


def test_whole_nodes_of_which_none_will_do() -> None:
    off = whole("n", **{"qsched.io/network-class": "none"})
    result, _ = deciding(cache(*FLEET)).filter(Args(pod=pod(), nodes=NodeList([off])))
    assert result.nodes == NodeList([])
    assert list(result.failed_and_unresolvable_nodes) == ["n"]
    result, _ = deciding(cache(*FLEET)).filter(Args(pod=pod(backend=None), nodes=NodeList([off])))
    assert list(result.failed_and_unresolvable_nodes) == ["n"]


def test_something_that_is_no_node_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"Nodes\.items"):
        deciding(cache(*FLEET)).filter(Args(pod=pod(), nodes=NodeList([msgspec.Raw(b'{"kind": "Node"}')])))
