"""Admission: what a task asks to simulate, how, and what that takes; and what its results say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.api.quantities import utc
from qsched.drivers import Rejected, TaskResult
from qsched.drivers.circuits import read
from qsched_aer.catalog import IDEAL, device_calibration
from qsched_aer.circuits import unroll
from qsched_aer.methods import choose_method
from qsched_aer.mitigation import MOST_STRINGS, bit_errors
from qsched_aer.properties import properties
from qsched_aer.simulate import Order
from qsched_aer.survey import survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.drivers import Calibration, Task
    from qsched_aer.simulate import Simulated

_MIB = 1 << 20

# Measured with Aer 0.18 on one thread: the libraries take 95 MiB; a state is held once; a sampled shot of 10
# bits takes 120 bytes, one of 24 bits 200, until the shots are counted.
_LIBRARIES = 256 * _MIB
_SHOT = 192
_SHOT_BIT = 4


@dataclass(frozen=True, slots=True)
class Work:
    """A task that was admitted.

    Attributes:
        orders: The circuits, and how each is simulated.
        hashes: Content hash of each circuit as it was transpiled.
        shots: How many of each.
        seed: Makes the counts repeatable.
        calibration: Of the device whose twin runs it; None for an ideal simulation.
        device_s: Seconds that the device itself would take; None for an ideal simulation.
        memory_mb: Mebibytes that a process which simulates nothing else may come to use.
    """

    orders: tuple[Order, ...]
    hashes: tuple[str, ...]
    shots: int
    seed: int | None
    calibration: Calibration | None
    device_s: float | None
    memory_mb: int


def admit(task: Task, memory_mb: int) -> Work:
    """Decide how each circuit of a task is simulated.

    Args:
        task: What was submitted.
        memory_mb: Mebibytes that the state of one simulation may take.

    Raises:
        Rejected: If a circuit uses a gate or coupler that the device has not, or fits no memory, or readout
            mitigation is asked for and impossible, as for a dynamic circuit.
        NotFound: If there is no such device.
        NoCalibration: If its calibration cannot be read.
    """
    if not task.circuits:
        raise Rejected("the task has no circuit; give it at least one")
    calibration = device_calibration(task.device)
    device = properties(calibration) if calibration else None
    orders = []
    device_s = 0.0
    most = 0
    for it in task.circuits:
        if device is not None and it.transpiled_hash is None:
            raise Rejected(
                f"circuit {it.name!r} is not transpiled for {task.device}; "
                f"a twin takes native circuits only, device {IDEAL!r} takes any"
            )
        circuit = read(it.name, it.qpy)
        size = survey(unroll(circuit) if device is None else circuit, device)
        choice = choose_method(it.name, size, shots=task.shots, noisy=device is not None, memory_mb=memory_mb)
        misread = bit_errors(it.name, circuit, device) if task.readout_mitigation and device else None
        orders.append(Order(it.name, it.qpy, choice.method, size.measured, misread))
        device_s += task.shots * (size.critical_path_s + (device.reset_s if device else 0.0))
        counting = task.shots * (_SHOT + _SHOT_BIT * circuit.num_clbits)
        # The matrix of a mitigation, and the copy of it that is solved.
        mitigating = 2 * 8 * min(task.shots, MOST_STRINGS) ** 2 if misread else 0
        most = max(most, choice.memory + choice.memory // 8 + counting + mitigating)
    return Work(
        orders=tuple(orders),
        hashes=tuple(it.transpiled_hash or hashlib.sha256(it.qpy).hexdigest()[:16] for it in task.circuits),
        shots=task.shots,
        seed=task.seed,
        calibration=calibration,
        device_s=device_s if device is not None else None,
        memory_mb=-(-(_LIBRARIES + most) // _MIB),
    )


def task_result(
    remote_id: str,
    simulated: Sequence[Simulated],
    *,
    shots: int,
    hashes: tuple[str, ...],
    device_s: float | None,
    started_s: float,
    finished_s: float,
) -> TaskResult:
    """The result of a task.

    Args:
        remote_id: The task's.
        simulated: What came out of each circuit.
        shots: How many of each.
        hashes: Of each circuit.
        device_s: Seconds that the device would have taken; None to say what the simulation took.
        started_s: Unix time.
        finished_s: Unix time.
    """
    return TaskResult(
        remote_id=remote_id,
        counts=tuple(it.counts for it in simulated),
        shots=(shots,) * len(simulated),
        transpiled_hashes=hashes,
        run_s=sum(it.wall_s for it in simulated) if device_s is None else device_s,
        started_at=utc(started_s),
        finished_at=utc(finished_s),
    )
