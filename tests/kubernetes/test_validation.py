"""The API server and the embedded path say the same of a manifest, or the difference has its reason."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import manifest_name
from qsched.api.check import check
from qsched.api.job import JobSpec, QuantumCircuitJob
from qsched.api.rules import MUTABLE_FIELDS, changes_refused, immutable_fields, immutable_message
from qsched.errors import InvalidInput
from qsched.kube.acceptance import accept
from qsched.kube.errors import Refused
from qsched.kube.objects import JobObject
from tests.fuzz.test_manifests import mutated
from tests.kubernetes.near_misses import near_misses
from tests.kubernetes.server import COLLECTIONS, Server, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsched.api.base import Declared
    from tests.kubernetes.rig import Cluster

EXAMPLES = int(os.environ.get("QSCHED_FUZZ_EXAMPLES", "400"))
TABLE = yaml.safe_load((Path(__file__).parents[1] / "bad_manifests" / "table.yaml").read_text())
BASE = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumCircuitJob
metadata: {name: ghz}
spec:
  circuits: [{name: a, uri: "s3://circuits/a.qasm"}]
"""
TYPES: dict[str, type[Declared]] = {"QuantumCircuitJob": QuantumCircuitJob, "QuantumBackend": QuantumBackend}
SCHEMES = ("s3", "file", "a+b.c-d")


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    with Server(cluster) as server:
        yield server


def job(name: str, **spec: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load(BASE)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= spec
    return manifest


# The table of bad manifests.


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case["name"])
def test_kubectl_says_of_a_bad_manifest_what_the_table_says(cluster: Cluster, case: dict[str, str]) -> None:
    text = case["manifest"] if "manifest" in case else f"{BASE}{case['spec']}\n"
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=text, check=False)
    verdict = "accepts" if done.returncode == 0 else "refuses"
    assert verdict == case.get("server", "refuses"), done.stderr
    assert "Internal" not in done.stderr


def test_the_base_of_the_table_is_right(server: Server) -> None:
    server.try_to_create(yaml.safe_load(BASE))


# What only the controller refuses, in a condition.


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"circuits": [{"name": "a", "uri": "file:///etc/passwd"}]},
            "spec.circuits[0].uri: file:// is not for jobs of this cluster; use s3://",
        ),
        ({"result": {"uri": "memory://x"}}, "spec.result.uri: memory:// is not for jobs"),
        (
            {"requirements": {"completeBy": "2020-01-31T12:00:00Z"}},
            "spec.requirements.completeBy: 2020-01-31T12:00:00Z has passed",
        ),
        (
            {"requirements": {"completeBy": "2030-01-31T12:00:00,5Z"}},
            "spec.requirements.completeBy: '2030-01-31T12:00:00,5Z' is not a time with its zone",
        ),
    ],
)
def test_what_the_server_cannot_know_the_controller_refuses(
    server: Server, spec: dict[str, Any], words: str
) -> None:
    stored = msgspec.json.decode(server.try_to_create(job("ghz", **spec)), type=JobObject)
    with pytest.raises(InvalidInput) as caught:
        accept(stored, 1.9e9)
    [problem] = caught.value.problems
    assert words in f"{problem.where}: {problem.message}"


# What may change.

CHANGES: dict[str, Any] = {
    "circuits": [{"name": "a", "uri": "s3://circuits/b.qasm"}],
    "shots": 7,
    "objective": "cost",
    "weights": {"cost": 1},
    "requirements": {"minFidelity": 0.5},
    "fallback": {"policy": "OnUnavailable"},
    "execution": {"seed": 7},
    "backoff_limit": 1,
    "active_deadline_seconds": 60,
    "managed_by": "example.org/other",
    "classical": {"template": {"spec": {"containers": [{"name": "main", "image": "python"}]}}},
    "result": {"uri": "s3://results"},
}
ALLOWED: dict[str, Any] = {"suspend": True, "priority": 5, "ttl_seconds_after_finished": 60}


def test_the_changes_below_are_of_every_field() -> None:
    assert CHANGES.keys() == set(immutable_fields())
    assert ALLOWED.keys() == set(MUTABLE_FIELDS)


def change(server: Server, plain: dict[str, Any], field: str, value: Any) -> bytes:
    patch = {"spec": {manifest_name(field): value}}
    return server.run(server.api.merge(path_of(plain), patch, dryRun="All", fieldValidation="Strict"))


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_that_may_not_change_is_named_and_nothing_else(server: Server, field: str) -> None:
    plain = job(f"keeps-{manifest_name(field).lower()}")
    before = server.create(plain)
    with pytest.raises(Refused) as caught:
        change(server, plain, field, CHANGES[field])
    assert immutable_message(field) in str(caught.value)
    assert str(caught.value).count("cannot change once the job exists") == 1
    after = before["spec"] | {manifest_name(field): CHANGES[field]}
    [problem] = changes_refused(msgspec.convert(before["spec"], JobSpec), msgspec.convert(after, JobSpec))
    assert problem.message == immutable_message(field)


@pytest.mark.parametrize("field", ["weights", "active_deadline_seconds", "managed_by", "classical"])
def test_a_field_that_may_not_change_may_not_be_removed(server: Server, field: str) -> None:
    plain = job(f"has-{manifest_name(field).lower()}", **{manifest_name(field): CHANGES[field]})
    server.create(plain)
    with pytest.raises(Refused, match=f"{manifest_name(field)} cannot change once the job exists"):
        change(server, plain, field, None)


def test_what_may_change_changes_and_back(server: Server) -> None:
    plain = job("changes")
    server.create(plain)
    for field, value in ALLOWED.items():
        change(server, plain, field, value)
        server.run(server.api.merge(path_of(plain), {"spec": {manifest_name(field): value}}))
        change(server, plain, field, None)


def test_a_changed_value_is_checked_like_a_new_one(server: Server) -> None:
    plain = job("checked")
    server.create(plain)
    with pytest.raises(Refused, match=r"spec\.priority.* should be less than or equal to 1000"):
        change(server, plain, "priority", 1001)


def test_a_backend_may_change_and_is_checked_again(server: Server) -> None:
    plain = {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumBackend",
        "metadata": {"name": "kyoto"},
        "spec": {"driver": "fake", "device": "kyoto"},
    }
    server.create(plain)
    server.run(server.api.merge(path_of(plain), {"spec": {"device": "osaka", "paused": True}}))
    with pytest.raises(Refused, match=r"spec\.maxInFlight"):
        server.run(server.api.merge(path_of(plain), {"spec": {"maxInFlight": 0}}))


def test_a_status_is_written_through_its_subresource_only(server: Server) -> None:
    plain = job("mine")
    server.create(plain | {"status": {"phase": "Complete"}})
    server.run(server.api.merge(path_of(plain), {"status": {"phase": "Complete"}}))
    assert "status" not in server.get(plain)
    body = {"status": {"phase": "Running"}, "spec": {"priority": 9}}
    server.run(server.api.merge(f"{path_of(plain)}/status", body))
    stored = server.get(plain)
    assert (stored["status"]["phase"], stored["spec"]["priority"]) == ("Running", 0)


# Fuzzing.


def spec_of(stored: bytes, kind: str) -> JobSpec | BackendSpec:
    """What the controller reads of an object that the server took; raises ``InvalidInput``."""
    found = msgspec.json.decode(stored, type=JobObject)
    if kind == "QuantumCircuitJob":
        return accept(found, None, SCHEMES).spec
    return msgspec.json.decode(found.spec, type=BackendSpec)


def compare(server: Server, manifest: dict[str, Any]) -> None:
    """Ask both; what they say differently must be one of the listed differences."""
    kind = manifest["kind"]
    ours = check(manifest, TYPES[kind], has_null=True)
    try:
        stored = server.try_to_create(manifest)
    except Refused as error:
        # We take a blank or a small letter for the T of a time, and a zone without its colon.
        if not isinstance(ours, list) and "date-time" not in str(error):
            raise
        return
    if not isinstance(ours, list):
        assert spec_of(stored, kind) == ours.spec
    elif all("has no value" in finding.message for finding in ours):
        pass  # null is an absent field to the server; to us it is one whose value was forgotten
    elif all("not a time with its zone" in finding.message for finding in ours):
        with pytest.raises(InvalidInput):  # Go reads a comma in seconds, and zones beyond a day
            spec_of(stored, kind)
    else:
        pytest.fail(f"the server takes what we refuse: {ours}")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(manifest=near_misses())
def test_the_server_and_we_agree_on_what_is_almost_right(server: Server, manifest: dict[str, Any]) -> None:
    compare(server, manifest)


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=mutated())
def test_the_server_survives_mutated_texts(server: Server, text: str) -> None:
    kind = "QuantumBackend" if "kind: QuantumBackend" in text else "QuantumCircuitJob"
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    body = text.encode(errors="surrogatepass")
    with suppress(Refused):  # and nothing else: no failure of the server's own
        server.run(
            server.api.request("POST", COLLECTIONS[kind], body, params=params, kind="application/yaml")
        )
