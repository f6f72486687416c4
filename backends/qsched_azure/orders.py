"""A task as what is sent to Azure: a program and a note for each circuit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.drivers import Rejected
from qsched.drivers.circuits import read, register_sizes
from qsched_azure import ionq, quantinuum, rigetti
from qsched_azure.jobs import Note, job_ids
from qsched_azure.targets import provider_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsched.drivers import Task
    from qsched_azure.program import Program
    from qsched_azure.targets import Target

_WRITERS: Mapping[str, Callable[..., Program]] = {
    "ionq": ionq.program,
    "quantinuum": quantinuum.program,
    "rigetti": rigetti.program,
}


@dataclass(frozen=True, slots=True)
class Order:
    """One circuit of a task, ready to be submitted.

    Attributes:
        id: Of its job.
        name: For people who look at the workspace.
        program: What the target takes.
        note: What is kept with the job.
    """

    id: str
    name: str
    program: Program
    note: Note


def orders(task: Task, token: str, target: Target) -> list[Order]:
    """The circuits of a task as programs.

    Args:
        task: What is to run.
        token: Of the task; the ids of its jobs are made from it.
        target: The task's device.

    Raises:
        Rejected: If a circuit cannot run there, or the task asks for what no target of Azure does.
    """
    if not task.circuits:
        raise Rejected("the task has no circuit; give it at least one")
    if task.readout_mitigation:
        raise Rejected(f"{task.device} corrects no readout errors through Azure; leave readoutMitigation off")
    if task.dynamical_decoupling:
        raise Rejected(
            f"programs for {task.device} hold no delays, so that echo pulses would not be apart; leave "
            "dynamicalDecoupling off"
        )
    writer = _WRITERS[provider_of(task.device)]
    ordered = []
    for number, (job_id, it) in enumerate(
        zip(job_ids(token, len(task.circuits)), task.circuits, strict=True)
    ):
        circuit = read(it.name, it.qpy)
        native = it.transpiled_hash is not None
        program = writer(circuit, name=it.name, device=task.device, native=native)
        if target.qubits is not None and program.width > target.qubits:
            raise Rejected(
                f"circuit {it.name!r} needs {program.width} qubits, and {task.device} has {target.qubits}"
            )
        note = Note(
            circuits=len(task.circuits),
            transpiled_hash=it.transpiled_hash or hashlib.sha256(it.qpy).hexdigest()[:16],
            shots=task.shots,
            registers=register_sizes(circuit),
            layout=program.layout,
            seed=task.seed,
        )
        name = f"qsched {token}" + (f" {number + 1}/{len(task.circuits)}" if len(task.circuits) > 1 else "")
        ordered.append(Order(job_id, name, program, note))
    return ordered
