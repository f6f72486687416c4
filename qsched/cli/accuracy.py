"""How good the estimates were: what was estimated of completed jobs, held against what came."""

# ruff: noqa: RUF012 -- msgspec copies mutable defaults

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from statistics import fmean, median
from typing import TYPE_CHECKING

from qsched.api.base import Declared
from qsched.api.job import Money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qsched.api.job import Estimate, Result

    Pair = tuple[Estimate, Result]

FEW = 10
"""With fewer jobs a median or a share says little: a single one that is far out moves it by a tenth."""

SHORT_S = 1.0
"""A wait below this counts as this long. qsched sees a task begin when it asks, not when it happens."""

LEAST_RUN_S = 1e-3
"""A run that was estimated to be shorter is an ideal simulator's, of whose time nothing is estimated."""


class Times(Declared, frozen=True, kw_only=True):
    """Estimated seconds against real ones.

    Attributes:
        jobs: How many are compared.
        estimated_s: Median of the estimates.
        actual_s: Median of what came.
        ratio: Median of actual / estimated; a wait of less than a second counts as one.
        within_p90: For waits, the share that was no longer than the estimated 90 % quantile, or a second.
    """

    jobs: int
    estimated_s: float
    actual_s: float
    ratio: float
    within_p90: float | None = None


class Costs(Declared, frozen=True, kw_only=True):
    """Estimated costs against what a provider charged, in one currency each; nothing is converted.

    Attributes:
        jobs: How many.
        estimated: Sum of the estimates.
        charged: Sum of what was charged; absent where the provider does not tell.
        ratio: charged / estimated; absent where one is not known or nothing, or in another currency.
    """

    jobs: int
    estimated: Money
    charged: Money | None = None
    ratio: float | None = None


class Accuracy(Declared, frozen=True, kw_only=True):
    """The estimates of one backend, or of all.

    Attributes:
        backend: Its name; absent for all.
        jobs: Completed jobs that have a record of their estimate.
        success: Mean of the estimated success probabilities. What it really was, counts alone do not tell.
        wait: In the provider's queue.
        run: Seconds on the device.
        costs: By currency; of the jobs that have a price.
    """

    backend: str | None = None
    jobs: int
    success: float | None = None
    wait: Times | None = None
    run: Times | None = None
    costs: list[Costs] = []


class Report(Declared, frozen=True, kw_only=True):
    """How good the estimates were.

    Attributes:
        backends: By name.
        total: Over all of them.
        fallbacks: Jobs that are left out because they ran on twins, of which nothing is estimated.
        unrecorded: Jobs that are left out because an earlier qsched kept no estimate with their result.
    """

    backends: list[Accuracy]
    total: Accuracy
    fallbacks: int = 0
    unrecorded: int = 0


def report(results: Iterable[Result]) -> Report:
    """Hold estimates against outcomes.

    Args:
        results: Of completed jobs.
    """
    by_backend: defaultdict[str, list[Pair]] = defaultdict(list)
    fallbacks = unrecorded = 0
    for result in results:
        if result.intended_backend is not None:
            fallbacks += 1
        elif result.estimate is None:
            unrecorded += 1
        else:
            by_backend[result.backend].append((result.estimate, result))
    return Report(
        backends=[_accuracy(name, by_backend[name]) for name in sorted(by_backend)],
        total=_accuracy(None, [pair for pairs in by_backend.values() for pair in pairs]),
        fallbacks=fallbacks,
        unrecorded=unrecorded,
    )


def _accuracy(backend: str | None, pairs: Sequence[Pair]) -> Accuracy:
    return Accuracy(
        backend=backend,
        jobs=len(pairs),
        success=fmean(estimate.success for estimate, _ in pairs) if pairs else None,
        wait=_waits(pairs),
        run=_runs(pairs),
        costs=_costs(pairs),
    )


def _waits(pairs: Sequence[Pair]) -> Times | None:
    known = [
        (estimate.wait_s, estimate.wait_p90_s, result.wait_s)
        for estimate, result in pairs
        if result.wait_s is not None
    ]
    if not known:
        return None
    return Times(
        jobs=len(known),
        estimated_s=median(estimated for estimated, _, _ in known),
        actual_s=median(actual for _, _, actual in known),
        ratio=median(max(actual, SHORT_S) / max(estimated, SHORT_S) for estimated, _, actual in known),
        within_p90=fmean(actual <= max(most, SHORT_S) for _, most, actual in known),
    )


def _runs(pairs: Sequence[Pair]) -> Times | None:
    known = [
        (estimate.run_s, result.run_s)
        for estimate, result in pairs
        if result.run_s is not None and estimate.run_s >= LEAST_RUN_S
    ]
    if not known:
        return None
    return Times(
        jobs=len(known),
        estimated_s=median(estimated for estimated, _ in known),
        actual_s=median(actual for _, actual in known),
        ratio=median(actual / estimated for estimated, actual in known),
    )


def _costs(pairs: Sequence[Pair]) -> list[Costs]:
    by_currency: defaultdict[tuple[str, str], list[tuple[Money, Money | None]]] = defaultdict(list)
    for estimate, result in pairs:
        if estimate.cost is not None:
            charged = None if result.cost_estimated else result.cost
            currencies = estimate.cost.currency, charged.currency if charged is not None else ""
            by_currency[currencies].append((estimate.cost, charged))
    return [_cost(by_currency[currencies]) for currencies in sorted(by_currency)]


def _cost(some: Sequence[tuple[Money, Money | None]]) -> Costs:
    """The sums of costs that are estimated in one currency, and charged in one if they are told."""
    estimated = _sum([price for price, _ in some])
    told = [charged for _, charged in some if charged is not None]
    if not told:
        return Costs(jobs=len(some), estimated=estimated)
    charged = _sum(told)
    comparable = charged.currency == estimated.currency and Decimal(estimated.amount)
    ratio = float(Decimal(charged.amount) / Decimal(estimated.amount)) if comparable else None
    return Costs(jobs=len(some), estimated=estimated, charged=charged, ratio=ratio)


def _sum(amounts: Sequence[Money]) -> Money:
    total = sum((Decimal(each.amount) for each in amounts), Decimal(0))
    return Money(amount=f"{total:f}", currency=amounts[0].currency)
