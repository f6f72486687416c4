"""``results.json`` as counts. The format is ``braket.task_result.GateModelTaskResult``."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from qsched.drivers import Unavailable
from qsched_braket.bits import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsched_braket.tags import Part


class _Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Fields that are not named here are passed over."""


class _TaskMetadata(_Struct, frozen=True, kw_only=True):
    shots: int
    ended_at: str | None = None


class _Simulator(_Struct, frozen=True, kw_only=True):
    execution_duration: int


class _Additional(_Struct, frozen=True, kw_only=True):
    simulator_metadata: _Simulator | None = None


class _Results(_Struct, frozen=True, kw_only=True):
    measurements: list[list[Literal[0, 1]]] | None = None
    measurement_probabilities: dict[str, float] | None = None
    measured_qubits: list[int] | None = None
    task_metadata: _TaskMetadata
    additional_metadata: _Additional = _Additional()


class Outcome(NamedTuple):
    """What came out of one circuit.

    Attributes:
        counts: In Qiskit's order, registers apart.
        shots: How many there are.
        run_s: Seconds on the simulator; None on a QPU, which does not tell.
        ended_at: When the quantum task ended.
    """

    counts: dict[str, int]
    shots: int
    run_s: float | None
    ended_at: dt.datetime | None


def read_results(body: bytes, part: Part, *, arn: str) -> Outcome:
    """The content of a quantum task's ``results.json``.

    Args:
        body: The file.
        part: What its tags tell.
        arn: The quantum task, for messages.

    Raises:
        Unavailable: If the file is damaged, or not what was asked for.
    """
    try:
        told = msgspec.json.decode(body, type=_Results)
        rows = _rows(told)
        columns = _columns(told, part, len(next(iter(rows), "")))
        counts = counted(rows, columns, measured=part.measured, registers=part.registers)
    except (ValueError, IndexError, OverflowError) as error:
        raise Unavailable(f"the results of {arn} cannot be read: {error}") from error
    simulator = told.additional_metadata.simulator_metadata
    return Outcome(
        counts={bits: count for bits, count in counts.items() if count},
        shots=counts.total(),
        run_s=simulator.execution_duration / 1000 if simulator else None,
        ended_at=_moment(told.task_metadata.ended_at),
    )


def _rows(told: _Results) -> Mapping[str, int]:
    """How often each row of measured bits came, whichever way it is told; all rows are of one length."""
    if told.measurements is not None:
        rows: Mapping[str, int] = Counter("".join(map(str, shot)) for shot in told.measurements)
    elif told.measurement_probabilities is not None:
        shots = told.task_metadata.shots
        rows = {bits: round(share * shots) for bits, share in told.measurement_probabilities.items()}
    else:
        raise ValueError("there are neither measurements nor their probabilities in it")
    if (
        len(set(map(len, rows))) > 1
        or not set().union(*rows) <= {"0", "1"}
        or min(rows.values(), default=0) < 0
    ):
        raise ValueError("its shots are not all of as many bits")
    return rows


def _columns(told: _Results, part: Part, width: int) -> Sequence[int]:
    """Where in a row each qubit of ``part.measured`` is.

    The program measures qubits in the order of their numbers. A device that says which qubits it measured
    uses the program's numbers, or others of the same order.
    """
    wanted = [qubit for qubit, _ in part.measured]
    given = told.measured_qubits or []
    if set(wanted) <= set(given):
        return [given.index(qubit) for qubit in wanted]
    if max(len(given), width) == len(wanted):
        return [given.index(qubit) for qubit in sorted(given)] if given else range(len(wanted))
    raise ValueError(f"it has the qubits {given}, not {wanted}")


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
