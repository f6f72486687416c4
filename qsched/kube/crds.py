"""The custom resource definitions, rendered from the declared types."""

from __future__ import annotations

from dataclasses import dataclass

from qsched.api.backend import QuantumBackend
from qsched.api.base import GROUP, VERSION, Declared, Json
from qsched.api.job import QuantumCircuitJob
from qsched.api.schema import RULES_KEY, schema

_HEADER = "# Rendered from qsched/api by `qsched crds`; edit the types, not this file.\n"


@dataclass(frozen=True, slots=True)
class _Resource:
    """What a custom resource definition says beyond the schema of its type; ``wide`` is for ``-o wide``."""

    declared: type[Declared]
    plural: str
    short_name: str
    scope: str
    categories: tuple[str, ...]
    columns: tuple[tuple[str, str, str], ...]
    wide: tuple[tuple[str, str, str], ...]


_AGE = ("Age", "date", ".metadata.creationTimestamp")

_RESOURCES = (
    _Resource(
        QuantumCircuitJob,
        plural="quantumcircuitjobs",
        short_name="qcj",
        scope="Namespaced",
        categories=("all", "qsched"),
        columns=(
            ("Backend", "string", ".status.placement.backend"),
            ("Phase", "string", ".status.phase"),
            ("Score", "number", ".status.placement.score"),
            _AGE,
        ),
        wide=(
            ("Finished", "date", ".status.finishedAt"),
            ("Shots", "integer", ".spec.shots"),
            ("Priority", "integer", ".spec.priority"),
            ("Placement", "string", ".status.conditions[?(@.type=='Scheduled')].message"),
        ),
    ),
    _Resource(
        QuantumBackend,
        plural="quantumbackends",
        short_name="qb",
        scope="Cluster",
        categories=("qsched",),
        columns=(
            ("Driver", "string", ".spec.driver"),
            ("Online", "string", ".status.conditions[?(@.type=='Online')].status"),
            ("Queue", "integer", ".status.queueDepth"),
            ("Qubits", "integer", ".status.calibration.summary.qubits"),
            _AGE,
        ),
        wide=(
            ("Device", "string", ".spec.device"),
            ("Paused", "boolean", ".spec.paused"),
            ("In flight", "integer", ".status.inFlight"),
            ("Calibrated", "date", ".status.calibration.takenAt"),
            ("Condition", "string", ".status.conditions[?(@.type=='Online')].message"),
        ),
    ),
)


def render_crds() -> dict[str, str]:
    """Render the custom resource definitions.

    Returns:
        File names in ``crds/`` and the YAML text of each.
    """
    from qsched.api.yaml_text import yaml_text

    return {f"{r.plural}.{GROUP}.yaml": _HEADER + yaml_text(_definition(r)) for r in _RESOURCES}


def _definition(resource: _Resource) -> Json:
    kind = resource.declared.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": resource.plural,
                "singular": kind.lower(),
                "shortNames": [resource.short_name],
                "categories": list(resource.categories),
            },
            "scope": resource.scope,
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        *(_column(*column) for column in resource.columns),
                        *(_column(*column) | {"priority": 1} for column in resource.wide),
                    ],
                    "schema": {"openAPIV3Schema": _object_schema(resource.declared)},
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str) -> Json:
    return {"name": name, "type": kind, "jsonPath": path}


def _object_schema(declared: type[Declared]) -> Json:
    """The schema of a whole object: the API server itself looks after the version, kind and metadata."""
    whole = schema(declared)
    fields = whole["properties"]
    return {
        "description": whole["description"],
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": fields["spec"],
            "status": _as_observed(fields["status"]),
        },
        "required": ["spec"],
    }


def _as_observed(node: Json) -> Json:
    """A status schema: it says what was seen, so it has no defaults, and no rules that rely on them."""
    kept = {key: value for key, value in node.items() if key not in ("default", RULES_KEY)}
    if "properties" in kept:
        kept["properties"] = {name: _as_observed(child) for name, child in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _as_observed(kept["items"])
    return kept
