"""``results.json``, made by Braket's own schema classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from qsched_emulators.braket_devices import Model
    from qsched_emulators.twins import Record


def results(
    model: Model, record: Record, counts: Mapping[str, int], measured: Sequence[int], source: str
) -> bytes:
    """The result file of a task that succeeded.

    IonQ's devices give probabilities, all others each shot.

    Args:
        model: The device.
        record: The task.
        counts: In Qiskit's order.
        measured: The qubit of each bit of the program's register.
        source: The program.
    """
    from braket.ir.openqasm import Program
    from braket.task_result import GateModelTaskResult, SimulatorMetadata, TaskMetadata
    from braket.task_result.additional_metadata import AdditionalMetadata

    rows = {bits[::-1]: count for bits, count in counts.items() if count}
    done = sum(rows.values())
    ions = model.provider == "IonQ"
    assert record.started is not None
    assert record.ended is not None
    duration_ms = round((record.ended - record.started).total_seconds() * 1000)
    content = GateModelTaskResult(
        measurements=None
        if ions
        else [[int(bit) for bit in row] for row, count in rows.items() for _ in range(count)],
        measurementProbabilities={row: count / done for row, count in rows.items()} if ions else None,
        measuredQubits=list(measured),
        resultTypes=[],
        taskMetadata=TaskMetadata(
            id=record.id,
            shots=done,
            deviceId=record.device,
            createdAt=_moment(record.created),
            endedAt=_moment(record.ended),
            status="COMPLETED",
        ),
        additionalMetadata=AdditionalMetadata(
            action=Program(source=source),
            simulatorMetadata=SimulatorMetadata(executionDuration=duration_ms) if model.simulator else None,
        ),
    )
    return str(content.json(exclude_none=True)).encode()


def _moment(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
