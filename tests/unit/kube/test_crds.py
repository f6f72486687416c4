"""The CRDs are current, structural in Kubernetes' sense, bounded, described, and say what the types say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob
from qsched.api.manifest import to_plain
from qsched.api.rules import RULES, immutable_fields
from qsched.kube.crds import render_crds

if TYPE_CHECKING:
    from collections.abc import Iterator

CRDS = Path(__file__).parents[3] / "crds"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
RENDERED = {name: yaml.safe_load(text) for name, text in render_crds().items()}
JOB = RENDERED["quantumcircuitjobs.qsched.io.yaml"]["spec"]
BACKEND = RENDERED["quantumbackends.qsched.io.yaml"]["spec"]

Node = dict
STRUCTURE = {"properties", "additionalProperties", "items"}
KEYWORDS = {
    *STRUCTURE,
    *("type", "format", "title", "description", "default", "enum", "pattern", "required"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *(PRESERVE, "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
}


def schema_of(spec: Node) -> Node:
    return spec["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in node:
            yield from nodes(node[keyword], f"{path}[]")


def structural_faults(node: Node) -> list[str]:
    """What breaks the rules that Kubernetes documents for structural schemas.

    Only constructs that we use are let through: no $ref, no allOf, anyOf, oneOf or not, no int-or-string.
    """
    faults = [f"unknown keyword {key}" for key in node.keys() - KEYWORDS]
    if "type" not in node:
        faults.append("has no type")
    if "properties" in node and "additionalProperties" in node:
        faults.append("has properties and additionalProperties")
    if node.get("nullable"):
        faults.append("is nullable")
    if node.get("type") == "array" and "items" not in node:
        faults.append("is an array without items")
    if node.get("type") == "object" and not ({"properties", "additionalProperties", PRESERVE} & node.keys()):
        faults.append("is an object of nothing")
    faults += [
        f"requires {name}, which it has not"
        for name in node.get("required", [])
        if name not in node["properties"]
    ]
    if node.get("x-kubernetes-list-type") == "map":
        item = node["items"]
        faults += [
            f"key {key} is optional"
            for key in node["x-kubernetes-list-map-keys"]
            if key not in item["required"]
        ]
    if node.get("x-kubernetes-list-type") == "set" and node["items"]["type"] not in ("string", "integer"):
        faults.append("is a set of no scalars")
    return faults


def bounded(node: Node) -> bool:
    if node["type"] == "string":
        return "maxLength" in node or "enum" in node or node.get("format") == "date-time"
    if node["type"] == "array":
        return "maxItems" in node
    return "maxProperties" in node or not ({"additionalProperties", PRESERVE} & node.keys())


@pytest.mark.parametrize("name", RENDERED)
def test_the_committed_file_is_current(name: str) -> None:
    assert (CRDS / name).read_text() == render_crds()[name], "run qsched crds to render it again"


def test_no_other_file_is_committed() -> None:
    assert {path.name for path in CRDS.iterdir()} == RENDERED.keys()


@pytest.mark.parametrize("spec", [JOB, BACKEND], ids=["job", "backend"])
def test_the_schema_is_structural(spec: Node) -> None:
    whole = schema_of(spec)
    assert whole["properties"]["metadata"] == {"type": "object"}
    inner = [("spec", whole["properties"]["spec"]), ("status", whole["properties"]["status"])]
    faults = {f"{part}{path}": structural_faults(node) for part, top in inner for path, node in nodes(top)}
    assert {path: found for path, found in faults.items() if found} == {}


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        ({"properties": {}}, "has no type"),
        (
            {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
            "has properties and additionalProperties",
        ),
        ({"$ref": "#/x", "type": "string"}, "unknown keyword $ref"),
        ({"type": "string", "nullable": True}, "is nullable"),
        ({"type": "array"}, "is an array without items"),
    ],
)
def test_the_checker_sees_what_is_not_structural(node: Node, fault: str) -> None:
    assert fault in structural_faults(node)


@pytest.mark.parametrize("spec", [JOB, BACKEND], ids=["job", "backend"])
def test_every_size_is_bounded(spec: Node) -> None:
    fields = schema_of(spec)["properties"]
    assert [
        path for part in ("spec", "status") for path, node in nodes(fields[part], part) if not bounded(node)
    ] == []


@pytest.mark.parametrize("spec", [JOB, BACKEND], ids=["job", "backend"])
def test_every_field_of_a_spec_is_described(spec: Node) -> None:
    fields = [
        (path, node) for path, node in nodes(schema_of(spec)["properties"]["spec"]) if not path.endswith("[]")
    ]
    assert [path for path, node in fields if not node.get("description")] == []


def with_defaults(value: object, node: Node) -> object:
    """What an API server makes of a value: absent fields get their defaults, from the top down."""
    if isinstance(value, list):
        return [with_defaults(item, node["items"]) for item in value]
    if not isinstance(value, dict):
        return value
    children = node.get("properties", {})
    absent = {
        name: child["default"] for name, child in children.items() if "default" in child and name not in value
    }
    return {name: with_defaults(child, children.get(name, {})) for name, child in (value | absent).items()}


def test_the_defaults_of_the_api_server_are_those_of_the_types() -> None:
    small = QuantumCircuitJob(
        metadata=ObjectMeta(name="a"), spec=JobSpec(circuits=[Circuit(name="a", uri="file:///a")])
    )
    filled = with_defaults(to_plain(small)["spec"], schema_of(JOB)["properties"]["spec"])
    assert (filled["shots"], filled["execution"]["optimizationLevel"], filled["fallback"]["policy"]) == (
        1024,
        2,
        "Never",
    )
    assert msgspec.convert(filled, JobSpec) == small.spec


def test_the_defaults_of_a_backend_are_those_of_its_type() -> None:
    small = QuantumBackend(metadata=ObjectMeta(name="a"), spec=BackendSpec(driver="aer", device="ideal"))
    filled = with_defaults(to_plain(small)["spec"], schema_of(BACKEND)["properties"]["spec"])
    assert filled == {"driver": "aer", "device": "ideal", "maxInFlight": 1, "paused": False}


def test_a_status_has_neither_defaults_nor_rules() -> None:
    for spec in (JOB, BACKEND):
        for _, node in nodes(schema_of(spec)["properties"]["status"]):
            assert not {"default", "x-kubernetes-validations"} & node.keys()


def test_every_rule_in_cel_stands_in_a_crd() -> None:
    rules = {
        rule["rule"]
        for spec in (JOB, BACKEND)
        for _, node in nodes(schema_of(spec))
        for rule in node.get("x-kubernetes-validations", [])
    }
    assert {rule.cel for rule in RULES if rule.cel} <= rules
    assert len([rule for rule in rules if "oldSelf" in rule]) == len(immutable_fields())


def test_rules_blame_fields_that_exist() -> None:
    for spec in (JOB, BACKEND):
        for _, node in nodes(schema_of(spec)):
            for rule in node.get("x-kubernetes-validations", []):
                at = node
                for name in rule.get("fieldPath", "").split(".")[1:]:
                    at = at["properties"][name]


def test_lists_with_keys_merge_by_key() -> None:
    fields = schema_of(JOB)["properties"]
    for node, key in (
        (fields["status"]["properties"]["conditions"], "type"),
        (fields["spec"]["properties"]["circuits"], "name"),
    ):
        assert node["x-kubernetes-list-type"] == "map"
        assert node["x-kubernetes-list-map-keys"] == [key]


def test_what_kubectl_shows() -> None:
    columns = {
        spec["names"]["shortNames"][0]: [
            column["name"]
            for column in spec["versions"][0]["additionalPrinterColumns"]
            if "priority" not in column
        ]
        for spec in (JOB, BACKEND)
    }
    assert columns == {
        "qcj": ["Backend", "Phase", "Score", "Age"],
        "qb": ["Driver", "Online", "Queue", "Qubits", "Age"],
    }
    assert (JOB["scope"], BACKEND["scope"]) == ("Namespaced", "Cluster")
    assert JOB["versions"][0]["subresources"] == {"status": {}}


@pytest.mark.parametrize("spec", [JOB, BACKEND], ids=["job", "backend"])
def test_columns_show_fields_that_exist_with_their_types(spec: Node) -> None:
    for column in spec["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].split("[")[0].split(".")[1:]
        if path[0] == "metadata" or "[" in column["jsonPath"]:
            continue
        node = schema_of(spec)
        for name in path:
            node = node["properties"][name]
        assert ("date" if node.get("format") == "date-time" else node["type"]) == column["type"]
