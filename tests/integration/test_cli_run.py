"""``qsched run`` and its kin against a real engine with a small fleet, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qsched.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

Command = Callable[..., Result]

BELL = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
)

pytestmark = pytest.mark.slow
WIDE = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[6];\ncreg c[6];\nh q;\nmeasure q -> c;\n'
FLEET = """
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: lima}
spec: {driver: aer, device: lima}
---
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: perth}
spec: {driver: aer, device: perth}
"""


@pytest.fixture
def circuit(tmp_path: Path) -> Path:
    path = tmp_path / "bell.qasm"
    path.write_text(BELL)
    return path


@pytest.fixture
def qsched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "fleet.yaml").write_text(FLEET)

    def qsched(*words: object) -> Result:
        options = ["--store", str(tmp_path / "q.db"), "--fleet", str(tmp_path / "fleet.yaml")]
        return CliRunner().invoke(app, [*options, *map(str, words)], catch_exceptions=False)

    return qsched


def test_running_a_circuit_tells_the_choice_and_the_counts(
    qsched: Command, circuit: Path, tmp_path: Path
) -> None:
    done = qsched("run", circuit, "--shots", 300, "--backend", "perth", "--plot", tmp_path / "counts.svg")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("perth was chosen: no other backend can take this job.")
    assert "300 shots" in done.stdout
    assert "Complete on perth" in done.stderr
    assert "<svg" in (tmp_path / "counts.svg").read_text()


def test_a_job_that_fits_nowhere_fails_with_a_reason_for_each_backend(
    qsched: Command, tmp_path: Path
) -> None:
    (tmp_path / "wide.qasm").write_text(WIDE)
    done = qsched("run", tmp_path / "wide.qasm", "--backend", "lima")
    assert done.exit_code in {1, 2}
    assert "6 qubits" in done.output
    assert "perth" in done.output


def test_a_wrong_circuit_is_refused_with_its_file_and_line(qsched: Command, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.qasm"
    wrong.write_text(BELL.replace("cx q[0]", "cxx q[0]"))
    done = qsched("run", wrong)
    assert done.exit_code == 2
    assert f"{wrong}:6" in done.stderr
    assert "cxx" in done.stderr
    assert qsched("get", "-o", "name").stdout == ""


def test_a_submitted_job_waits_and_can_be_cancelled(qsched: Command, circuit: Path) -> None:
    submitted = json.loads(qsched("submit", circuit, "-o", "json").stdout)
    assert submitted["status"]["conditions"][0]["status"] == "False"
    name = submitted["metadata"]["name"]
    assert qsched("watch", name, "--timeout", 0).exit_code == 1
    cancelled = qsched("cancel", name)
    assert cancelled.exit_code == 0
    assert qsched("get", name, "-o", "name").stdout.strip() == name
    phase = json.loads(qsched("get", name, "-o", "json").stdout)["status"]["phase"]
    assert phase in {"Cancelled", "Complete"}, "a job may end before its cancellation is read"


def test_a_deleted_job_frees_its_name(qsched: Command, circuit: Path, tmp_path: Path) -> None:
    submitted = qsched("submit", circuit, "-o", "yaml").stdout
    manifest = tmp_path / "again.yaml"
    manifest.write_text(submitted)
    name = qsched("get", "-o", "name").stdout.strip()
    again = qsched("submit", manifest)
    assert again.exit_code == 2
    assert f"qsched delete {name}" in again.stderr
    assert qsched("delete", name).exit_code == 0
    assert qsched("get", "-o", "name").stdout == ""
    assert qsched("submit", manifest).exit_code == 0


def test_a_job_that_only_a_cluster_can_run_is_refused(qsched: Command, tmp_path: Path) -> None:
    manifest = tmp_path / "hybrid.yaml"
    manifest.write_text(
        "apiVersion: qsched.io/v1alpha1\nkind: QuantumCircuitJob\nmetadata: {name: hybrid}\nspec:\n"
        "  classical: {template: {spec: {containers: [{name: a, image: b}]}}}\n"
        "  circuits:\n  - name: a\n    qasm: 'OPENQASM 3.0; bit a; qubit q; a = measure q;'\n"
    )
    refused = qsched("submit", manifest)
    assert refused.exit_code == 2
    assert "spec.classical: pods run on Kubernetes only" in refused.stderr


def test_backends_are_shown_with_what_is_known_of_them(qsched: Command) -> None:
    shown = qsched("backends")
    assert [line.split()[0] for line in shown.stdout.splitlines()[3:]] == ["lima", "perth"]
    assert "ready" in shown.stdout
    one = json.loads(qsched("backends", "perth", "-o", "json").stdout)
    assert one["status"]["calibration"]["summary"]["qubits"] == 7
    wrong = qsched("backends", "pert")
    assert wrong.exit_code == 2
    assert "did you mean perth?" in wrong.stderr
