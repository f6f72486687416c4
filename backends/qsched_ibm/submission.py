"""A task as IBM's sampler takes it."""

from __future__ import annotations

import hashlib
import io
import keyword
import math
from typing import TYPE_CHECKING, Any

from qsched.api.quantities import DELAY_DT_S
from qsched.drivers import Rejected
from qsched.drivers.circuits import read, register_sizes
from qsched_ibm.errors import causes

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target
    from qiskit_ibm_runtime import IBMBackend

    from qsched.drivers import Task, TaskCircuit

MARK = "qsched"
"""The tag of every job of qsched, and the key of what is kept in the metadata of its circuits."""

_ROUNDED = 1e-3
"""What share of a device's time step a delay may be short of, for it was rounded to picoseconds before."""

_TAGS = 5
_TAG_LENGTH = 86


def token_tag(token: str) -> str:
    """The tag that a task's job is found by."""
    return f"{MARK}-{token}"


def job_tags(task: Task, token: str) -> list[str]:
    """The tags of a task's job: qsched's two, then as many of its own as IBM keeps."""
    own = [f"{key}={value}"[:_TAG_LENGTH] for key, value in sorted(task.tags.items())]
    return [MARK, token_tag(token), *own][:_TAGS]


def prepare(task: Task, device: IBMBackend, token: str) -> dict[str, Any]:
    """What to submit for a task, checked against the device as far as can be done here.

    Args:
        task: What to run. Circuits without a hash are compiled here: IBM takes only a device's own gates, and
            compiles nothing.
        device: Where.
        token: The task's.

    Returns:
        Keyword arguments of ``RuntimeClient.program_run``.

    Raises:
        Rejected: If the sampler does not take the task.
    """
    from qiskit.exceptions import QiskitError
    from qiskit_ibm_runtime import SamplerV2
    from qiskit_ibm_runtime.base_primitive import BasePrimitiveV2
    from requests.exceptions import RequestException

    class Sampler(SamplerV2):  # type: ignore[misc]
        """The sampler that IBM's servers carry out, without the warning that it will go.

        It is deprecated since 0.50 in favour of one that does twirling and decoupling in the client, for the
        program "executor"; this one takes bare circuits. A filter for the warning would be the whole
        process's, and this runs in threads.
        """

        def __init__(self, mode: Any, options: dict[str, Any]) -> None:
            BasePrimitiveV2.__init__(self, mode=mode, options=options)
            self._service = _Kept()

    _check(task)
    own_gates = all(it.transpiled_hash is not None for it in task.circuits)
    options = {
        "environment": {"job_tags": job_tags(task, token)},
        # A circuit in the device's gates has its echo pulses already.
        "dynamical_decoupling": {"enable": task.dynamical_decoupling and not own_gates},
    }
    try:
        circuits = [_native(it, task, device) for it in task.circuits]
        request: dict[str, Any] = Sampler(device, options).run(circuits, shots=task.shots)
    except (QiskitError, ValueError, TypeError) as error:
        if any(isinstance(each, RequestException) for each in causes(error)):
            raise
        raise Rejected(f"{task.device} does not take the task: {error}") from error
    return request


class _Kept:
    """Stands where the sampler expects the service: keeps what would be sent, for the driver to send it."""

    def _run(
        self, *, program_id: str, options: dict[str, Any], inputs: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        return {
            "program_id": program_id,
            "backend_name": options["backend"].name,
            "params": inputs,
            "image": None,
            "log_level": options["log_level"],
            "job_tags": options["job_tags"],
        }


def _check(task: Task) -> None:
    if not task.circuits:
        raise Rejected("the task has no circuit; give it at least one")
    if task.readout_mitigation:
        raise Rejected(
            "IBM's sampler corrects no readout errors; "
            "set execution.readoutMitigation to false, or choose another backend"
        )


def _native(it: TaskCircuit, task: Task, device: IBMBackend) -> QuantumCircuit:
    """A circuit in the device's gates, with what its result needs to be read in its metadata."""
    target = device.target
    circuit = _with_device_delays(_with_good_names(read(it.name, it.qpy)), target)
    content_hash = it.transpiled_hash
    if content_hash is None:
        circuit = _compiled(circuit, task, device)
        content_hash = _hash(circuit)
    circuit.metadata = {MARK: {"hash": content_hash, "registers": [each.name for each in circuit.cregs]}}
    return circuit


def _compiled(circuit: QuantumCircuit, task: Task, device: IBMBackend) -> QuantumCircuit:
    from qiskit.transpiler import generate_preset_pass_manager

    manager = generate_preset_pass_manager(
        optimization_level=task.optimization_level, backend=device, seed_transpiler=task.seed or 0
    )
    compiled: QuantumCircuit = manager.run(circuit)
    return compiled


def _hash(circuit: QuantumCircuit) -> str:
    from qiskit import qpy

    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return hashlib.sha256(buffer.getvalue()).hexdigest()[:16]


def _with_good_names(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with registers that the sampler takes: their names are attributes of its result."""
    from qiskit import ClassicalRegister, QuantumCircuit
    from qiskit.primitives import DataBin

    register_sizes(circuit)  # for what it refuses
    names = [register.name for register in circuit.cregs]
    # What the result has already, such as ``keys`` and ``shape``, would fail once the job has run.
    if all(
        each.isascii() and each.isidentifier() and not keyword.iskeyword(each) and not hasattr(DataBin, each)
        for each in names
    ):
        return circuit
    registers = [ClassicalRegister(each.size, f"c{number}") for number, each in enumerate(circuit.cregs)]
    renamed = QuantumCircuit(circuit.qubits, *registers, name=circuit.name)
    bits = {
        old: new
        for before, after in zip(circuit.cregs, registers, strict=True)
        for old, new in zip(before, after, strict=True)
    }
    renamed.compose(circuit, clbits=[bits[each] for each in circuit.clbits], inplace=True)
    return renamed


def _with_device_delays(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The circuit with delays in the device's own time steps.

    All are kept: one may be the user's own, as in a measurement of T1, and the others say what IBM's
    scheduler finds too. They are rounded down to what the device's clock allows, so that nothing gets longer.
    A device without a clock is a simulator; it needs none.
    """
    step = math.lcm(target.granularity or 1, target.pulse_alignment or 1, target.acquire_alignment or 1)

    def convert(inner: QuantumCircuit) -> QuantumCircuit:
        from qiskit.circuit import Delay

        new = inner.copy_empty_like()
        for instruction in inner.data:
            if instruction.name == "delay":
                length_s = float(instruction.operation.duration) * DELAY_DT_S
                steps = int(length_s / target.dt / step + _ROUNDED) * step if target.dt else 0
                if steps:
                    new.append(Delay(steps, unit="dt"), instruction.qubits)
            elif instruction.is_control_flow():
                blocks = [convert(block) for block in instruction.operation.blocks]
                new.append(instruction.replace(operation=instruction.operation.replace_blocks(blocks)))
            else:
                new.append(instruction)
        return new

    return convert(circuit)
