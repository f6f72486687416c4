"""Records to put into a store."""

from __future__ import annotations

from qsched.api.base import ObjectMeta
from qsched.api.job import (
    Breakdown,
    Circuit,
    CircuitResult,
    Estimate,
    JobSpec,
    Placement,
    QuantumCircuitJob,
    Result,
    Weights,
)
from qsched.store.protocol import HistoryEvent, NewJob, Update

PLACEMENT = Placement(
    backend="kyoto",
    score=0.8,
    breakdown=Breakdown(fidelity=0.9, wait=0.5, coherence=0.9, cost=1.0, weights=Weights(fidelity=1.0)),
    estimate=Estimate(success=0.9, run_s=1.0, wait_s=2.0, wait_p90_s=5.0, critical_path_s=1e-5),
)
RESULT = Result(
    backend="kyoto",
    driver="fake",
    remote_id="r1",
    qsched_version="0.1.0",
    simulated=True,
    circuits=[CircuitResult(name="bell", counts={"00": 510, "11": 514}, shots=1024, transpiled_hash="ab")],
)


def job(name: str, *, namespace: str | None = None, **spec) -> QuantumCircuitJob:
    circuits = [Circuit(name="bell", qasm="OPENQASM 3.0;")]
    return QuantumCircuitJob(
        metadata=ObjectMeta(name=name, namespace=namespace), spec=JobSpec(circuits=circuits, **spec)
    )


def new_job(name: str, *, namespace: str | None = None, uid: str | None = None, **spec) -> NewJob:
    return NewJob(
        uid=uid or f"uid-{name}",
        job=job(name, namespace=namespace, **spec),
        phase="Pending",
        state=b"pending",
        submitted_at=100.0,
        history=[HistoryEvent(100.0, "Accepted", "the job is valid")],
    )


def complete(name: str, at: float = 200.0) -> Update:
    return Update(
        uid=f"uid-{name}",
        phase="Complete",
        state=b"complete",
        settled=True,
        reason="Completed",
        message="the result is stored",
        backend="kyoto",
        finished_at=at,
        placement=PLACEMENT,
        result=RESULT,
        history=[HistoryEvent(at, "Completed", "the result is stored")],
    )


def running(name: str, line: str = "running on kyoto") -> Update:
    return Update(
        uid=f"uid-{name}",
        phase="Running",
        state=b"running",
        settled=False,
        backend="kyoto",
        history=[HistoryEvent(150.0, "Running", line)],
    )
