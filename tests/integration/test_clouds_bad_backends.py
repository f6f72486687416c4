"""Backends that cannot work, beside one that can: each says why, and the job runs."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qsched.sdk import Client
from qsched_emulators.control import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
ARN = "arn:aws:braket:us-east-1::device/qpu"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        clouds = {name: stack.enter_context(Emulator.start(name)) for name in ("ibm", "braket", "azure")}
        for cloud in clouds.values():
            for name, value in cloud.environment.items():
                monkeypatch.setenv(name, value)
        yield clouds


def backend(name: str, driver: str, device: str, parameters: dict[str, Any]) -> dict[str, Any]:
    spec = {"driver": driver, "device": device, "parameters": parameters}
    return {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumBackend",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_each_says_why_and_the_others_work_on(clouds: dict[str, Emulator], tmp_path: Path) -> None:
    ibm, braket, azure = (clouds[name].parameters for name in ("ibm", "braket", "azure"))
    other = {**azure, "workspace": "nobody"}
    stranger = {**ibm, "instance": ibm["instance"].replace("us-east", "eu-de")[:-2] + "9::"}
    fleet = [
        backend("good", "ibm", "ibm_lagos", ibm),
        backend("misspelt", "ibm", "ibm_lagoss", ibm),
        backend("wrong-instance", "ibm", "ibm_lagos", stranger),
        backend("retired", "braket", f"{ARN}/ionq/Harmony", braket),
        backend("analogue", "braket", f"{ARN}/quera/Aquila", braket),
        backend("no-arn", "braket", "Garnet", braket),
        backend("absent", "azure", "ionq.qpu.nova-9", azure),
        backend("annealer", "azure", "microsoft.paralleltempering.cpu", azure),
        backend("no-workspace", "azure", "ionq.qpu.aria-1", other),
    ]
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump_all(fleet))
    with Client.local(store=tmp_path / "qsched.db", fleet=tmp_path / "fleet.yaml") as client:
        job = client.submit(BELL, shots=50)
        assert job.result(60, show_progress=False).backend == "good"
        told = {each.metadata.name: each.status.conditions[0] for each in client.backends()}
    assert told.pop("good").status == "True"
    assert {name for name, condition in told.items() if condition.status != "False"} == set()
    assert {condition.reason for condition in told.values()} <= {
        "NotFound",
        "Rejected",
        "Unauthenticated",
        "Offline",
    }
    words = {name: condition.message for name, condition in told.items()}
    assert "did you mean 'ibm_lagos'" in words["misspelt"]
    assert told["wrong-instance"].reason in {"Unauthenticated", "NotFound"}
    assert "RETIRED" in words["retired"].upper()
    assert "gate-based devices only" in words["analogue"]
    assert "ARN" in words["no-arn"]
    assert "ionq.qpu.nova-9" in words["absent"]
    assert words["annealer"]
    assert "nobody" in words["no-workspace"]


def test_the_demo_of_the_clouds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "demo_clouds.py"],
        cwd=tmp_path,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for part in (
        "ibm-sherbrooke",
        "braket-iqm-garnet",
        "braket-ionq-aria-1",
        "braket-rigetti-ankaa-3",
        "azure-quantinuum-h2-1",
        " wins: ",
        "12 jobs: 12 complete",
        "as a stand-in for",
        "How good the estimates were",
    ):
        assert part in done.stdout, part
    assert (tmp_path / "demo-clouds-output" / "fleet.yaml").exists()
