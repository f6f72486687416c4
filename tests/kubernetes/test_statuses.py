"""Statuses on a real API server: none is refused, pruned or too large, and conditions keep their times."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Try
from msgspec.structs import replace

from qsched.api.backend import BackendStatus
from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, CircuitResult, JobSpec, JobStatus, Phase, QuantumCircuitJob, Result
from qsched.engine.calls import MAX_WORDS
from qsched.errors import ResultError
from qsched.kube.errors import Conflict
from qsched.kube.objects import JobObject
from qsched.kube.places import STATUS_BYTES, STATUS_COUNTS, ClusterPlaces
from qsched.kube.status import (
    decode_lifecycle,
    job_conditions,
    kept_transitions,
    refusal_patch,
    status_patch,
)
from qsched.lifecycle.backoff import MAX_ATTEMPTS, token_of
from qsched.lifecycle.machine import step
from qsched.lifecycle.types import (
    Accepted,
    Attempt,
    Placed,
    Policy,
    State,
    Suspended,
    Unplaceable,
    new_state,
)
from tests.kubernetes.lives import LIVES, START, UID, states
from tests.kubernetes.server import Server, path_of
from tests.unit.api.test_round_trip import structs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qsched.api.base import Condition
    from tests.kubernetes.rig import Cluster

KEEPING = settings(
    max_examples=int(os.environ.get("QSCHED_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Try.generate],
)
HEAD = {"apiVersion": "qsched.io/v1alpha1"}


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    with Server(cluster) as server:
        yield server


def new_job(server: Server, name: str, qasm: str = "OPENQASM 3;") -> dict[str, Any]:
    """A stored job."""
    spec = {"circuits": [{"name": "a", "qasm": qasm}]}
    manifest = {**HEAD, "kind": "QuantumCircuitJob", "metadata": {"name": name}, "spec": spec}
    return server.create(manifest)


def write(server: Server, job: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Apply a status as the controller does, and read it back."""
    stored = server.run(server.api.apply(f"{path_of(job)}/status", body))
    status: dict[str, Any] = msgspec.json.decode(stored).get("status", {})
    return status


def patch(
    job: dict[str, Any],
    state: State,
    shown: Sequence[Condition] | None = None,
    *,
    result: bytes | None = None,
    version: str | None = None,
) -> bytes:
    """The controller's words of a state."""
    metadata = job["metadata"]
    return status_patch(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        state,
        job_conditions(state, metadata["generation"]) if shown is None else shown,
        generation=metadata["generation"],
        version=version,
        placement=None,
        result=result,
    )


@pytest.mark.parametrize("life", LIVES)
def test_every_status_of_a_life_is_kept_as_it_is_written(server: Server, life: str) -> None:
    job = new_job(server, life)
    for state in states(life):
        body = patch(job, state)
        kept = write(server, job, body)
        assert kept == msgspec.json.decode(body)["status"]
        assert decode_lifecycle(kept["lifecycle"]) == state


def test_the_lives_end_in_every_phase() -> None:
    ends = {[*states(life)][-1].phase for life in LIVES}
    assert ends == set(get_args(Phase))


@KEEPING
@given(status=structs(JobStatus))
def test_whatever_a_job_status_holds_is_kept(server: Server, status: JobStatus) -> None:
    status = replace(status, conditions=_one_of_a_type(status.conditions))
    if not server.exists("QuantumCircuitJob", "any-status"):
        new_job(server, "any-status")
    # A status of nothing at all is null to the server, which it refuses; ours always has a phase.
    said = {"phase": status.phase, **msgspec.to_builtins(status)}
    body = {**HEAD, "kind": "QuantumCircuitJob", "metadata": {"name": "any-status"}, "status": said}
    assert msgspec.convert(write(server, body, msgspec.json.encode(body)), JobStatus) == status


@KEEPING
@given(status=structs(BackendStatus))
def test_whatever_a_backend_status_holds_is_kept(server: Server, status: BackendStatus) -> None:
    windows = [replace(window, days=sorted(set(window.days))) for window in status.windows]
    status = replace(status, conditions=_one_of_a_type(status.conditions), windows=windows)
    head = {**HEAD, "kind": "QuantumBackend", "metadata": {"name": "any-status"}}
    if not server.exists("QuantumBackend", "any-status"):
        server.create({**head, "spec": {"driver": "fake", "device": "any"}})
    said = {"conditions": [], **msgspec.to_builtins(status)}
    body = {**head, "status": said}
    assert msgspec.convert(write(server, body, msgspec.json.encode(body)), BackendStatus) == status


def _one_of_a_type(conditions: list[Condition]) -> list[Condition]:
    return list({each.type: each for each in conditions}.values())


def test_a_condition_keeps_its_time_until_its_status_changes(server: Server) -> None:
    job = new_job(server, "transitions")
    times: list[dict[str, str]] = []
    state = new_state(UID, Policy(), START)
    events = (
        Accepted(at=START),
        Unplaceable(at=START + 10, message="no backend has 200 qubits"),
        Unplaceable(at=START + 20, message="boston is offline"),
        Placed(at=START + 30, backend="boston"),
        Placed(at=START + 40, backend="torino"),
    )
    for event in events:
        state, _ = step(state, event)
        shown = job_conditions(state, 1)
        # As a new controller would go on: from what the server has.
        seen = msgspec.json.decode(server.run(server.api.get(path_of(job))), type=JobObject).status
        before = {each.type: (each.status, each.last_transition_time) for each in seen.conditions}
        kept = kept_transitions(shown, before)
        shown = [replace(each, last_transition_time=kept[each.type][1]) for each in shown]
        status = write(server, job, patch(job, state, shown))
        times.append({each["type"]: each["lastTransitionTime"] for each in status["conditions"]})
    first = dt.datetime.fromtimestamp(START, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {each["Accepted"] for each in times} == {first}
    scheduled = [each["Scheduled"] for each in times]
    assert scheduled[0] == scheduled[1] == scheduled[2] != scheduled[3] == scheduled[4]


def test_the_words_of_a_refusal_are_kept_however_long_they_are(server: Server) -> None:
    job = new_job(server, "refused")
    metadata = job["metadata"]
    at = dt.datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=dt.UTC)
    body = refusal_patch(
        "default", "refused", metadata["uid"], "µ" * 100_000, version=None, generation=1, at=at
    )
    status = write(server, job, body)
    assert status == msgspec.json.decode(body)["status"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Accepted": "False",
        "Failed": "True",
    }


def test_a_status_that_replaces_an_older_version_is_refused(server: Server) -> None:
    job = new_job(server, "contested")
    state, _ = step(new_state(UID, Policy(), START), Accepted(at=START))
    body = patch(job, state, version=job["metadata"]["resourceVersion"])
    write(server, job, body)
    held, _ = step(state, Suspended(at=START + 1))
    with pytest.raises(Conflict):
        write(server, job, patch(job, held, version=job["metadata"]["resourceVersion"]))
    assert server.get(job)["status"] == msgspec.json.decode(body)["status"]


# Sizes. etcd takes 1.5 MB of an object; what a status may hold leaves room for the spec.


def result_of(counts: int, circuits: int = 1, bits: int = 40) -> Result:
    return Result(
        backend="boston",
        driver="fake",
        remote_id="r-1",
        qsched_version="0.1",
        circuits=[
            CircuitResult(
                name=f"c{number}",
                counts={format(each, f"0{bits}b"): 1 for each in range(counts)},
                shots=counts,
                transpiled_hash="h",
            )
            for number in range(circuits)
        ],
        simulated=False,
    )


def long_life(letter: str) -> State:
    """A job with as many attempts as there may be, each with a story as long as may be, of that letter."""
    attempts = tuple(
        Attempt(
            number=number,
            token=token_of(UID, number),
            backend="b" * 60,
            state="Failed",
            dispatched_at=START,
            remote_id="r" * 512,
            started_at=START + number,
            finished_at=START + number + 0.5,
            reason=f"attempt {number} ".ljust(MAX_WORDS, letter),
        )
        for number in range(1, MAX_ATTEMPTS + 1)
    )
    state = new_state(UID, Policy(backoff_limit=100), START)
    return replace(state, phase="Failed", attempts=attempts, active_since=START, finished_at=START + 1000)


def test_the_largest_status_fits(server: Server) -> None:
    largest = result_of(STATUS_COUNTS, bits=56)
    encoded = msgspec.json.encode(largest)
    assert 0.95 * STATUS_BYTES < len(encoded) <= STATUS_BYTES
    job = new_job(server, "largest", qasm="x" * 500_000)
    body = patch(job, long_life("x"), result=encoded)
    assert len(body) > 600_000
    assert write(server, job, body) == msgspec.json.decode(body)["status"]


def test_the_words_of_a_provider_may_be_of_any_script(server: Server) -> None:
    job = new_job(server, "talkative")
    body = patch(job, long_life("量"))
    assert write(server, job, body) == msgspec.json.decode(body)["status"]


TOO_LARGE = {
    "too many counts": result_of(STATUS_COUNTS + 1, bits=13),
    "too many bytes": result_of(STATUS_COUNTS, bits=64),
    "too many circuits": result_of(100, circuits=300, bits=10),
}
LARGE = {
    "as many counts as may be": result_of(STATUS_COUNTS, bits=40),
    "as many circuits as may be": result_of(20, circuits=300, bits=10),
}


def inlined(server: Server, result: Result) -> Result:
    """What the controller would put into a status of a result."""
    spec = JobSpec(circuits=[Circuit(name="a", uri="s3://circuits/a.qasm")])
    declared = QuantumCircuitJob(metadata=ObjectMeta(name="a", namespace="default"), spec=spec)
    return server.run(ClusterPlaces(server.api).write(declared, result))


@pytest.mark.parametrize("result", TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_no_status_can_hold_is_refused_before_the_server_sees_it(server: Server, result: Result) -> None:
    with pytest.raises(ResultError, match=r"name a place in spec\.result\.uri"):
        inlined(server, result)


@pytest.mark.parametrize("words", LARGE)
def test_a_large_result_comes_back_from_the_server(server: Server, words: str) -> None:
    job = new_job(server, words.replace(" ", "-"))
    state, _ = step(new_state(UID, Policy(), START), Accepted(at=START))
    kept = inlined(server, LARGE[words])
    status = write(server, job, patch(job, state, result=msgspec.json.encode(kept)))
    assert msgspec.convert(status["result"], Result) == LARGE[words]
