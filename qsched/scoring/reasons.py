"""Why a job cannot run on a backend: bits for the scorer, words for the user."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.api.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.api.job import Estimate, JobSpec, Money
    from qsched.fleet.snapshot import BackendRecord


class Reason(enum.IntFlag):
    """Bits of an infeasible pair; several may hold at once. Thirty-two bits."""

    OFFLINE = enum.auto()
    PAUSED = enum.auto()
    CLOSED = enum.auto()
    UNCALIBRATED = enum.auto()
    BACKENDS = enum.auto()
    SELECTOR = enum.auto()
    SIMULATORS = enum.auto()
    CURRENCY = enum.auto()
    DYNAMIC = enum.auto()
    QUBITS = enum.auto()
    COHERENCE = enum.auto()
    MIN_FIDELITY = enum.auto()
    MAX_COST = enum.auto()
    COMPLETE_BY = enum.auto()
    MAX_QUEUE_TIME = enum.auto()
    CALIBRATION_AGE = enum.auto()
    NATIVE = enum.auto()


UNESTIMATED = Reason.UNCALIBRATED | Reason.QUBITS
"""With one of these there is nothing to estimate with."""

_ESTIMATED = Reason.COHERENCE | Reason.MIN_FIDELITY | Reason.MAX_COST | Reason.COMPLETE_BY


@dataclass(frozen=True)
class Case:
    """A job on a backend, as the words need it.

    Attributes:
        spec: What the user asks for.
        backend: The backend.
        estimate: What the backend would make of it.
        qubits_needed: Qubits of the job's widest circuit.
        qubits_usable: Usable qubits of the backend.
        remaining_s: Seconds until ``completeBy``.
        start_age_s: Age that the calibration will have when the job starts.
    """

    spec: JobSpec
    backend: BackendRecord
    estimate: Estimate
    qubits_needed: int
    qubits_usable: int
    remaining_s: float
    start_age_s: float


def words(reasons: int, case: Case) -> list[str]:
    """Every reason of a mask in words, with the numbers that decided it.

    Where nothing can be estimated, the reasons that rest on the estimate are left out.
    """
    if reasons & UNESTIMATED:
        reasons &= ~_ESTIMATED
    return [_WORDS[reason](case) for reason in Reason if reason & reasons]


def _offline(case: Case) -> str:
    return f"is offline: {case.backend.message}" if case.backend.message else "is offline"


def _backends(case: Case) -> str:
    if not case.spec.requirements.backends:
        return "is an ideal simulator: it takes jobs that name it, or set simulators: Required"
    return f"is not among the requested backends: {_few(case.spec.requirements.backends)}"


def _selector(case: Case) -> str:
    wanted = case.spec.requirements.backend_selector
    missing = [f"{key}={value}" for key, value in wanted.items() if case.backend.labels.get(key) != value]
    return f"lacks the label{'s' * (len(missing) > 1)} {_few(missing)}"


def _simulators(case: Case) -> str:
    if case.spec.requirements.simulators == "Forbidden":
        return "is a simulator, and simulators is Forbidden"
    return "is not a simulator, and simulators is Required"


def _currency(case: Case) -> str:
    pricing, limit = case.backend.spec.pricing, case.spec.requirements.max_cost
    assert limit is not None
    if pricing is None:
        return f"has no price to hold against maxCost in {limit.currency}; write spec.pricing"
    return f"price is in {pricing.currency}, maxCost in {limit.currency}"


def _cost(case: Case) -> str:
    cost, limit = case.estimate.cost, case.spec.requirements.max_cost
    assert cost is not None
    assert limit is not None
    return f"costs {_amount(cost)}, maxCost is {_amount(limit)}"


def _coherence(case: Case) -> str:
    window_s = case.estimate.window_s or 0.0
    return (
        f"circuit takes {_brief(case.estimate.critical_path_s)}, "
        f"the coherence window is {_brief(window_s)} (half of T2)"
    )


def _fidelity(case: Case) -> str:
    success, least = case.estimate.success, case.spec.requirements.min_fidelity
    return f"estimated success {_below(success, least or 0.0)} is below minFidelity {least:g}"


def _complete_by(case: Case) -> str:
    needed_s = case.estimate.wait_s + case.estimate.run_s
    if case.remaining_s <= 0:
        return "completeBy has passed"
    return f"would take {_span(needed_s)}, completeBy is in {_span(case.remaining_s)}"


def _queue_time(case: Case) -> str:
    limit = case.spec.requirements.max_queue_time
    return f"expected wait is {_span(case.estimate.wait_s)}, maxQueueTime is {limit}"


def _age(case: Case) -> str:
    limit = case.spec.requirements.max_calibration_age
    return f"calibration would be {_span(case.start_age_s)} old at the start, maxCalibrationAge is {limit}"


_WORDS: dict[Reason, Callable[[Case], str]] = {
    Reason.OFFLINE: _offline,
    Reason.PAUSED: lambda _: "is paused",
    Reason.CLOSED: lambda _: "is outside its availability windows",
    Reason.UNCALIBRATED: lambda _: "has no calibration to estimate with",
    Reason.BACKENDS: _backends,
    Reason.SELECTOR: _selector,
    Reason.SIMULATORS: _simulators,
    Reason.CURRENCY: _currency,
    Reason.DYNAMIC: lambda _: "does not take mid-circuit measurement or classical control",
    Reason.QUBITS: lambda case: f"needs {case.qubits_needed} qubits, {case.qubits_usable} usable",
    Reason.COHERENCE: _coherence,
    Reason.MIN_FIDELITY: _fidelity,
    Reason.MAX_COST: _cost,
    Reason.COMPLETE_BY: _complete_by,
    Reason.MAX_QUEUE_TIME: _queue_time,
    Reason.CALIBRATION_AGE: _age,
    Reason.NATIVE: lambda _: (
        "takes native circuits only, and execution.transpile is Provider; set it to Local"
    ),
}


def _few(items: list[str], shown: int = 5) -> str:
    rest = len(items) - shown
    return ", ".join(items[:shown]) + (f" and {rest} more" if rest > 0 else "")


def _below(value: float, limit: float) -> str:
    """A value in the fewest digits, at least two, that show it below its limit."""
    return next(
        (text for digits in (2, 3, 4, 5) if float(text := f"{value:.{digits}f}") < limit), f"{value:.6g}"
    )


def _amount(money: Money) -> str:
    """Money with at least two decimals."""
    whole, _, fraction = money.amount.partition(".")
    return f"{whole}.{fraction:0<2} {money.currency}"


def _span(seconds: float) -> str:
    """A duration as a person says it: to the second above ten, else to the millisecond."""
    return duration_text(round(seconds) if seconds >= 10 else seconds)


def _brief(seconds: float) -> str:
    """A duration of circuits: microseconds or milliseconds."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
