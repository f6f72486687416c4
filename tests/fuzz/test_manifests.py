"""Mutated manifests are read or refused with ``InvalidInput``: no traceback, no hang, nothing else.

``QSCHED_FUZZ_EXAMPLES`` sets how many are tried: a few hundred in ``make test``, ten thousand by hand.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsched.api.manifest import manifest_yaml, read_manifests
from qsched.errors import InvalidInput

EXAMPLES = int(os.environ.get("QSCHED_FUZZ_EXAMPLES", "400"))
LONGEST_S = 1.0

HEAD = "apiVersion: qsched.io/v1alpha1\nkind: {kind}\nmetadata: {{name: a, labels: {{zone: eu}}}}\n"
JOB = (
    HEAD.format(kind="QuantumCircuitJob")
    + """\
spec:
  circuits:
  - name: ghz
    qasm: |
      OPENQASM 3.0;
      include "stdgates.inc";
      qubit[2] q;
      h q[0];
  - &other {name: other, configMapRef: {name: maps, key: a.qasm}, parameters: {theta: 0.5, phi: 1e-3}}
  - {<<: *other, name: third}
  shots: 1000
  weights: {fidelity: 1, cost: 0.5}
  requirements:
    backends: [kyoto, osaka]
    backendSelector: {region: eu}
    minFidelity: 0.8
    maxCost: {amount: "12.50", currency: USD}
    completeBy: 2030-01-31T12:00:00Z
    maxQueueTime: 1h30m
  fallback: {policy: OnUnavailable, after: 5m}
  execution: {optimizationLevel: 2, seed: 7, readoutMitigation: yes}
  classical: {template: {metadata: {creationTimestamp: null}, spec: {containers: [{name: main}]}}}
  result: {uri: "s3://bucket/key"}
"""
)
BACKEND = (
    HEAD.format(kind="QuantumBackend")
    + """\
spec:
  driver: aer
  device: kyoto
  parameters: {noise: true, limits: [1, 2]}
  pricing: {currency: USD, perShot: "0.00035", perTask: "0.3"}
  windows: [{days: [Mon, Tue], start: 08:30, end: "17:00"}]
  maxInFlight: 4
"""
)
TABLE = yaml.safe_load((Path(__file__).parents[1] / "bad_manifests" / "table.yaml").read_text())
SEEDS = [JOB, BACKEND, f"{JOB}---\n{BACKEND}", *(case["manifest"] for case in TABLE if "manifest" in case)]
PIECES = [
    *(
        "[",
        "]",
        "{",
        "}",
        ":",
        ": ",
        "- ",
        "? ",
        "|",
        ">",
        "&a ",
        "*a",
        "<<: *other",
        "!!str ",
        "!!set ",
        "#",
        "---\n",
        "...\n",
    ),
    *("\n", "\n  ", "\t", "'", '"', "%", "@", "\\", "\x00", "\x85", "\u2028", "\ufeff", "\ud800", "é", "😀"),
    *(
        "null",
        "~",
        "true",
        "no",
        "0",
        "-1",
        "0777",
        "0x1f",
        "1_000",
        "1e400",
        ".nan",
        "-.inf",
        "9" * 30,
        "1." + "0" * 500,
    ),
    *(
        "2030-01-31",
        "12:30",
        "x" * 300,
        "[" * 80,
        "{a: " * 80,
        "spec",
        "circuits",
        "name",
        "kind: List\nitems:\n",
    ),
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A seed with a few of its pieces cut, doubled, replaced or joined by others."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from(PIECES) | st.text(max_size=8) | st.just(text[start:end] * 2))
        text = text[:start] + piece + text[end:]
    return text


def read_or_refuse(text: str) -> None:
    start = time.process_time()
    manifests, problems = [], []
    try:
        manifests = read_manifests(text, "fuzz.yaml")
    except InvalidInput as refusal:
        problems = refusal.problems
    assert time.process_time() - start < LONGEST_S
    assert bool(manifests) != bool(problems)
    assert all(problem.message and problem.file == "fuzz.yaml" for problem in problems)
    for manifest in manifests:
        assert read_manifests(manifest_yaml(manifest), "again.yaml") == [manifest]


def test_the_seeds_are_right() -> None:
    assert len(read_manifests(f"{JOB}---\n{BACKEND}", "fuzz.yaml")) == 2


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_mutated_manifests_are_read_or_refused(text: str) -> None:
    read_or_refuse(text)


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(st.text(st.characters(), max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(PIECES)


@st.composite
def with_other_values(draw: st.DrawFn) -> str:
    """A right manifest in which some values are others, of any type."""
    plain = yaml.safe_load(draw(st.sampled_from([JOB, BACKEND])))
    for _ in range(draw(st.integers(1, 4))):
        at = plain
        while True:
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[key], (dict, list)) or not at[key] or draw(st.booleans()):
                break
            at = at[key]
        at[key] = draw(
            LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.text(max_size=5), LEAVES, max_size=2)
        )
    return yaml.safe_dump(plain, allow_unicode=True)


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(with_other_values())
def test_values_of_other_types_are_read_or_refused(text: str) -> None:
    read_or_refuse(text)
