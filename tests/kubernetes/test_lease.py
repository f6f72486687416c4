"""Leader election of real processes over a real API server, with the account and the rights of the chart."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.lease_holder import DURATION_S, LEASE, NAMESPACE, RETRY_S
from tests.kubernetes.rig.chart import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.rig import Cluster

ACCOUNT = f"{NAMESPACE}:qsched-controller"
PATIENCE_S = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Line:
    at: float
    name: str
    what: str


class Candidates:
    """Processes that want to lead, and their common journal."""

    def __init__(self, kubeconfig: Path, journal: Path) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._kubeconfig = kubeconfig
        self._journal = journal

    def start(self, name: str) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.kubernetes.lease_holder",
            self._kubeconfig,
            name,
            self._journal,
        ]
        self.processes[name] = subprocess.Popen(command, cwd=REPOSITORY)
        until(lambda: bool(self.lines(name, "waits")), f"{name} waits")

    def lines(self, name: str | None = None, what: str | None = None) -> list[Line]:
        text = self._journal.read_text() if self._journal.exists() else ""
        split = (line.split() for line in text.splitlines(keepends=True) if line.endswith("\n"))
        lines = (Line(float(at), name, what) for at, name, what in split)
        return [line for line in lines if name in {None, line.name} and what in {None, line.what}]

    def leader(self, *, but: str = "") -> str:
        """Wait until somebody acts, from now on; who?"""
        acts = len(self.lines(what="acts"))
        until(lambda: any(each.name != but for each in self.lines(what="acts")[acts:]), "somebody acts")
        return next(each.name for each in self.lines(what="acts")[acts:] if each.name != but)

    def reigns(self) -> list[str]:
        """Who acted, one after the other, by the times of the acts. Who acted in between shows up twice."""
        acts = sorted(self.lines(what="acts"), key=lambda line: line.at)
        return [name for name, _ in itertools.groupby(acts, key=lambda line: line.name)]

    def end(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
def candidates(cluster: Cluster, tmp_path: Path) -> Iterator[Candidates]:
    cluster.install_chart()
    candidates = Candidates(cluster.kubeconfig(ACCOUNT), tmp_path / "journal")
    yield candidates
    candidates.end()


def test_a_leader_that_was_stopped_never_acts_after_another_began(candidates: Candidates) -> None:
    candidates.start("a")
    candidates.start("b")
    first = candidates.leader()
    expected = [first]
    for _ in range(3):
        leader = expected[-1]
        process = candidates.processes[leader]
        lost = len(candidates.lines(leader, "lost"))
        process.send_signal(signal.SIGSTOP)
        expected.append(candidates.leader(but=leader))
        process.send_signal(signal.SIGCONT)
        until(lambda: len(candidates.lines(leader, "lost")) > lost, "it notices")  # noqa: B023
        candidates.leader(but=leader)
        assert candidates.reigns() == expected
    candidates.leader(but=expected[-2])
    assert candidates.reigns() == expected


def test_a_leader_that_is_killed_is_followed_and_one_that_ends_well_at_once(
    cluster: Cluster, candidates: Candidates
) -> None:
    candidates.start("a")
    candidates.leader()
    candidates.start("b")
    candidates.processes["a"].kill()
    assert candidates.leader() == "b"
    candidates.start("c")
    candidates.processes["b"].send_signal(signal.SIGTERM)
    candidates.processes["b"].wait(PATIENCE_S)
    assert candidates.leader() == "c"
    assert candidates.reigns() == ["a", "b", "c"]
    handover_s = candidates.lines("c", "acts")[0].at - candidates.lines("b", "acts")[-1].at
    assert handover_s < DURATION_S - RETRY_S
    lease = json.loads(cluster.kubectl("get", "lease", LEASE, "-n", NAMESPACE, "-o", "json").stdout)
    assert lease["spec"]["holderIdentity"].startswith("c_")
    assert lease["spec"]["leaseDurationSeconds"] == DURATION_S


def test_an_outage_of_the_api_server_ends_the_reign_before_it_could_be_taken(
    cluster: Cluster, candidates: Candidates
) -> None:
    candidates.start("a")
    candidates.start("b")
    leader = candidates.leader()
    cluster.apiserver.pause()
    try:
        until(lambda: bool(candidates.lines(leader, "lost")), "the leader gives up")
        acted = len(candidates.lines(what="acts"))
    finally:
        cluster.apiserver.resume()
    candidates.leader()
    assert candidates.lines(what="acts")[acted].at > candidates.lines(leader, "lost")[0].at
