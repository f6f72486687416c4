"""Many small jobs for a provider that takes no time, so that only the engine's own work is measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.types import new_state, policy_of
from qsched.store.protocol import HistoryEvent, NewJob

if TYPE_CHECKING:
    from pathlib import Path

    from qsched.store.protocol import Store

DEVICES = 4
QUBITS = 7
SLOTS = 100
DISTINCT = 20
"""Circuits that differ; few, since reading and transpiling circuits is another benchmark's subject."""
_PAGE = 500
QASM = """OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3];
h q; cx q[0],q[1]; rz({angle}) q[2]; measure q->c;"""


def fake_fleet(
    provider: Path, *, slots: int = SLOTS, run_s: float = 0.0, online: bool = True
) -> list[QuantumBackend]:
    """Backends of one fake provider.

    Args:
        provider: The file that the provider remembers in, so that its memory is not the engine's.
        slots: Tasks that each takes at once.
        run_s: Seconds that a task runs.
        online: Whether they take tasks.
    """
    devices = [
        {"name": f"device-{index}", "qubits": QUBITS, "runSeconds": run_s, "online": online}
        for index in range(DEVICES)
    ]
    parameters = {"devices": devices, "path": str(provider)}
    return [
        QuantumBackend(
            metadata=ObjectMeta(name=str(device["name"])),
            spec=BackendSpec(
                driver="fake", device=str(device["name"]), max_in_flight=slots, parameters=parameters
            ),
        )
        for device in devices
    ]


def submit(store: Store, name: str, count: int) -> None:
    """Store jobs as a client does, in pages.

    Args:
        store: Where.
        name: Jobs are called ``name-0``, ``name-1`` ...
        count: How many.
    """
    for start in range(0, count, _PAGE):
        store.add([_job(name, index) for index in range(start, min(start + _PAGE, count))])


def _job(name: str, index: int) -> NewJob:
    uid, now = f"{name}-{index}", time.time()
    circuit = Circuit(name="circuit", qasm=QASM.format(angle=index % DISTINCT))
    spec = JobSpec(circuits=[circuit], shots=100)
    state = new_state(uid, policy_of(spec), now)
    return NewJob(
        uid=uid,
        job=QuantumCircuitJob(metadata=ObjectMeta(name=uid, uid=uid), spec=spec),
        phase=state.phase,
        state=encode_state(state),
        submitted_at=now,
        history=[HistoryEvent(now, "Submitted", "stored; waits for an engine")],
    )
