from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qsched.cli.inputs import read_jobs
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qsched.api.job import QuantumCircuitJob

BELL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\ncx q[0],q[1];\n'
MANIFEST = """
apiVersion: qsched.io/v1alpha1
kind: QuantumCircuitJob
metadata: {name: %s%s}
spec: {circuits: [{name: c, qasm: "OPENQASM 3.0;"}]}
"""


def read(*files: Path, **options: object) -> list[QuantumCircuitJob]:
    given = {"namespace": None, "shots": None, "objective": None, "backends": [], **options}
    return read_jobs(files, **given)  # type: ignore[arg-type]


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    def manifest(file: str, name: str, more: str = "") -> Path:
        path = tmp_path / file
        path.write_text(MANIFEST % (name, more))
        return path

    return manifest


def test_a_circuit_file_becomes_a_job_that_can_be_run_again(tmp_path: Path) -> None:
    file = tmp_path / "Bell_Pair.qasm"
    file.write_text(BELL)
    [first] = read(file, shots=77, objective="fidelity", backends=["torino"])
    [second] = read(file)
    assert first.spec.circuits[0].qasm == BELL
    assert first.metadata.name.startswith("bell-pair-")
    assert first.metadata.name != second.metadata.name
    assert (first.spec.shots, first.spec.objective) == (77, "fidelity")
    assert first.spec.requirements.backends == ["torino"]


def test_options_of_circuit_files_are_refused_for_manifests(manifest: Callable[..., Path]) -> None:
    with pytest.raises(InvalidInput, match="--shots, --objective and --backend are for circuit files"):
        read(manifest("a.yaml", "a"), shots=5)


@pytest.mark.parametrize("options", [{"shots": 0}, {"objective": "speedy"}, {"backends": ["Not A Name"]}])
def test_options_that_no_manifest_could_hold_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    file = tmp_path / "bell.qasm"
    file.write_text(BELL)
    with pytest.raises(InvalidInput, match=r"bell\.qasm"):
        read(file, **options)


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path, manifest: Callable[..., Path]) -> None:
    (tmp_path / "wrong.yaml").write_text("kind: Pod\napiVersion: v1\n")
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "wrong.yaml", manifest("good.yaml", "good"), tmp_path / "absent.qasm")
    message = str(caught.value)
    assert "wrong.yaml" in message
    assert "absent.qasm" in message
    assert "good.yaml" not in message


def test_two_files_must_not_name_the_same_job(manifest: Callable[..., Path]) -> None:
    with pytest.raises(InvalidInput, match="2 of these jobs are named twin"):
        read(manifest("a.yaml", "twin"), manifest("b.yaml", "twin"))


def test_the_namespace_fills_in_and_does_not_overrule(manifest: Callable[..., Path]) -> None:
    plain, own = manifest("a.yaml", "a"), manifest("b.yaml", "b", ", namespace: lab")
    assert [job.metadata.namespace for job in read(plain, namespace="lab")] == ["lab"]
    assert [job.metadata.namespace for job in read(plain, own)] == [None, "lab"]
    with pytest.raises(InvalidInput, match="says 'lab', the command line 'shop'"):
        read(own, namespace="shop")


def test_a_backend_among_the_jobs_is_pointed_to_the_fleet_option(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(
        "apiVersion: qsched.io/v1alpha1\nkind: QuantumBackend\nmetadata: {name: b}\n"
        "spec: {driver: aer, device: lima}\n"
    )
    with pytest.raises(InvalidInput, match=r"QuantumBackend b is not a job; hand it over with --fleet"):
        read(file)


def test_a_circuit_too_large_for_a_manifest_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "huge.qasm"
    file.write_text("//" + "x" * 1_000_000)
    with pytest.raises(InvalidInput, match="save it as QPY"):
        read(file)
