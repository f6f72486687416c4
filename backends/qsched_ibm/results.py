"""Jobs as IBM's service tells of them: where they are, why they failed, what came out."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from qsched.drivers import RemoteState, TaskResult, TaskStatus, Unavailable
from qsched_ibm.submission import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STATES: dict[str, RemoteState] = {
    "QUEUED": "Queued",
    "RUNNING": "Running",
    "COMPLETED": "Succeeded",
    "FAILED": "Failed",
    "CANCELLED": "Cancelled",
}
_RAN_TOO_LONG = "1305"
"""IBM's reason code of a job that it cancelled itself."""


def job_state(job: Mapping[str, Any]) -> RemoteState:
    """Where a job is; one in a state that this driver does not know has not ended.

    Args:
        job: The answer of ``GET /jobs/ID``, or one of ``jobs`` in that of ``GET /jobs``.
    """
    told = job.get("state") or {}
    state = _STATES.get(str(told.get("status", "")).upper(), "Running")
    return "Failed" if state == "Cancelled" and _code(told) == _RAN_TOO_LONG else state


def job_status(job: Mapping[str, Any]) -> TaskStatus:
    """A job's status, with IBM's reason if it failed and IBM says one."""
    told = job.get("state") or {}
    state = job_state(job)
    reason = str(told.get("reason") or "") if state == "Failed" else ""
    code = _code(told)
    return TaskStatus(
        remote_id=job["id"], state=state, message=f"{reason} (code {code})" if reason and code else reason
    )


def last_words(output: str) -> str:
    """What a failed job's output says at its end: of a traceback, the error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "IBM Quantum gives no reason"


def task_result(
    job_id: str, output: str, metrics: Mapping[str, Any], params: Sequence[Any] = ()
) -> TaskResult:
    """The result of a job that succeeded.

    Args:
        job_id: Its id.
        output: The answer of ``GET /jobs/ID/results``.
        metrics: That of ``GET /jobs/ID/metrics``.
        params: The circuits that were submitted, where the output does not hold their metadata.

    Raises:
        Unavailable: If the output is not there yet, or not complete.
    """
    if not output:
        raise Unavailable(f"the results of IBM job {job_id} are not there yet")
    try:
        pubs = _pubs(output)
        notes = [_notes(pub, params[number] if params else None) for number, pub in enumerate(pubs)]
        counts = [_counts(pub, note["registers"]) for pub, note in zip(pubs, notes, strict=True)]
    except (ValueError, TypeError, KeyError, AttributeError, EOFError) as error:
        raise Unavailable(f"the results of IBM job {job_id} cannot be read: {error}") from error
    started_at, finished_at = (_time(metrics, name) for name in ("running", "finished"))
    return TaskResult(
        remote_id=job_id,
        counts=tuple(counts),
        shots=tuple(sum(each.values()) for each in counts),
        transpiled_hashes=tuple(note["hash"] for note in notes),
        run_s=_usage_s(metrics),
        started_at=started_at,
        finished_at=finished_at,
    )


def _pubs(output: str) -> list[Any]:
    from qiskit.primitives import PrimitiveResult
    from qiskit_ibm_runtime.decoders.result_decoder import ResultDecoder

    decoded = ResultDecoder.decode(output)
    if not isinstance(decoded, PrimitiveResult):
        # What is no JSON comes back as it was: a traceback, or half an answer.
        raise TypeError(f"they begin with {output[:80]!r}")
    return list(decoded)


def has_notes(output: str) -> bool:
    """Whether the results hold what the driver wrote into the circuits' metadata."""
    return f'"{MARK}"' in output


def _notes(pub: Any, circuit: Any) -> dict[str, Any]:
    metadata = pub.metadata.get("circuit_metadata") or (circuit.metadata if circuit is not None else {})
    notes: dict[str, Any] = metadata[MARK]
    return notes


def _counts(pub: Any, registers: Sequence[str]) -> dict[str, int]:
    """Counts in Qiskit's keys: the last register first, a space between registers.

    Args:
        pub: The result of one circuit.
        registers: The name of each, in the circuit's order.
    """
    # ``join_data`` of Qiskit 2.6 joins in another order than it says.
    shots = [pub.data[name].get_bitstrings() for name in reversed(registers)]
    return dict(Counter(map(" ".join, zip(*shots, strict=True))))


def _usage_s(metrics: Mapping[str, Any]) -> float | None:
    """Seconds that IBM bills; None while it has not counted them."""
    usage = metrics.get("usage") or {}
    if usage.get("status") == "pending":
        return None
    for name in ("qpu_charge_time_seconds", "quantum_seconds", "seconds"):
        told = usage.get(name)
        if isinstance(told, int | float) and 0 <= told < math.inf:
            return float(told)
    return None


def _time(metrics: Mapping[str, Any], name: str) -> dt.datetime | None:
    text = (metrics.get("timestamps") or {}).get(name)
    if not text:
        return None
    time = dt.datetime.fromisoformat(text)
    return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)


def _code(told: Mapping[str, Any]) -> str:
    """The reason code, under either of its names."""
    return str(told.get("reason_code") or told.get("reasonCode") or "")
