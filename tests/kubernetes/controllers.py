"""A running ``qsched controller`` with the chart's rights, and what tests ask of its jobs."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kubernetes.rig import Cluster
    from tests.kubernetes.rig.program import Program

ACCOUNT = "qsched-system:qsched-controller"
PATIENCE_S = 90.0
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'


def start_controller(
    cluster: Cluster, *options: str, name: str = "controller", kubeconfig: Path | None = None
) -> Program:
    """Start a controller and wait until it applies for the lease."""
    command = [
        *(sys.executable, "-m", "qsched.cli", "controller"),
        *("--kubeconfig", str(kubeconfig or cluster.kubeconfig(ACCOUNT))),
        *("--namespace", "qsched-system", "--listen", "127.0.0.1:0", "--identity", name, *options),
    ]
    log = cluster.folder / "logs" / f"{name}.log"
    return cluster.run(name, command, ready=lambda: "applies for the lease" in log.read_text())


def backend(name: str, *, driver: str = "fake", device: str | None = None, **spec: Any) -> dict[str, Any]:
    """A ``QuantumBackend`` with a fake device of its own name."""
    parameters = spec.pop("parameters", {})
    if driver == "fake":
        parameters = {"devices": [{"name": name}]} | parameters
    return {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumBackend",
        "metadata": {"name": name},
        "spec": {"driver": driver, "device": device or name, "parameters": parameters, **spec},
    }


def job(name: str, *, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A ``QuantumCircuitJob`` with one Bell pair, unless told otherwise."""
    return {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumCircuitJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"circuits": [{"name": "bell", "qasm": BELL}], "shots": 100, **spec},
    }


def on(*backends: str) -> dict[str, Any]:
    """``requirements`` that name backends."""
    return {"backends": list(backends)}


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    """``kubectl apply`` them as a user does."""
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))


def get(cluster: Cluster, kind: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
    """An object; None if there is none."""
    done = cluster.kubectl("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json", check=True)
    return json.loads(done.stdout) if done.stdout else None


def condition(found: dict[str, Any] | None, type_: str) -> dict[str, Any]:
    """A condition of an object's status; empty if it has none of the type."""
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == type_), {})


def eventually(ask: Callable[[], Any], *, within_s: float = PATIENCE_S, what: str = "") -> Any:
    """What a question answers once that is true."""
    deadline = time.monotonic() + within_s
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not after {within_s:g} s: {what or ask}"
        time.sleep(0.2)


def phase(cluster: Cluster, name: str, wanted: str, namespace: str = "default") -> dict[str, Any]:
    """The job once it is in a phase."""

    def reached() -> dict[str, Any] | None:
        found = get(cluster, "qcj", name, namespace)
        return found if found is not None and found.get("status", {}).get("phase") == wanted else None

    return eventually(reached, what=f"{name} is {wanted}; it is {get(cluster, 'qcj', name, namespace)}")


def online(cluster: Cluster, name: str, status: str = "True") -> dict[str, Any]:
    """The backend's condition once it has a status."""

    def reached() -> dict[str, Any] | None:
        found = condition(get(cluster, "qb", name), "Online")
        return found if found.get("status") == status else None

    return eventually(reached, what=f"{name} is online: {status}")
