"""One controller and 300 jobs while the cluster fails around them: every job ends, and runs once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.controllers import ACCOUNT, apply, backend, condition, eventually, get, job, on, phase
from tests.kubernetes.rig.proxy import FaultProxy, Faults
from tests.kubernetes.watched import JOBS, Controllers, Load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kubernetes.rig import Cluster

SEED = 20261121
HOUR_S = 3600.0
BACKENDS = ("left", "right")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider") / "provider.db"


@pytest.fixture(scope="module")
def cluster(start_cluster: Any, provider: Path) -> Cluster:
    cluster = start_cluster()
    cluster.install_crds()
    cluster.install_chart()
    for name, run_s in zip(BACKENDS, (1.5, 2.5), strict=True):
        devices = [{"name": name, "runSeconds": run_s, "waitSeconds": 0.2}]
        parameters = {"path": str(provider), "latencySeconds": 0.01, "lostAnswer": 0.05, "devices": devices}
        apply(cluster, backend(name, maxInFlight=40, parameters=parameters))
    return cluster


@pytest.fixture
def controllers(cluster: Cluster, tmp_path: Path) -> Iterator[Controllers]:
    controllers = Controllers(cluster, tmp_path)
    yield controllers
    controllers.end()


def test_the_api_server_is_killed_and_comes_back_with_another_history(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    load = Load(controllers, provider, "outage")
    load.submit(requirements=on(*BACKENDS))
    controller = controllers.start()
    load.wait_for_tasks(JOBS // 6)
    cluster.apiserver.kill()
    time.sleep(3.0)  # the fault's own time
    cluster.apiserver.restart()
    load.wait_for_tasks(JOBS // 2)
    cluster.forget_history()
    load.judge()
    assert not load.moved()
    watches = [
        each.code for each in cluster.audit() if each.verb == "watch" and each.agent.startswith(controller)
    ]
    assert 410 in watches or '"next": "list"' in controllers.log(controller)
    load.delete()


def test_the_api_server_is_slow_and_fails_and_its_watches_are_cut(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    load = Load(controllers, provider, "flaky")
    load.submit(requirements=on(*BACKENDS))
    with FaultProxy(cluster, ACCOUNT, seed=SEED) as proxy:
        proxy.faults = Faults(share=0.1, delay_s=0.2)
        controllers.start(kubeconfig=proxy.kubeconfig)
        while load.finished_tasks() < JOBS:
            proxy.cut_watches()
            time.sleep(1.0)  # the fault's own time
        proxy.faults = Faults()
        load.judge()
        assert not load.moved()
        assert all(proxy.injected[status] for status in (409, 429, 500, 504, "cut")), proxy.injected
        load.delete()
        controllers.end()


def test_credentials_are_revoked_and_come_back(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    devices = [{"name": "locked", "runSeconds": 2.0}]
    parameters = {"path": str(provider), "key": "right", "devices": devices}
    secret = {"name": "provider-key"}
    apply(cluster, backend("locked", maxInFlight=50, parameters=parameters, credentialsSecretRef=secret))
    keep_secret(cluster, "right")
    load = Load(controllers, provider, "revoked")
    load.submit(requirements=on("locked"))
    controllers.start()
    load.wait_for_tasks(JOBS // 6)
    keep_secret(cluster, "wrong")
    eventually(lambda: online(cluster, "locked") == ("False", "Unauthenticated"))
    cluster.kubectl("delete", "secret", "provider-key", "-n", "qsched-system")
    eventually(lambda: online(cluster, "locked") == ("False", "SecretMissing"))
    keep_secret(cluster, "right")
    load.judge()
    load.delete()


def test_the_clock_jumps_by_an_hour_forth_and_back(
    cluster: Cluster, provider: Path, controllers: Controllers
) -> None:
    devices = [{"name": "long", "runSeconds": 600}]
    apply(cluster, backend("long", maxInFlight=5, parameters={"path": str(provider), "devices": devices}))
    load = Load(controllers, provider, "jumping")
    load.submit(requirements=on(*BACKENDS))
    controllers.start()
    load.wait_for_tasks(JOBS // 6)
    apply(cluster, job("patient", activeDeadlineSeconds=1800, requirements=on("long")))
    phase(cluster, "patient", "Running")
    controllers.set_clock(HOUR_S)
    load.wait_for_tasks(JOBS // 2)
    apply(cluster, job("hasty", activeDeadlineSeconds=5, requirements=on("long")))
    phase(cluster, "hasty", "Running")
    controllers.set_clock(-HOUR_S)
    load.judge()
    assert not load.moved()
    assert condition(phase(cluster, "hasty", "Failed"), "Failed")["reason"] == "DeadlineExceeded"
    patient = get(cluster, "qcj", "patient")
    assert patient is not None
    assert patient["status"]["phase"] == "Running", patient["status"]
    cluster.kubectl("delete", "qcj", "patient", "hasty", "--timeout=60s")
    load.delete()


def keep_secret(cluster: Cluster, key: str) -> None:
    apply(
        cluster,
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "provider-key", "namespace": "qsched-system"},
            "stringData": {"key": key},
        },
    )


def online(cluster: Cluster, name: str) -> tuple[str, str]:
    """Status and reason of a backend's condition."""
    found = condition(get(cluster, "qb", name), "Online")
    return found.get("status", ""), found.get("reason", "")
