"""What must hold between the fields of a declared type.

Each rule is declared once: its CEL expression goes into the CRD, so that the API server refuses what the
Python check refuses. A rule without CEL says something that CEL cannot say or that the schema says otherwise
(a list map's keys are unique); off the API server only the Python check sees it.

The sizes in the types bound the cost of every expression.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qsched.api.backend import BackendSpec, Pricing, Window
from qsched.api.base import Declared, manifest_name
from qsched.api.job import (
    MAX_CONTAINERS,
    Circuit,
    Classical,
    Fallback,
    JobSpec,
    QuantumCircuitJob,
    Requirements,
    Weights,
)
from qsched.api.paths import Path, field_path
from qsched.api.quantities import amount, duration_ns
from qsched.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T", bound=Declared)

MUTABLE_FIELDS = ("suspend", "priority", "ttl_seconds_after_finished")
LONGEST_DURATION_H = 876_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """A rule that every value of a type keeps.

    Attributes:
        type: The declared type.
        path: The field to blame, from the type's own level; empty for the value as a whole.
        message: What is wrong and what to do.
        holds: Whether a value keeps the rule.
        cel: The same in CEL, where the value is ``self``.
    """

    type: type[T]
    path: Path
    message: str
    holds: Callable[[T], bool]
    cel: str | None = None


def _duration(declared: type[T], field: str, *, zero: bool = False) -> Rule[T]:
    """The bounds of a duration: CEL cannot hold more than 292 years, and no time at all is a mistake."""
    name = manifest_name(field)
    least = ">=" if zero else ">"

    def holds(value: T) -> bool:
        text: str | None = getattr(value, field)
        if text is None:
            return True
        nanoseconds = duration_ns(text)
        return (zero or nanoseconds > 0) and nanoseconds <= LONGEST_DURATION_H * 3600 * 10**9

    return Rule(
        declared,
        (name,),
        f"must be {'at least 0s' if zero else 'more than 0s'} and at most {LONGEST_DURATION_H}h (100 years)",
        holds,
        f"!has(self.{name}) || (duration(self.{name}) {least} duration('0s') && "
        f"duration(self.{name}) <= duration('{LONGEST_DURATION_H}h'))",
    )


def _unique(values: Sequence[str]) -> bool:
    return len(set(values)) == len(values)


def _has_deadline(spec: JobSpec) -> bool:
    return spec.requirements.complete_by is not None or spec.active_deadline_seconds is not None


def _has_containers(classical: Classical) -> bool:
    spec = classical.template.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not 1 <= len(containers) <= MAX_CONTAINERS:
        return False
    return all(isinstance(container, dict) for container in containers)


RULES: tuple[Rule[Any], ...] = (
    Rule(
        Circuit,
        (),
        "give exactly one of qasm, configMapRef and uri",
        lambda circuit: [circuit.qasm, circuit.config_map_ref, circuit.uri].count(None) == 2,
        "[has(self.qasm), has(self.configMapRef), has(self.uri)].exists_one(given, given)",
    ),
    Rule(
        Weights,
        (),
        "all weights are zero; give at least one of fidelity, wait, coherence and cost a positive weight",
        lambda weights: max(weights.fidelity, weights.wait, weights.coherence, weights.cost) > 0,
        "self.fidelity > 0.0 || self.wait > 0.0 || self.coherence > 0.0 || self.cost > 0.0",
    ),
    Rule(
        Requirements,
        ("completeBy",),
        "must be a time with its zone, after 1970, such as 2030-01-31T12:00:00Z",
        lambda requirements: requirements.complete_by is None or requirements.complete_by > _EPOCH,
        # Without a look at its value the API server would take anything but another text for a time.
        f"!has(self.completeBy) || self.completeBy > timestamp('{_EPOCH:%Y-%m-%dT%H:%M:%SZ}')",
    ),
    _duration(Requirements, "max_queue_time"),
    _duration(Requirements, "max_calibration_age"),
    Rule(
        Requirements,
        ("backends",),
        "names a backend twice; name each once",
        lambda requirements: _unique(requirements.backends),
    ),
    _duration(Fallback, "after", zero=True),
    Rule(
        Fallback,
        ("after",),
        "is how long the backend must have been unavailable; it needs policy: OnUnavailable, or remove it",
        lambda fallback: fallback.after is None or fallback.policy == "OnUnavailable",
        "!has(self.after) || self.policy == 'OnUnavailable'",
    ),
    Rule(
        Classical,
        ("template",),
        f"is not a pod template: spec.containers has to list 1 to {MAX_CONTAINERS} containers",
        _has_containers,
    ),
    Rule(
        JobSpec,
        ("circuits",),
        "two circuits have the same name; give each a name of its own",
        lambda spec: _unique([circuit.name for circuit in spec.circuits]),
    ),
    Rule(
        JobSpec,
        ("weights",),
        "an objective stands for weights of its own; give either objective or weights",
        lambda spec: spec.weights is None or spec.objective == "balanced",
        "!has(self.weights) || self.objective == 'balanced'",
    ),
    Rule(
        JobSpec,
        ("fallback", "policy"),
        "a fallback runs on a simulator, and requirements.simulators is Forbidden; change one of the two",
        lambda spec: spec.fallback.policy == "Never" or spec.requirements.simulators != "Forbidden",
        "self.fallback.policy == 'Never' || self.requirements.simulators != 'Forbidden'",
    ),
    Rule(
        JobSpec,
        ("fallback", "policy"),
        "OnDeadline needs a deadline: give requirements.completeBy or activeDeadlineSeconds",
        lambda spec: spec.fallback.policy != "OnDeadline" or _has_deadline(spec),
        "self.fallback.policy != 'OnDeadline' || has(self.requirements.completeBy) || "
        "has(self.activeDeadlineSeconds)",
    ),
    Rule(
        Pricing,
        ("quantum",),
        "prices are rounded up to a multiple of this, so it must be more than 0",
        lambda pricing: amount(pricing.quantum) > 0,
        "double(self.quantum) > 0.0",
    ),
    Rule(Window, ("days",), "names a day twice; name each once", lambda window: _unique(window.days)),
    _duration(BackendSpec, "recalibrates_every"),
)


def cel_rules(declared: type[Declared]) -> list[dict[str, str]]:
    """The ``x-kubernetes-validations`` of a type: its rules, and for a job's spec what may not change."""
    rules = [(rule.path, rule.message, rule.cel) for rule in RULES if rule.type is declared and rule.cel]
    if declared is JobSpec:
        rules += [
            ((manifest_name(f),), immutable_message(f), _unchanged(manifest_name(f)))
            for f in immutable_fields()
        ]
    return [
        {"rule": cel, "message": message} | ({"fieldPath": f".{field_path(path)}"} if path else {})
        for path, message, cel in rules
    ]


def _unchanged(name: str) -> str:
    """A transition rule, which the API server checks on updates only."""
    return f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"


def immutable_fields() -> list[str]:
    """The Python names of the fields of a job's spec that cannot change once the job exists."""
    return [name for name in JobSpec.__struct_fields__ if name not in MUTABLE_FIELDS]


def immutable_message(field: str) -> str:
    """What to say when an immutable field (by its Python name) changed."""
    mutable = ", ".join(map(manifest_name, MUTABLE_FIELDS))
    return (
        f"{manifest_name(field)} cannot change once the job exists (only {mutable} can); create another job"
    )


def changes_refused(old: JobSpec, new: JobSpec) -> list[Problem]:
    """What a change of a job's spec breaks.

    Args:
        old: The spec that the job has.
        new: The spec that it is to have.

    Returns:
        A problem for each immutable field that differs.
    """
    return [
        Problem(f"spec.{manifest_name(field)}", immutable_message(field))
        for field in immutable_fields()
        if getattr(old, field) != getattr(new, field)
    ]


def submission_problems(job: QuantumCircuitJob, now: dt.datetime) -> list[Problem]:
    """What is wrong with submitting a valid job at a given time.

    Args:
        job: The job.
        now: The time of the submission, aware.

    Returns:
        The problems; none if the job may be submitted.
    """
    complete_by = job.spec.requirements.complete_by
    if complete_by is None or complete_by > now:
        return []
    message = f"{_utc_text(complete_by)} has passed (now is {_utc_text(now)}); choose a later time"
    return [Problem("spec.requirements.completeBy", message)]


def _utc_text(time: dt.datetime) -> str:
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
