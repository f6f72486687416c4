"""When the controller that leads dies, hangs or is cut off, the next one goes on, and no job runs twice.

``QSCHED_KILLS`` says how often the leader is killed.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.controllers import apply, backend, on
from tests.kubernetes.rig import RigError
from tests.kubernetes.waiting import until
from tests.kubernetes.watched import JOBS, Controllers, Load
from tests.kubernetes.watched_controller import steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.rig import Cluster

KILLS = int(os.environ.get("QSCHED_KILLS", "6"))
SEED = 20261121
FAILOVER_S = 20.0
RENEW_DEADLINE_S = 10.0


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider") / "provider.db"


@pytest.fixture(scope="module")
def cluster(start_cluster: Any) -> Cluster:
    cluster = start_cluster()
    cluster.install_crds()
    cluster.install_chart()
    return cluster


@pytest.fixture
def controllers(cluster: Cluster, tmp_path: Path) -> Iterator[Controllers]:
    controllers = Controllers(cluster, tmp_path)
    yield controllers
    controllers.end()


@pytest.fixture
def fleet(cluster: Cluster, provider: Path) -> Iterator[Callable[..., None]]:
    """Declares the backends ``left`` and ``right``, which lose an answer in twenty."""

    def declare(*, in_flight: int, run_s: float) -> None:
        for name in ("left", "right"):
            devices = [{"name": name, "runSeconds": run_s, "waitSeconds": 0.2}]
            parameters = {
                "path": str(provider),
                "latencySeconds": 0.01,
                "lostAnswer": 0.05,
                "devices": devices,
            }
            apply(cluster, backend(name, maxInFlight=in_flight, parameters=parameters))

    yield declare
    cluster.kubectl("delete", "qb", "left", "right")


@pytest.mark.slow
@pytest.mark.timeout(300 + 40 * KILLS)
def test_every_job_runs_once_although_the_leader_is_killed_again_and_again(
    cluster: Cluster, provider: Path, controllers: Controllers, fleet: Callable[..., None]
) -> None:
    # The tasks that run outlive each reign, and as many begin in it: the jobs last until the last kill.
    fleet(in_flight=max(2, JOBS // (KILLS + 1) // 2), run_s=3.0)
    load = Load(controllers, provider, "killed")
    load.submit(requirements=on("left", "right"))
    rng = random.Random(SEED)
    begun = steady()
    for _ in range(2):
        controllers.processes[controllers.start()].wait()
    leader = controllers.next_act(begun).name
    failovers: list[float] = []
    unfinished: list[int] = []
    for number in range(KILLS):
        controllers.next_act(begun, of=leader, call=("submit", "result", "status")[number % 3])
        time.sleep(rng.uniform(0.0, 2.0))  # the moment is the experiment, not a wait for something
        controllers.kill(leader)
        killed_at = steady()
        unfinished.append(JOBS - load.finished_tasks())
        controllers.start()
        act = controllers.next_act(killed_at, but=leader)
        failovers.append(act.at - killed_at)
        leader = act.name
    fleet(in_flight=50, run_s=3.0)
    load.judge()
    print(f"failover after {KILLS} kills, s:", [round(each, 1) for each in failovers])  # noqa: T201
    print("jobs unfinished at each kill:", unfinished)  # noqa: T201
    assert max(failovers) < FAILOVER_S, failovers
    assert min(unfinished) > 0, unfinished
    assert not load.moved()
    assert Counter(load.submissions()) == {f"job-{index}": 1 for index in range(JOBS)}


@pytest.mark.slow
def test_a_leader_that_hangs_for_40_s_does_nothing_when_it_wakes(
    cluster: Cluster, provider: Path, controllers: Controllers, fleet: Callable[..., None]
) -> None:
    fleet(in_flight=20, run_s=8.0)
    load = Load(controllers, provider, "hung")
    load.submit(requirements=on("left", "right"))
    begun = steady()
    for _ in range(2):
        controllers.processes[controllers.start()].wait()
    leader = controllers.next_act(begun).name
    until(lambda: len(load.submissions()) > 10, "tasks run", 60.0)
    controllers.processes[leader].pause()
    stopped_at = steady()
    act = controllers.next_act(stopped_at, but=leader)
    assert act.at - stopped_at < FAILOVER_S
    time.sleep(max(0.0, stopped_at + 40.0 - steady()))  # the fault's own time
    assert load.finished_tasks() < JOBS
    woken_at, woken_time = steady(), time.time()
    controllers.processes[leader].resume()
    until(lambda: not controllers.processes[leader].running, "it ends", 20.0)
    with pytest.raises(RigError, match=r"status [1-9][\s\S]*error: the lease"):
        controllers.processes[leader].check()
    controllers.kill(leader)
    fleet(in_flight=150, run_s=8.0)
    load.judge()
    assert not load.moved()
    assert not controllers.acts(leader, since=woken_at)
    assert not changes(cluster, leader, woken_time)


@pytest.mark.slow
def test_a_leader_that_is_cut_off_from_the_server_ends_before_another_may_lead(
    cluster: Cluster, provider: Path, controllers: Controllers, fleet: Callable[..., None]
) -> None:
    fleet(in_flight=40, run_s=3.0)
    load = Load(controllers, provider, "cut-off")
    load.submit(requirements=on("left", "right"))
    first = controllers.start()
    load.wait_for_tasks(20)
    cluster.apiserver.pause()
    try:
        paused_at = steady()
        until(lambda: not controllers.processes[first].running, "it ends", 40.0)
    finally:
        cluster.apiserver.resume()
    assert controllers.acts(first)[-1].at < paused_at + RENEW_DEADLINE_S
    with pytest.raises(RigError, match=r"status [1-9][\s\S]*error: the lease"):
        controllers.processes[first].check()
    controllers.revive()
    load.judge()
    assert not load.moved()
    load.delete()


def changes(cluster: Cluster, agent: str, since: float) -> list[str]:
    """What a controller has changed on the server since a Unix time."""
    begin = datetime.fromtimestamp(since, UTC)
    return [
        f"{each.verb} {each.resource}/{each.subresource} {each.name} at {each.at}"
        for each in cluster.audit()
        if each.agent.startswith(agent + "/")
        and each.verb not in {"get", "list", "watch"}
        and each.code < 300
        and datetime.fromisoformat(each.at) >= begin
    ]
