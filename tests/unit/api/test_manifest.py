"""Reading manifests: what is accepted, what it means, and what is refused before it is read."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from qsched.api.backend import QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob, Weights
from qsched.api.manifest import manifest_yaml, read_manifest_file, read_manifests, to_plain, validate_job
from qsched.api.yaml_source import MAX_DEPTH, MAX_PROBLEMS
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "apiVersion: qsched.io/v1alpha1\nkind: QuantumCircuitJob\nmetadata: {name: ghz}\n"
CIRCUITS = 'circuits: [{name: a, uri: "file:///a.qasm"}]'
JOB = f"{HEAD}spec:\n  {CIRCUITS}\n"


def job(**spec: object) -> QuantumCircuitJob:
    fields = {"circuits": [Circuit(name="a", qasm="OPENQASM 3;")]} | spec
    return QuantumCircuitJob(metadata=ObjectMeta(name="ghz"), spec=JobSpec(**fields))


def read_one(text: str) -> QuantumCircuitJob:
    [read] = read_manifests(text, "job.yaml")
    assert isinstance(read, QuantumCircuitJob)
    return read


def problems_of(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_manifests(text, "job.yaml")
    return str(caught.value)


def test_defaults_are_those_of_the_types() -> None:
    assert read_one(JOB).spec == job(circuits=[Circuit(name="a", uri="file:///a.qasm")]).spec


@pytest.mark.parametrize("written", ["3600", "3600.0", "3.6e+3"])
def test_a_whole_number_may_be_written_as_a_float_as_api_servers_take_it(written: str) -> None:
    read = read_one(f"{JOB}  activeDeadlineSeconds: {written}\n").spec.active_deadline_seconds
    assert read == 3600
    assert isinstance(read, int)


def test_a_fraction_is_no_whole_number() -> None:
    assert "should be a whole number, not 3.5" in problems_of(f"{JOB}  activeDeadlineSeconds: 3.5\n")


def test_documents_and_lists_are_read_in_order() -> None:
    text = f"""\
---
{JOB}
---

---
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {{name: b}}
spec: {{driver: aer, device: ideal}}
---
apiVersion: v1
kind: List
items:
- apiVersion: qsched.io/v1alpha1
  kind: QuantumCircuitJob
  metadata: {{name: c}}
  spec: {{{CIRCUITS}}}
"""
    read = read_manifests(text, "all.yaml")
    assert [manifest.metadata.name for manifest in read] == ["ghz", "b", "c"]
    assert isinstance(read[1], QuantumBackend)


def test_the_same_name_is_free_in_another_namespace_and_kind() -> None:
    other = JOB.replace("name: ghz", "name: ghz, namespace: lab")
    assert len(read_manifests(f"{JOB}---\n{other}", "all.yaml")) == 2


def test_json_is_read() -> None:
    written = json.dumps(to_plain(job(shots=10)), indent="\t")
    assert read_one(written) == job(shots=10)


@pytest.mark.parametrize(
    ("written", "shots"), [("1e3", 1000), ("2000.0", 2000), ("+7", 7), ("1_0", None), ("0x10", None)]
)
def test_whole_numbers_may_be_written_as_json_numbers_only(written: str, shots: int | None) -> None:
    text = f"{JOB}  shots: {written}\n"
    if shots is None:
        assert "write it in plain decimal digits" in problems_of(text)
    else:
        assert read_one(text).spec.shots == shots


@pytest.mark.parametrize(
    ("written", "value"), [("yes", True), ("Off", False), ("true", True), ("N", None), ("y", None)]
)
def test_booleans_are_those_of_kubectl(written: str, *, value: bool | None) -> None:
    text = f"{JOB}  suspend: {written}\n"
    if value is None:
        assert "should be true or false" in problems_of(text)
    else:
        assert read_one(text).spec.suspend is value


def test_times_of_day_and_dates_are_text() -> None:
    text = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: b}
spec: {driver: aer, device: 2030-01-31, windows: [{start: 12:30, end: 13:00}]}
"""
    [backend] = read_manifests(text, "fleet.yaml")
    assert (backend.spec.device, backend.spec.windows[0].start) == ("2030-01-31", "12:30")


def test_anchors_and_merge_keys_share_settings_and_own_keys_win() -> None:
    text = f"""{HEAD}spec:
  circuits:
  - &first {{name: a, uri: "file:///a.qasm", parameters: {{theta: 1}}}}
  - <<: *first
    name: b
"""
    first, second = read_one(text).spec.circuits
    assert (first.name, second.name) == ("a", "b")
    assert first.uri == second.uri
    assert second.parameters == {"theta": 1.0}


def test_a_problem_in_a_merged_mapping_is_on_the_line_where_it_was_written() -> None:
    text = f"""{HEAD}spec:
  circuits:
  - &first
    name: a
    uri: nowhere
  - <<: *first
    name: b
"""
    assert problems_of(text).count("job.yaml:8: spec.circuits") == 2


def test_what_kubernetes_tools_leave_in_metadata_is_accepted() -> None:
    text = JOB.replace(
        "name: ghz", "name: ghz, creationTimestamp: null, generation: 3, managedFields: [{manager: kubectl}]"
    )
    assert read_one(text).metadata.creation_timestamp is None


def test_a_pod_template_is_kept_as_it_is_nulls_included() -> None:
    template = "{metadata: {creationTimestamp: null}, spec: {containers: [{name: main, image: python}]}}"
    read = read_one(f"{JOB}  classical: {{template: {template}}}\n")
    assert read.spec.classical.template["metadata"] == {"creationTimestamp": None}


def test_a_manifest_of_100_mb_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    start = time.perf_counter()
    with pytest.raises(InvalidInput, match=r"huge\.yaml: is 100\.0 MB large: the limit is 8 MB"):
        read_manifest_file(path)
    assert time.perf_counter() - start < 0.2


def test_a_text_above_the_limit_is_refused() -> None:
    assert "job.yaml: is 9.0 MB large: the limit is 8 MB" in problems_of("#" * 9_000_000)


def test_half_a_character_is_refused_with_its_line() -> None:
    assert problems_of("a: 1\nb: \ud800").startswith("job.yaml:2: holds half a character")


def test_only_mappings_can_be_merged() -> None:
    assert 'job.yaml:6: spec["<<"]: can merge mappings only' in problems_of(f"{JOB}  <<: [1]\n")


def test_numbers_that_nothing_can_hold_are_refused() -> None:
    text = f"{JOB}  weights: {{fidelity: 1e999, wait: 0.{'0' * 500}1}}\n"
    said = problems_of(text)
    assert "spec.weights.fidelity: 1e999 is larger than any number" in said
    assert "spec.weights.wait: is a number of 503 characters" in said


def test_an_endless_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:
            buffer[:] = b"#" * len(buffer)
            return len(buffer)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    with pytest.raises(InvalidInput, match="stdin: is too large: the limit is 8 MB"):
        read_manifest_file("-")


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(JOB.encode())))
    [read] = read_manifest_file("-")
    assert read.metadata.name == "ghz"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", r"byte 0x89"),
        (JOB.encode("utf-16"), r"byte 0xff"),
        (b"a: 1\nb: \xe9\n", r"job\.yaml:2: is not UTF-8 text \(byte 0xe9\)"),
        (b"\0\0\0", r"job\.yaml:1: holds a control character"),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_manifest_file(path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(JOB.encode("utf-8-sig"))
    assert len(read_manifest_file(path)) == 1


@pytest.mark.parametrize(
    ("name", "message"), [("none.yaml", "No such file"), (".", "Is a directory"), ("a\0b", "null")]
)
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"cannot be read: .*{message}"):
        read_manifest_file(str(tmp_path / name) if "\0" not in name else name)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert problems_of(opening * 100_000).endswith(
        f"nests deeper than {MAX_DEPTH} levels; no manifest needs that"
    )


def test_very_many_problems_are_cut_short() -> None:
    text = f"{JOB}  requirements: {{maxCost: {{{', '.join(f'f{i}: 1' for i in range(5000))}}}}}\n"
    with pytest.raises(InvalidInput) as caught:
        read_manifests(text, "job.yaml")
    assert len(caught.value.problems) == MAX_PROBLEMS + 1


def test_jobs_built_in_python_get_the_same_verdicts_as_their_manifests() -> None:
    wrong = job(circuits=[], shots=0, weights=Weights(), managed_by="x" * 64)
    said = [(problem.where, problem.message) for problem in validate_job(wrong)]
    with pytest.raises(InvalidInput) as caught:
        read_manifests(manifest_yaml(wrong), "job.yaml")
    assert sorted(said) == sorted((problem.where, problem.message) for problem in caught.value.problems)
    assert [where for where, _ in said] == ["spec.circuits", "spec.managedBy", "spec.shots", "spec.weights"]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"weights": Weights(fidelity=float("nan"))}, "spec.weights.fidelity"),
        ({"managed_by": "\ud800"}, "spec.managedBy"),
        ({"shots": "many"}, "spec.shots"),
        ({"classical": object()}, ""),
    ],
)
def test_python_values_that_no_manifest_can_hold_are_refused(spec: dict[str, object], where: str) -> None:
    assert [problem.where for problem in validate_job(job(**spec))] == [where]


def test_plain_values_name_their_kind_and_leave_defaults_out() -> None:
    assert to_plain(job()) == {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumCircuitJob",
        "metadata": {"name": "ghz"},
        "spec": {"circuits": [{"name": "a", "qasm": "OPENQASM 3;"}]},
    }


def test_a_program_is_written_as_a_block_of_lines() -> None:
    text = manifest_yaml(job(circuits=[Circuit(name="a", qasm="OPENQASM 3;\nqubit q;\n")]))
    assert "qasm: |\n      OPENQASM 3;\n      qubit q;\n" in text


def test_a_good_manifest_is_read_without_the_slow_libraries() -> None:
    code = f"""
import sys
from qsched.api.manifest import read_manifests
read_manifests({JOB!r}, "job.yaml")
print({{"jsonschema", "numpy", "qiskit"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
