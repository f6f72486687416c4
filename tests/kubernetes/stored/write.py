"""Writes what the present version stores: ``python -m tests.kubernetes.stored.write v1alpha1-0.2``."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.api.backend import BackendStatus, CalibrationRef, CalibrationSummary
from qsched.api.base import API_VERSION, Condition
from qsched.api.job import Breakdown, CircuitResult, Estimate, Money, Placement, Result, Verdict, Weights
from qsched.api.quantities import utc
from qsched.api.yaml_text import yaml_text
from qsched.kube.crds import render_crds
from qsched.kube.status import job_conditions, refusal_patch, status_patch
from tests.kubernetes.lives import HYBRID, LIVES, START, UID, states

if TYPE_CHECKING:
    from qsched.lifecycle.types import State

HERE = Path(__file__).parent

SPEC: dict[str, Any] = {
    "circuits": [
        {"name": "bell", "qasm": "OPENQASM 3;\nqubit[2] q;\n", "parameters": {"theta": 0.5}},
        {"name": "map", "configMapRef": {"name": "circuits", "key": "a.qasm"}},
        {"name": "file", "uri": "s3://circuits/a.qpy"},
    ],
    "shots": 500,
    "weights": {"fidelity": 1, "cost": 0.5},
    "requirements": {
        "backends": ["boston", "torino"],
        "backendSelector": {"region": "eu"},
        "minFidelity": 0.5,
        "maxCost": {"amount": "12.50", "currency": "USD"},
        "completeBy": "2030-01-31T12:00:00Z",
        "maxQueueTime": "1h30m",
        "maxCalibrationAge": "24h",
    },
    "fallback": {"policy": "OnUnavailable", "after": "5m"},
    "execution": {"optimizationLevel": 3, "seed": 7, "readoutMitigation": True},
    "priority": 5,
    "backoffLimit": 1,
    "activeDeadlineSeconds": 3600,
    "ttlSecondsAfterFinished": 86400,
    "result": {"uri": "s3://results/a"},
}
SMALL: dict[str, Any] = {"circuits": SPEC["circuits"][:1]}
POD = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "python"}]}}}
ESTIMATE = Estimate(
    success=0.91,
    run_s=2.5,
    wait_s=60.0,
    wait_p90_s=300.0,
    cost=Money(amount="0.35", currency="USD"),
    critical_path_s=2e-6,
    window_s=1e-4,
    stage=2,
)
BREAKDOWN = Breakdown(
    fidelity=0.91, wait=0.8, coherence=0.7, cost=1.0, weights=Weights(fidelity=1.0, cost=0.5)
)
PLACEMENT = Placement(
    backend="boston",
    score=0.82,
    breakdown=BREAKDOWN,
    estimate=ESTIMATE,
    calibration_id="c-1",
    runners_up=[
        Verdict(backend="torino", feasible=True, score=0.8, estimate=ESTIMATE, breakdown=BREAKDOWN),
        Verdict(backend="lima", feasible=False, score=0.0, reasons=["has 5 qubits; the job needs 7"]),
    ],
    placed_at=utc(START + 1),
)
RESULT = Result(
    backend="boston",
    driver="ibm",
    remote_id="r-1",
    calibration_id="c-1",
    qsched_version="0.1.0",
    circuits=[CircuitResult(name="bell", counts={"00": 260, "11": 240}, shots=500, transpiled_hash="h")],
    cost=Money(amount="0.35", currency="USD"),
    simulated=False,
    run_s=2.4,
)


def job(name: str, spec: dict[str, Any], body: bytes) -> dict[str, Any]:
    """A job as it is stored."""
    status = msgspec.json.decode(body)["status"]
    metadata = {"name": name, "namespace": "default", "finalizers": ["qsched.io/cancel"]}
    return _object("QuantumCircuitJob", metadata, spec, status)


def jobs() -> list[dict[str, Any]]:
    """Jobs at the ends of all lives, one that was refused, and one that no controller has seen."""
    found = [job(name, _spec(name), _status(name, [*states(name)][-1])) for name in LIVES]
    refusal = refusal_patch(
        "default", "is-refused", UID, "spec.circuits[0].uri: file://", generation=1, at=utc(START)
    )
    found.append(job("is-refused", {"circuits": [{"name": "a", "uri": "file:///a.qasm"}]}, refusal))
    return [*found, job("is-new", SPEC, b'{"status": {}}')]


def backends() -> list[dict[str, Any]]:
    """Backends, one of which nothing is known of."""
    since = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    seen = BackendStatus(
        conditions=[Condition(type="Online", status="True", reason="Online", last_transition_time=since)],
        queue_depth=7,
        in_flight=2,
        calibration=CalibrationRef(
            id="c-1", taken_at=since, summary=CalibrationSummary(qubits=156, two_qubit_error=0.003, t1_s=2e-4)
        ),
    )
    spec = {
        "driver": "ibm",
        "device": "ibm_boston",
        "credentialsSecretRef": {"name": "token", "namespace": "vault"},
        "parameters": {"instance": "a/b", "limits": [1, 2]},
        "pricing": {"currency": "USD", "perSecond": "1.6"},
        "maxInFlight": 3,
        "location": "Poughkeepsie",
        "windows": [{"days": ["Mon"], "start": "08:30", "end": "17:00"}],
        "recalibratesEvery": "24h",
    }
    labels = {"labels": {"region": "eu"}}
    return [
        _object("QuantumBackend", {"name": "boston", **labels}, spec, msgspec.to_builtins(seen)),
        _object("QuantumBackend", {"name": "new"}, {"driver": "aer", "device": "ideal"}, {}),
    ]


def _spec(name: str) -> dict[str, Any]:
    policy, _ = LIVES[name]
    spec = SPEC if name == "completes" else SMALL
    return {
        **spec,
        **({"suspend": True} if name in {"is-held", "stops"} else {}),
        **({"classical": POD} if policy == HYBRID else {}),
    }


def _status(name: str, state: State) -> bytes:
    placed = state.backend is not None
    return status_patch(
        "default",
        name,
        UID,
        state,
        job_conditions(state, 1),
        generation=1,
        version=None,
        placement=msgspec.json.encode(PLACEMENT) if placed else None,
        result=msgspec.json.encode(RESULT) if state.phase == "Complete" else None,
    )


def _object(
    kind: str, metadata: dict[str, Any], spec: dict[str, Any], status: dict[str, Any]
) -> dict[str, Any]:
    whole = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return whole | ({"status": status} if status else {})


def main(folder: Path) -> None:
    """Write a new folder.

    Raises:
        FileExistsError: If it is there: what a version stored does not change.
    """
    (folder / "crds").mkdir(parents=True)
    for name, text in render_crds().items():
        (folder / "crds" / name).write_text(text)
    for name, objects in (("jobs", jobs()), ("backends", backends())):
        (folder / f"{name}.yaml").write_text("---\n".join(map(yaml_text, objects)))


if __name__ == "__main__":
    main(HERE / sys.argv[1])
