"""Controllers under faults: their processes, what they did, and who judges it.

The judge is the fake provider: an SQLite file that all controllers share and that outlives each of them. What
the API holds in the end must agree with it.
"""

from __future__ import annotations

import struct
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from qsched.drivers.fake_records import Records
from tests.kubernetes.controllers import ACCOUNT, job
from tests.kubernetes.rig.chart import REPOSITORY
from tests.kubernetes.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kubernetes.rig import Cluster
    from tests.kubernetes.rig.program import Program

JOBS = 300
PATIENCE_S = 180.0
COMPLAINTS = ("Traceback", "mistake of qsched", '"level": "error"')
ENDED = frozenset({"Complete", "Failed", "Cancelled"})

_numbers = count(1)


@dataclass(frozen=True)
class Act:
    """A call to the provider.

    Attributes:
        at: When it began, on the machine's steady clock.
        name: The controller's.
        call: The method.
    """

    at: float
    name: str
    call: str


class Controllers:
    """The controllers of a cluster, one after the other or side by side."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.processes: dict[str, Program] = {}
        self._started: list[str] = []
        self._journal = folder / "calls"
        self._clock = folder / "clock"
        self.set_clock(0.0)

    def start(self, *options: str, kubeconfig: Path | None = None) -> str:
        """Start one more; it need not be up when this returns its name."""
        name = f"controller-{next(_numbers)}"
        account = kubeconfig or self.cluster.kubeconfig(ACCOUNT)
        self.processes[name] = self.cluster.launch(
            name,
            [
                *(sys.executable, "-m", "tests.kubernetes.watched_controller"),
                *(name, self._journal, self._clock, "controller", "--kubeconfig", account),
                *("--namespace", "qsched-system", "--listen", "127.0.0.1:0", "--identity", name, *options),
            ],
            ready=lambda: "applies for the lease" in self.log(name),
            PYTHONPATH=str(REPOSITORY),
        )
        self._started.append(name)
        return name

    def kill(self, name: str) -> None:
        """``kill -9`` one; it does not come back. What its orphans say afterwards is not held against it."""
        self._check(name)
        self._started.remove(name)
        self.processes.pop(name).kill()

    def revive(self) -> None:
        """Do what a cluster does with pods that end: start those again that gave the lease up."""
        for name, program in self.processes.items():
            if not program.running:
                assert self.log(name).splitlines()[-1].startswith("error: the lease"), self.log(name)
                program.start()

    def set_clock(self, off_by_s: float) -> None:
        """Set the wall clock of every controller, so far from the true time."""
        if not self._clock.exists():
            self._clock.write_bytes(struct.pack("d", 0.0))
        with self._clock.open("r+b", buffering=0) as file:
            file.write(struct.pack("d", off_by_s))

    def log(self, name: str) -> str:
        """What a controller has logged so far."""
        return (self.cluster.folder / "logs" / f"{name}.log").read_text()

    def acts(self, name: str | None = None, *, since: float = 0.0) -> list[Act]:
        """Calls to the provider, in their order."""
        text = self._journal.read_text() if self._journal.exists() else ""
        split = (line.split() for line in text.splitlines(keepends=True) if line.endswith("\n"))
        acts = (Act(float(at), who, call) for at, who, call in split)
        return [act for act in acts if act.name == (name or act.name) and act.at > since]

    def next_act(self, since: float, *, of: str = "", but: str = "", call: str = "") -> Act:
        """Wait for the first call since a moment, perhaps of one controller only, or of any other one."""

        def wanted() -> list[Act]:
            acts = self.acts(of or None, since=since)
            return [act for act in acts if act.name != but and call in {"", act.call}]

        until(lambda: bool(wanted()), f"{of or 'somebody'} calls {call or 'the provider'}", PATIENCE_S)
        return wanted()[0]

    def stop(self) -> None:
        """Stop them as a cluster does: a stopped leader lets the next one lead at once."""
        for program in self.processes.values():
            program.terminate()
        self.processes.clear()

    def end(self, *, expected: str = "") -> None:
        """Stop them, and see that none has complained, but of what was expected."""
        self.stop()
        for name in self._started:
            self._check(name, expected)
        self._started.clear()

    def _check(self, name: str, expected: str = "") -> None:
        lines = [line for line in self.log(name).splitlines() if any(map(line.count, COMPLAINTS))]
        complaints = [line for line in lines if not expected or expected not in line]
        assert not complaints, "\n".join(complaints[:3])


class Load:
    """Jobs that are in flight while faults happen.

    Args:
        controllers: Who works on them.
        provider: The file of the fake provider.
        namespace: A namespace of their own; it is made.
    """

    def __init__(self, controllers: Controllers, provider: Path, namespace: str) -> None:
        self.cluster = controllers.cluster
        self._controllers = controllers
        self.namespace = namespace
        self._provider = Records(str(provider))
        self._path = f"/apis/qsched.io/v1alpha1/namespaces/{namespace}/quantumcircuitjobs"
        self.cluster.create_namespace(namespace)

    def submit(self, **spec: Any) -> None:
        """Create ``job-0`` and so on."""
        with self.cluster.https() as api:
            for index in range(JOBS):
                body = job(f"job-{index}", namespace=self.namespace, backoffLimit=50, **spec)
                api.send("POST", self._path, body)

    def objects(self) -> list[dict[str, Any]]:
        """The jobs as the API server has them."""
        with self.cluster.https() as api:
            return list(api.send("GET", self._path)["items"])

    def ended(self) -> int:
        """How many jobs have ended."""
        return sum(each.get("status", {}).get("phase") in ENDED for each in self.objects())

    def finished_tasks(self) -> int:
        """How many tasks have ended at the provider."""
        return sum(state == "Succeeded" for state in self._states().values())

    def wait_for_tasks(self, finished: int) -> None:
        """Wait until that many tasks have ended at the provider."""
        self._wait(self.finished_tasks, finished, "tasks", every_s=0.1)

    def wait_for_jobs(self, ended: int) -> None:
        """Wait until that many jobs have ended; asks seldom, since a list costs the server that is tested."""
        self._wait(self.ended, ended, "jobs", every_s=1.0)

    def _wait(self, number: Callable[[], int], wanted: int, of: str, *, every_s: float) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (now := number()) < wanted:
            self._controllers.revive()
            assert time.monotonic() < deadline, f"{now} {of} of {self.namespace} have ended, not {wanted}"
            time.sleep(every_s)

    def judge(self) -> None:
        """Wait for the end, then see that every job is complete, and ran once."""
        self.wait_for_tasks(JOBS)
        self.wait_for_jobs(JOBS)
        objects = self.objects()
        assert len(objects) == JOBS
        tokens, states = self._tokens(), self._states()
        for each in objects:
            name, status = each["metadata"]["name"], each["status"]
            assert status["phase"] == "Complete", (name, status)
            *before, last = status["attempts"]
            assert all(attempt["state"] in {"Failed", "Cancelled"} for attempt in before), (name, status)
            assert all(attempt["reason"] for attempt in before), (name, status)
            assert last["state"] == "Succeeded", (name, status)
            assert status["result"]["remoteId"] == last["remoteId"], (name, status)
            assert tokens[name] <= {attempt["token"] for attempt in status["attempts"]}, (name, status)
            ran = [token for token in tokens[name] if states[token] == "Succeeded"]
            assert ran == [last["token"]], (name, status)

    def moved(self) -> list[str]:
        """The jobs that were submitted with more than one token."""
        return [name for name, tokens in self._tokens().items() if len(tokens) > 1]

    def submissions(self) -> list[str]:
        """The job of every submission that arrived, repeated ones too."""
        return [name for name, _ in self._arrived()]

    def delete(self) -> None:
        """Delete every job and wait until all are gone."""
        with self.cluster.https() as api:
            for each in self.objects():
                api.send("DELETE", f"{self._path}/{each['metadata']['name']}")
        until(lambda: not self.objects(), f"the jobs of {self.namespace} are gone", PATIENCE_S)

    def _arrived(self) -> list[tuple[str, str]]:
        """Name and token of every submission for a job of this namespace."""
        prefix = f"{self.namespace}/"
        tagged = ((each.tags["qsched-job"], each.token) for each in self._provider.submissions())
        return [(job.removeprefix(prefix), token) for job, token in tagged if job.startswith(prefix)]

    def _tokens(self) -> dict[str, set[str]]:
        tokens: defaultdict[str, set[str]] = defaultdict(set)
        for name, token in self._arrived():
            tokens[name].add(token)
        return tokens

    def _states(self) -> dict[str, str]:
        """The state of every task, by token."""
        found = {token: self._provider.get(f"fake-{token}") for _, token in self._arrived()}
        return {token: record.state(time.time()) for token, record in found.items() if record is not None}
