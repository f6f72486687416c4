"""The result of a job, from what its driver gives: checked, and beside what was estimated of it."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import msgspec
import structlog

from qsched.api.job import CircuitResult, Money, Result
from qsched.api.quantities import amount
from qsched.drivers import Rejected
from qsched.version import VERSION

if TYPE_CHECKING:
    from qsched.api.backend import Pricing
    from qsched.api.job import Estimate
    from qsched.drivers import TaskResult
    from qsched.engine.backend import Backend
    from qsched.engine.live import Live

log = structlog.get_logger(__name__)

_FINEST = Decimal("1e-9")
"""What an amount of money may be a multiple of."""


def result_of(live: Live, backend: Backend, got: TaskResult) -> Result:
    """What came out of a job, and where it came from.

    Args:
        live: The job; its last attempt is the one that succeeded.
        backend: Where it ran.
        got: What the driver gave.

    Raises:
        Rejected: If these are not the results of the job's circuits.
    """
    names = [circuit.name for circuit in live.job.spec.circuits]
    if not len(names) == len(got.counts) == len(got.shots) == len(got.transpiled_hashes):
        raise Rejected(f"{backend.name} gave {len(got.counts)} results for {len(names)} circuits")
    choice = live.choice
    # What was estimated of a fallback is what the intended backend would have made of it.
    estimate = _estimate(live) if live.state.intended_backend is None else None
    charged, ran_s = _charged(got.cost, backend.name), _ran_s(got)
    reckoned = _reckoned(estimate, backend.spec.pricing, ran_s) if estimate is not None else None
    return Result(
        backend=backend.name,
        driver=backend.declared.spec.driver,
        remote_id=got.remote_id,
        calibration_id=live.calibration_id or (choice.calibration_id if choice is not None else None),
        qsched_version=VERSION,
        circuits=[
            CircuitResult(name=name, counts=dict(counts), shots=shots, transpiled_hash=digest)
            for name, counts, shots, digest in zip(
                names, got.counts, got.shots, got.transpiled_hashes, strict=True
            )
        ],
        cost=charged or reckoned,
        cost_estimated=charged is None and reckoned is not None,
        simulated=backend.simulator,
        intended_backend=live.state.intended_backend,
        wait_s=_waited_s(live, got),
        run_s=ran_s,
        estimate=estimate,
    )


def started_at(live: Live, got: TaskResult) -> float | None:
    """When a task began, in Unix seconds: as the provider tells, else as it was first seen running.

    It began before it was seen to run; where the provider tells later, its clock is ahead of ours.
    """
    seen = live.state.attempts[-1].started_at
    if got.started_at is None:
        return seen
    told = got.started_at.timestamp()
    return told if seen is None else min(told, seen)


def _estimate(live: Live) -> Estimate | None:
    """What was estimated of the task when it was handed over: its wait since then, the rest by its place."""
    if live.choice is None or live.handover is None:
        return live.choice.estimate if live.choice is not None else None
    _, wait_s, wait_p90_s = live.handover
    return msgspec.structs.replace(live.choice.estimate, wait_s=wait_s, wait_p90_s=wait_p90_s)


def _charged(cost: Money | None, backend: str) -> Money | None:
    """What a provider charged, as manifests write money; None, and a warning, where that is impossible.

    A store refuses to read any other amount, and the job with it.
    """
    if cost is None:
        return None
    try:
        value = amount(cost.amount)
        if value % _FINEST:
            value = value.quantize(_FINEST)
        return msgspec.convert({"amount": f"{value:f}", "currency": cost.currency}, Money)
    except (ArithmeticError, TypeError, ValueError) as error:  # msgspec's ValidationError is a ValueError
        log.warning("what a provider charged cannot be read", backend=backend, cost=cost, error=str(error))
        return None


def _reckoned(estimate: Estimate, pricing: Pricing | None, ran_s: float | None) -> Money | None:
    """What a task cost by its price: as estimated, but for the seconds that it really took.

    A least price hides what the seconds are of it: there the estimate stands, unless they alone cost more.
    """
    cost = estimate.cost
    if cost is None or pricing is None or ran_s is None or not amount(pricing.per_second):
        return cost
    took_s = Decimal(str(ran_s))
    if amount(pricing.minimum):
        exact = max(amount(cost.amount), amount(pricing.per_second) * took_s)
    else:
        longer_s = took_s - Decimal(str(estimate.run_s))
        exact = max(amount(cost.amount) + amount(pricing.per_second) * longer_s, Decimal(0))
    quantum = amount(pricing.quantum)
    steps = (exact / quantum).to_integral_value(ROUND_CEILING)
    return Money(amount=f"{(steps * quantum).normalize():f}", currency=cost.currency)


def _waited_s(live: Live, got: TaskResult) -> float | None:
    """Seconds in the provider's queue: 0 if its clock is behind, None if nobody knows what was predicted."""
    started = started_at(live, got)
    if started is None or live.handover is None:
        return None
    return round(max(0.0, started - live.state.attempts[-1].dispatched_at), 3)


def _ran_s(got: TaskResult) -> float | None:
    """Seconds on the device: as billed if that is a time at all, else from the beginning to the end."""
    if got.run_s is not None and math.isfinite(got.run_s) and got.run_s >= 0:
        return got.run_s
    if got.started_at is None or got.finished_at is None:
        return None
    return max(0.0, (got.finished_at - got.started_at).total_seconds())
