"""Paths, statuses and what is counted."""

from __future__ import annotations

import msgspec
import pytest

from qsched_extender.app import VERBS, Extender, Health
from qsched_extender.connection import JSON
from qsched_extender.decisions import Decisions, Limits
from qsched_extender.metrics import Metrics
from tests.unit.extender.builders import cache, node

POD = {"metadata": {"name": "p", "annotations": {"qsched.io/backend": "heron"}}}
ASKED = msgspec.json.encode({"Pod": POD, "NodeNames": ["n1", "n2"]})
PREEMPT = msgspec.json.encode({"Pod": POD, "NodeNameToMetaVictims": {"n1": {"Pods": [{"UID": "u"}]}}})


@pytest.fixture
def known():
    return cache(node("n1"), node("n2", zone="eu-1a"))


@pytest.fixture
def app(known) -> Extender:
    metrics = Metrics(VERBS)
    return Extender(Decisions(known, Limits()), Health(known, metrics), metrics)


def test_each_verb(app: Extender) -> None:
    status, kind, body = app.answer("POST", "/filter", ASKED)
    assert (status, kind) == (200, JSON)
    assert msgspec.json.decode(body)["NodeNames"] == ["n2", "n1"]
    status, kind, body = app.answer("POST", "/prioritize", ASKED)
    assert (status, kind) == (200, JSON)
    assert msgspec.json.decode(body) == [{"Host": "n1", "Score": 1}, {"Host": "n2", "Score": 8}]
    status, kind, body = app.answer("POST", "/preempt", PREEMPT)
    assert (status, kind) == (200, JSON)
    assert msgspec.json.decode(body) == {
        "NodeNameToMetaVictims": {"n1": {"Pods": [{"UID": "u"}], "NumPDBViolations": 0}}
    }


def test_a_cold_cache_is_said_where_the_scheduler_looks_for_it(app: Extender, known) -> None:
    assert app.answer("GET", "/readyz", b"").status == 200
    known.cold |= {"nodes", "quantumbackends"}
    status, _, body = app.answer("POST", "/filter", ASKED)
    assert status == 200
    assert "nodes, quantumbackends not listed yet" in msgspec.json.decode(body)["Error"]
    assert app.answer("POST", "/prioritize", ASKED).status == 503
    assert app.answer("POST", "/preempt", PREEMPT).status == 503
    assert app.answer("GET", "/readyz", b"") == (
        503,
        b"text/plain; charset=utf-8",
        b"not listed yet: nodes, quantumbackends\n",
    )
    assert app.answer("GET", "/healthz", b"").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/filter", b"", 405),
        ("POST", "/metrics", b"", 405),
        ("POST", "/bind", b"", 404),
        ("GET", "/", b"", 404),
        ("POST", "/filter", None, 413),
        ("POST", "/filter", b"", 400),
        ("POST", "/filter", b"{}", 400),
        ("POST", "/prioritize", b"[1, 2", 400),
        ("POST", "/preempt", b"null", 400),
    ],
)
def test_what_is_no_request_gets_a_sentence(
    app: Extender, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = app.answer(method, path, body)
    assert answer.status == status
    assert answer.body.endswith(b"\n")
    assert len(answer.body.splitlines()) == 1


def test_answers_are_counted_by_outcome(app: Extender) -> None:
    app.answer("POST", "/filter", ASKED)
    app.answer("POST", "/filter", ASKED.replace(b"heron", b"osprey"))
    app.answer("POST", "/filter", b"{")
    app.answer("POST", "/prioritize", None)
    lines = app.answer("GET", "/metrics", b"").body.decode().splitlines()
    counted = {line for line in lines if line.startswith("qsched_extender_answers_total")}
    assert counted == {
        'qsched_extender_answers_total{outcome="nodes",verb="filter"} 1.0',
        'qsched_extender_answers_total{outcome="no-backend",verb="filter"} 1.0',
        'qsched_extender_answers_total{outcome="bad-request",verb="filter"} 1.0',
        'qsched_extender_answers_total{outcome="too-large",verb="prioritize"} 1.0',
    }
    assert 'qsched_extender_request_seconds_count{verb="filter"} 3.0' in lines
