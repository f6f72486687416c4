"""Rules between fields, changes of a job, and what is checked when a job is submitted."""

from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, Fallback, JobSpec, QuantumCircuitJob, Requirements, Weights
from qsched.api.manifest import validate_job
from qsched.api.rules import changes_refused, immutable_fields, submission_problems

CIRCUIT = Circuit(name="a", uri="file:///a.qasm")
SPEC = JobSpec(circuits=[CIRCUIT])
NOW = dt.datetime(2030, 1, 31, 12, tzinfo=dt.UTC)


def job(**changes: object) -> QuantumCircuitJob:
    return QuantumCircuitJob(metadata=ObjectMeta(name="a"), spec=replace(SPEC, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": Weights(cost=1e-9)},
        {"objective": "cost"},
        {"fallback": Fallback(policy="OnUnavailable", after="0s")},
        {"fallback": Fallback(policy="OnUnavailable"), "requirements": Requirements(simulators="Required")},
        {"fallback": Fallback(policy="OnDeadline"), "active_deadline_seconds": 60},
        {"fallback": Fallback(policy="OnDeadline"), "requirements": Requirements(complete_by=NOW)},
        {"requirements": Requirements(max_queue_time="1ns", max_calibration_age="876000h")},
        {"requirements": Requirements(min_fidelity=1.0)},
    ],
)
def test_what_the_rules_allow(changes: dict[str, object]) -> None:
    assert validate_job(job(**changes)) == []


def test_only_three_fields_of_a_spec_may_change() -> None:
    assert set(JobSpec.__struct_fields__) - set(immutable_fields()) == {
        "suspend",
        "priority",
        "ttl_seconds_after_finished",
    }


def test_a_change_of_what_may_change_is_allowed() -> None:
    assert changes_refused(SPEC, replace(SPEC, suspend=True, priority=5, ttl_seconds_after_finished=9)) == []


def test_each_other_change_is_refused_by_name() -> None:
    changed = replace(SPEC, shots=7, weights=Weights(cost=1), suspend=True)
    assert [problem.where for problem in changes_refused(SPEC, changed)] == ["spec.shots", "spec.weights"]


def test_a_deadline_in_the_past_is_refused_and_both_times_are_named() -> None:
    late = job(requirements=Requirements(complete_by=NOW - dt.timedelta(seconds=1)))
    [problem] = submission_problems(late, NOW)
    assert problem.where == "spec.requirements.completeBy"
    assert "2030-01-31T11:59:59Z has passed (now is 2030-01-31T12:00:00Z)" in problem.message


def test_a_deadline_in_another_zone_is_compared_as_the_moment_it_is() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    assert submission_problems(job(requirements=Requirements(complete_by=NOW.astimezone(zone))), NOW)
    assert not submission_problems(
        job(requirements=Requirements(complete_by=dt.datetime(2030, 1, 31, 15, tzinfo=zone))), NOW
    )
