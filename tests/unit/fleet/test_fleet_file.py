from __future__ import annotations

import pytest

from qsched.errors import InvalidInput
from qsched.fleet.fleet_file import load_fleet
from qsched.fleet.quality import quality
from qsched.fleet.region import NET
from qsched_aer.snapshots import load_snapshot

BACKEND = """
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: %s}
spec: {driver: aer, device: torino}
"""


def test_the_default_fleet_is_twelve_different_twins_and_an_ideal_simulator():
    fleet = load_fleet()
    twins = [backend for backend in fleet if backend.spec.device != "ideal"]
    assert len(twins) == 12
    assert len(fleet) == 13
    worths = [quality(load_snapshot(backend.spec.device)) for backend in twins]
    assert min(worth.qubits for worth in worths) == 5
    assert max(worth.calibration.qubits for worth in worths) == 156
    assert len({worth.calibration.two_qubit_gate for worth in worths}) >= 5
    assert max(worth.e2[NET, 5] for worth in worths) > 10 * min(worth.e2[NET, 5] for worth in worths)
    assert max(worth.d2_s for worth in worths) > 1000 * min(worth.d2_s for worth in worths)
    assert len({backend.metadata.labels["vendor"] for backend in twins}) == 4
    assert len({str(backend.spec.pricing) for backend in twins}) >= 7


def test_a_fleet_of_ones_own_is_read_in_its_order(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text("---".join(BACKEND % name for name in ("b", "a")))
    assert [backend.metadata.name for backend in load_fleet(path)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ((BACKEND % "a") + "---" + (BACKEND % "a"), "fleet.yaml.*'?a'?"),
        ("", "fleet.yaml"),
        (BACKEND % "a" + "  nonsense: [", "fleet.yaml"),
        (
            BACKEND % "a" + "---\napiVersion: qsched.io/v1alpha1\nkind: QuantumCircuitJob\n"
            "metadata: {name: j}\nspec: {shots: 10, circuits: [{name: c, uri: 'file:///c.qasm'}]}\n",
            "QuantumCircuitJob 'j': a fleet file holds QuantumBackends only",
        ),
    ],
)
def test_what_is_not_a_fleet_is_refused_with_the_files_name(tmp_path, text, message):
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        load_fleet(path)


def test_a_missing_fleet_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"nowhere\.yaml"):
        load_fleet(tmp_path / "nowhere.yaml")
