"""One manifest on three clouds, whose emulators are spoken to with credentials from Secrets."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from qsched_emulators.control import Emulator
from tests.kubernetes.controllers import apply, backend, get, job, on, online, phase, start_controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubernetes.rig import Cluster

DEVICES = {
    "ibm": "ibm_torino",
    "braket": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "azure": "ionq.qpu.forte-1",
}


@pytest.fixture(scope="module")
def emulators() -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Emulator.start(name, pace=0.1)) for name in DEVICES}


@pytest.fixture(scope="module")
def cluster(start_cluster: Any, emulators: dict[str, Emulator]) -> Cluster:
    cluster: Cluster = start_cluster(controllers=True)
    cluster.install_crds()
    cluster.install_chart()
    for name, emulator in emulators.items():
        literals = [f"--from-literal={key}={value}" for key, value in emulator.credentials.items()]
        cluster.kubectl("create", "secret", "generic", name, "-n", "qsched-system", *literals)
        apply(
            cluster,
            backend(
                name,
                driver=name,
                device=DEVICES[name],
                parameters=emulator.parameters,
                credentialsSecretRef={"name": name},
            ),
        )
    start_controller(cluster)
    return cluster


def test_one_manifest_runs_on_three_clouds(cluster: Cluster) -> None:
    for name in DEVICES:
        online(cluster, name)
        apply(cluster, job(f"on-{name}", requirements=on(name)))
    for name in DEVICES:
        result = phase(cluster, f"on-{name}", "Complete")["status"]["result"]
        counts = result["circuits"][0]["counts"]
        assert result["driver"] == name
        assert sum(counts.values()) == 100
        assert counts.get("00", 0) + counts.get("11", 0) > 80


def test_credentials_show_nowhere(cluster: Cluster, emulators: dict[str, Emulator]) -> None:
    seen = (cluster.folder / "logs" / "controller.log").read_text()
    seen += cluster.kubectl("get", "qb,qcj,events", "-A", "-o", "yaml").stdout
    secrets = [value for each in emulators.values() for value in each.credentials.values() if len(value) > 7]
    assert [secret for secret in secrets if secret in seen] == []


def test_a_wrong_credential_is_a_condition_of_its_backend_alone(cluster: Cluster) -> None:
    wrong = get(cluster, "qb", "ibm")
    assert wrong is not None
    literal = "--from-literal=token=not-the-token"
    cluster.kubectl("create", "secret", "generic", "wrong", "-n", "qsched-system", literal)
    spec = wrong["spec"] | {"credentialsSecretRef": {"name": "wrong"}}
    apply(cluster, {**backend("refused"), "spec": spec})
    assert online(cluster, "refused", "False")["reason"] == "Unauthenticated"
    online(cluster, "azure")
