"""What ``Client.submit`` makes of what it is given."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, Money, QuantumCircuitJob, Requirements, Weights
from qsched.api.manifest import manifest_yaml, validate_job
from qsched.circuits.qpy import to_qpy
from qsched.errors import InvalidInput
from qsched.sdk.work import declare

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'


def bell(name: str = "bell") -> QuantumCircuit:
    circuit = QuantumCircuit(2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@pytest.fixture
def make(tmp_path: Path):
    def make(work: Any, *, name: str | None = None, **options: Any) -> QuantumCircuitJob:
        job = declare(work, name=name, folder=tmp_path, options=options)
        assert validate_job(job) == []
        return job

    return make


def test_a_circuit_is_kept_in_a_file_and_named_after_itself(make) -> None:
    job = make(bell("My Circuit"), shots=10)
    (circuit,) = job.spec.circuits
    assert circuit.name == "my-circuit"
    assert circuit.uri is not None
    assert Path(circuit.uri.removeprefix("file://")).read_bytes() == to_qpy(bell("My Circuit"))
    assert job.metadata.name.startswith("my-circuit-")
    assert job.spec.shots == 10


def test_text_and_files_are_taken_as_they_are(make, tmp_path: Path) -> None:
    (tmp_path / "a.qasm").write_text(BELL)
    (tmp_path / "b.qpy").write_bytes(to_qpy(bell()))
    text, qasm, qpy = make([BELL, str(tmp_path / "a.qasm"), tmp_path / "b.qpy"]).spec.circuits
    assert text.qasm == qasm.qasm == BELL
    assert qpy.uri == (tmp_path / "b.qpy").as_uri()


def test_a_manifest_file_and_an_object_are_changed_by_options(make, tmp_path: Path) -> None:
    job = QuantumCircuitJob(
        metadata=ObjectMeta(name="mine"),
        spec=JobSpec(circuits=[Circuit(name="bell", qasm=BELL)], priority=3, shots=7),
    )
    path = tmp_path / "job.yaml"
    path.write_text(manifest_yaml(job))
    for work in (job, path, str(path)):
        made = make(work, shots=9, name="other")
        assert (made.metadata.name, made.spec.shots, made.spec.priority) == ("other", 9, 3)
    assert make(job) == job


def test_circuits_of_one_name_get_numbers(make) -> None:
    names = [each.name for each in make([bell("a"), bell("a"), bell("a-1"), bell("b")]).spec.circuits]
    assert len(set(names)) == 4
    assert names[2:] == ["a-1", "b"]


def test_a_long_name_is_cut_to_a_valid_one(make) -> None:
    make(bell("x" * 49 + " circuit"))


@pytest.mark.parametrize(
    "requirements",
    [
        Requirements(min_fidelity=0.5, max_cost=Money(amount="1.50", currency="USD")),
        {"min_fidelity": 0.5, "max_cost": {"amount": "1.50", "currency": "USD"}},
        {"minFidelity": 0.5, "maxCost": Money(amount="1.50", currency="USD")},
        {"min_fidelity": np.float32(0.5), "max_cost": {"amount": "1.50", "currency": "USD"}},
    ],
)
def test_options_may_be_objects_or_mappings(make, requirements: object) -> None:
    job = make(BELL, requirements=requirements, weights=Weights(fidelity=1.0))
    assert job.spec.requirements == Requirements(
        min_fidelity=0.5, max_cost=Money(amount="1.50", currency="USD")
    )


def test_labels_keep_their_names(make) -> None:
    job = make(BELL, requirements={"backend_selector": {"min_fidelity": "high"}})
    assert job.spec.requirements.backend_selector == {"min_fidelity": "high"}


def test_numbers_and_times_of_other_libraries_are_understood(make) -> None:
    when = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    job = make(
        bell(), shots=np.int64(10), execution={"seed": np.int32(7)}, requirements={"complete_by": when}
    )
    assert (job.spec.shots, job.spec.execution.seed) == (10, 7)
    assert job.spec.requirements.complete_by == when


@pytest.mark.parametrize(
    ("work", "options", "message"),
    [
        (BELL, {"shot": 3}, "unknown option 'shot'; options are active_deadline_seconds"),
        (BELL, {"shots": "many"}, "shots"),
        (BELL, {"shots": 0}, "shots"),
        (BELL, {"requirements": {"min_fidelty": 0.5}}, "min_fidelty"),
        (BELL, {"classical": {"template": object()}}, "option 'classical' holds a object"),
        ([], {}, "there is no circuit"),
        (7, {}, "int is no work"),
        ([BELL, None], {}, "NoneType is no work"),
        ("nothing.qasm", {}, "cannot read nothing.qasm"),
        ("circuit.txt", {}, "circuit.txt is not a circuit"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, work: object, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        declare(work, name=None, folder=tmp_path, options=options)  # type: ignore[arg-type]
    assert message in str(refused.value)
