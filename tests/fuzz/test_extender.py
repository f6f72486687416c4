"""Whatever is posted to the extender, it answers 200 and what the scheduler reads, or 400 and a sentence.

``QSCHED_FUZZ_EXAMPLES`` sets how much is tried.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsched_extender.app import VERBS, Extender, Health
from qsched_extender.cache import Cache
from qsched_extender.decisions import Decisions, Limits
from qsched_extender.metrics import Metrics
from qsched_extender.reach import Site, Traits
from qsched_extender.wire import FilterResult, HostPriority, PreemptionResult

EXAMPLES = int(os.environ.get("QSCHED_FUZZ_EXAMPLES", "400"))
FEW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

FOLDER = Path(__file__).parents[1] / "contract" / "extender"
SEEDS = [
    path.read_bytes()
    for path in sorted(
        [*FOLDER.glob("args-*.json"), *FOLDER.glob("preempt-*.json"), *FOLDER.glob("recorded/*")]
    )
]
ANSWERS = {"filter": FilterResult, "prioritize": list[HostPriority], "preempt": PreemptionResult}

verbs = st.sampled_from(VERBS)
numbers = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**400, 1e308, -0.0])
scalars = st.none() | st.booleans() | numbers | st.text(st.characters(), max_size=8)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def extender() -> Extender:
    cache, metrics = Cache(), Metrics(VERBS)
    for each in range(4):
        cache.put_node(f"n{each}", Traits(zone="eu-1a" if each % 2 else "eu-1b"))
    cache.put_backend(Site("heron", zone="eu-1a"))
    cache.jobs.update({"lab/bell": "heron", "default/bell": "heron"})
    cache.cold.clear()
    return Extender(Decisions(cache, Limits()), Health(cache, metrics), metrics)


APP = extender()


def answered(verb: str, body: bytes) -> int:
    status, _, answer = APP.answer("POST", f"/{verb}", body)
    if status == 200:
        msgspec.json.decode(answer, type=ANSWERS[verb])
        json.loads(answer.decode(errors="replace"))  # whole nodes go back with what was wrong in them
    else:
        assert status == 400
        assert answer.decode().strip()
        assert len(answer) < 2000
    return status


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document below its top."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [at] if at else []
    for key, each in inside:
        found += paths(each, (*at, key))
    return found


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """A right request in which some values are others, or some keys are gone or in another case."""
    document = json.loads(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(paths(document) or [("Pod",)]))
        holder = document
        for key in way:
            holder = holder[key]
        match draw(st.sampled_from(["value", "gone", "case", "double"])):
            case "value":
                holder[last] = draw(trees)
            case "gone" if isinstance(holder, dict):
                holder.pop(last, None)
            case "case" if isinstance(holder, dict) and last in holder:
                change = draw(st.sampled_from([str.lower, str.upper, str.swapcase]))
                holder[change(last)] = holder.pop(last)
            case "double" if isinstance(holder, list):
                holder.append(holder[last])
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The bytes of a request, cut short or with some of them changed."""
    body = bytearray(draw(st.sampled_from(SEEDS)))
    if draw(st.booleans()):
        return bytes(body[: draw(st.integers(0, len(body)))])
    for _ in range(draw(st.integers(1, 6))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body)


def test_the_seeds_are_right() -> None:
    for path in FOLDER.glob("recorded/*"):
        assert answered(path.stem.partition("-")[0], path.read_bytes()) == 200


@FEW
@given(verbs, altered())
def test_requests_with_other_values(verb: str, body: bytes) -> None:
    answered(verb, body)


@FEW
@given(verbs, damaged())
def test_damaged_requests(verb: str, body: bytes) -> None:
    answered(verb, body)


@FEW
@given(verbs, trees.map(lambda tree: json.dumps(tree).encode()) | st.binary(max_size=60))
def test_anything(verb: str, body: bytes) -> None:
    answered(verb, body)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"Pod":' * 100_000,
        b'{"Pod":{"metadata":{}},"NodeNames":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"pod":{},"nodenames":' + b"[" * 100_000,
        b'{"Pod":{},"NodeNames":["\\ud800"],"NodeNameToMetaVictims":{"\\udfff":{"Pods":[{"UID":"\\ud800"}]}}}',
        b'{"Pod":{},"NodeNames":["\xff"]}',
        b'\xef\xbb\xbf{"Pod":{},"NodeNames":[]}',
        b'{"Pod":{},"NodeNames":["\\u0000"],"NodeNameToMetaVictims":{"a":{"NumPDBViolations":1e999}}}',
        b"1" * 1_000_000,
    ],
    ids=["brackets", "pods", "deep", "deep in any case", "surrogates", "no UTF-8", "mark", "zero", "digits"],
)
def test_what_breaks_parsers(verb: str, body: bytes) -> None:
    answered(verb, body)


@pytest.mark.parametrize("form", ["NodeNames", "nodenames", "Nodes", "NodeNameToMetaVictims"])
def test_a_hundred_thousand_nodes(form: str) -> None:
    names = [f"node-{each:06d}" for each in range(100_000)]
    value: Any = names
    if form == "Nodes":
        value = {"items": [{"metadata": {"name": name}} for name in names]}
    elif form == "NodeNameToMetaVictims":
        value = {name: {"Pods": [{"UID": "u"}], "NumPDBViolations": 0} for name in names}
    pod = {"metadata": {"name": "p", "annotations": {"qsched.io/backend": "heron"}}}
    body = json.dumps({"Pod": pod, form: value}).encode()
    for verb in ("preempt",) if "Victims" in form else ("filter", "prioritize"):
        assert answered(verb, body) == 200
