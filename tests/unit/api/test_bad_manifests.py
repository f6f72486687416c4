"""Every bad manifest of the table is refused with its problems, in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from qsched.api.manifest import read_manifests
from qsched.errors import InvalidInput, Problem

TABLE = yaml.safe_load((Path(__file__).parents[2] / "bad_manifests" / "table.yaml").read_text())
BASE = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumCircuitJob
metadata: {name: ghz}
spec:
  circuits: [{name: a, uri: "file:///a.qasm"}]
"""


def text_of(case: dict[str, str]) -> str:
    return case["manifest"] if "manifest" in case else f"{BASE}{case['spec']}\n"


def place(problem: Problem) -> str:
    return f"{problem.line or ''} {problem.where}"


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case["name"])
def test_a_bad_manifest_is_refused_with_each_of_its_problems(case: dict) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_manifests(text_of(case), "job.yaml")
    problems = caught.value.problems
    expected = [expectation.partition(": ") for expectation in case["problems"]]
    assert [place(problem) for problem in problems] == [where for where, _, _ in expected]
    for problem, (_, _, words) in zip(problems, expected, strict=True):
        assert words in problem.message
        assert problem.file == "job.yaml"


def test_the_base_of_the_table_is_right() -> None:
    [job] = read_manifests(BASE, "job.yaml")
    assert job.metadata.name == "ghz"


def test_case_names_are_unique() -> None:
    names = [case["name"] for case in TABLE]
    assert len(set(names)) == len(names)
