"""The CRDs on a real API server: taken without a word, and what they make of objects is what we make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import JobSpec, QuantumCircuitJob
from qsched.api.manifest import Manifest, read_manifest_file, to_plain
from qsched.kube.crds import render_crds
from tests.kubernetes.server import Server
from tests.unit.api.test_round_trip import structs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubernetes.rig import Cluster

EXAMPLES = int(os.environ.get("QSCHED_FUZZ_EXAMPLES", "100"))
REPOSITORY = Path(__file__).parents[2]
FLEET = REPOSITORY / "qsched" / "fleet" / "default.yaml"
MANIFESTS = [*sorted((REPOSITORY / "examples").glob("*.yaml")), FLEET]
SPECS: dict[str, type[JobSpec | BackendSpec]] = {
    "QuantumCircuitJob": JobSpec,
    "QuantumBackend": BackendSpec,
}
PLURALS = ["quantumcircuitjobs.qsched.io", "quantumbackends.qsched.io"]


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    with Server(cluster) as server:
        yield server


def as_stored(server: Server, manifest: Manifest) -> JobSpec | BackendSpec:
    """The spec that the server would keep of a manifest."""
    stored = msgspec.json.decode(server.try_to_create(to_plain(manifest)))
    return msgspec.convert(stored["spec"], SPECS[manifest.kind])


@pytest.mark.parametrize(
    "way", [("apply", "--server-side"), ("replace", "--dry-run=server")], ids=lambda way: way[0]
)
def test_the_crds_are_taken_without_a_warning(cluster: Cluster, way: tuple[str, ...]) -> None:
    text = "---\n".join(render_crds().values())
    done = cluster.kubectl(*way, "-f", "-", input=text, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("plural", PLURALS)
def test_the_server_finds_no_fault_with_a_crd(cluster: Cluster, plural: str) -> None:
    path = "jsonpath={range .status.conditions[*]}{.type}={.status} {end}"
    said = cluster.kubectl("get", "crd", plural, "-o", path).stdout.split()
    assert sorted(said) == ["Established=True", "NamesAccepted=True"]


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_what_we_ship_applies_as_it_stands(cluster: Cluster, server: Server, file: Path) -> None:
    done = cluster.kubectl("apply", "-f", file)
    assert done.stderr == ""
    for manifest in read_manifest_file(file):
        stored = server.get(to_plain(manifest))
        assert msgspec.convert(stored["spec"], SPECS[manifest.kind]) == manifest.spec


def test_a_small_job_gets_its_defaults(server: Server) -> None:
    spec = {"circuits": [{"name": "a", "uri": "s3://circuits/a.qasm"}]}
    plain = {"apiVersion": "qsched.io/v1alpha1", "kind": "QuantumCircuitJob", "metadata": {"name": "small"}}
    assert server.create(plain | {"spec": spec})["spec"] == spec | {
        "shots": 1024,
        "objective": "balanced",
        "requirements": {"simulators": "Allowed"},
        "fallback": {"policy": "Never"},
        "execution": {
            "optimizationLevel": 2,
            "readoutMitigation": False,
            "dynamicalDecoupling": False,
            "transpile": "Local",
        },
        "suspend": False,
        "priority": 0,
        "backoffLimit": 3,
    }


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(job=structs(QuantumCircuitJob))
def test_a_job_reads_back_as_what_it_means_embedded(server: Server, job: QuantumCircuitJob) -> None:
    job = replace(job, metadata=ObjectMeta(name="a"))
    assert as_stored(server, job) == job.spec


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(backend=structs(QuantumBackend))
def test_a_backend_reads_back_as_what_it_means_embedded(server: Server, backend: QuantumBackend) -> None:
    spec = backend.spec
    pricing = spec.pricing and replace(spec.pricing, quantum="0.01")
    windows = [replace(window, days=sorted(set(window.days))) for window in spec.windows]
    backend = QuantumBackend(
        metadata=ObjectMeta(name="a"), spec=replace(spec, pricing=pricing, windows=windows)
    )
    stored = as_stored(server, backend)
    assert isinstance(stored, BackendSpec)
    assert as_json_has_it(stored.parameters) == as_json_has_it(backend.spec.parameters)
    assert replace(stored, parameters={}) == replace(backend.spec, parameters={})


def as_json_has_it(value: Any) -> Any:
    """A free value with every number a float: the server writes 1e17 with all its zeros."""
    if isinstance(value, dict):
        return {key: as_json_has_it(child) for key, child in value.items()}
    if isinstance(value, list):
        return [as_json_has_it(child) for child in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
