"""What a placement is worth: scores less the waiting that the placed jobs cause each other.

Jobs placed on one backend wait for each other. In a random order, job j waits half of the others' work W
divided by the backend's servers c, and loses a = impatience (score lost each second) for each second: the
pairs on a backend lose A W / (2 c) in all, A being the sum of the impatiences and W that of the work. This
product is not convex; with r the typical impatience of a second of work there, the arithmetic mean of its
two sides, (r W^2 + A^2 / r) / (4 c), is convex, nowhere smaller, and equal for the typical mix. That is the
congestion cost. Its derivative is the price that a job pays: half of what it makes others lose and half of
what the others make it lose. A job pays nothing for itself, so that one alone goes to its best score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

UNPLACED = -1


@dataclass(frozen=True, eq=False)
class Market:
    """J jobs and B backends with what placements are worth.

    Attributes:
        value: (J, B) worth of a job on a backend alone, its own part of the congestion cost given back;
            minus infinity where it may not run.
        work_s: (J, B) seconds of the backend that the job takes.
        impatience: (J,) score that the job loses for each second of waiting.
        work_unit: (B,) price of a second of work for each second placed, r / (2 c).
        impatience_unit: (B,) price of impatience for each unit of it placed, 1 / (2 c r).
        slots: (B,) how many jobs each backend may get; None without limit.
    """

    value: Singles
    work_s: Singles
    impatience: Singles
    work_unit: Floats
    impatience_unit: Floats
    slots: Ints | None

    @property
    def congested(self) -> bool:
        """Whether jobs lose anything by waiting."""
        return bool(self.work_unit.any())

    def sample(self, rows: Ints) -> Market:
        """The market of some of the jobs at the prices of all: backends and slots shrink in proportion."""
        share = len(rows) / len(self.value)
        return Market(
            value=self.value[rows],
            work_s=self.work_s[rows],
            impatience=self.impatience[rows],
            work_unit=self.work_unit / share,
            impatience_unit=self.impatience_unit / share,
            slots=self.slots,
        )

    def loads(self, choice: Ints, rows: slice | Ints = slice(None)) -> Floats:
        """(2, B) work and impatience that a choice of backends for ``rows`` puts on each backend."""
        placed = np.flatnonzero(choice != UNPLACED)
        columns = choice[placed]
        work_s = self.work_s[rows][placed, columns]
        backends = self.value.shape[1]
        return np.array(
            [
                np.bincount(columns, weights=work_s, minlength=backends),
                np.bincount(columns, weights=self.impatience[rows][placed], minlength=backends),
            ]
        )

    def prices(self, loads: Floats) -> tuple[Singles, Singles]:
        """(B,) price of a second of work and (B,) price of impatience at the given loads."""
        return (
            (self.work_unit * loads[0]).astype(np.float32),
            (self.impatience_unit * loads[1]).astype(np.float32),
        )

    def net(self, rows: slice | Ints, loads: Floats) -> Singles:
        """(R, B) worth of each backend to each of ``rows`` after paying for congestion at given loads."""
        net = self.value[rows]
        if not self.congested:
            return net
        per_work, per_impatience = self.prices(loads)
        net = net - self.work_s[rows] * per_work
        net -= self.impatience[rows][:, None] * per_impatience
        return net

    def own(self, rows: slice | Ints) -> Singles:
        """(R, B) a job's own part of the congestion cost: what half of its load costs itself."""
        work_unit, impatience_unit = (
            self.work_unit.astype(np.float32),
            self.impatience_unit.astype(np.float32),
        )
        own: Singles = work_unit * np.square(self.work_s[rows])
        own += impatience_unit * np.square(self.impatience[rows])[:, None]
        own /= 2
        return own

    def congestion(self, loads: Floats) -> float:
        """The congestion cost of loads."""
        return float((self.work_unit * loads[0] ** 2 + self.impatience_unit * loads[1] ** 2).sum() / 2)

    def welfare(self, choice: Ints) -> float:
        """What a choice of backends is worth: values less the congestion cost."""
        placed = np.flatnonzero(choice != UNPLACED)
        value = self.value[placed, choice[placed]].sum(dtype=np.float64)
        return float(value) - self.congestion(self.loads(choice))

    def bound(self, loads: Floats) -> float:
        """A welfare that no choice exceeds, from the prices at some loads; slots are not looked at.

        Welfare is concave in the shares of the jobs, so it lies below its tangent everywhere. The bound is
        tightest at the loads of the optimum.
        """
        best = self.net(slice(None), loads).max(axis=1)
        return float(best[np.isfinite(best)].sum(dtype=np.float64)) + self.congestion(loads)


def open_market(
    offers: Singles,
    work_s: Singles,
    *,
    impatience: Singles | None = None,
    servers: Ints | None = None,
    slots: Ints | None = None,
) -> Market:
    """The market of a cycle.

    Args:
        offers: (J, B) urgency times score; minus infinity where the job may not run.
        work_s: (J, B) seconds on the device.
        impatience: (J,) score lost for each second of waiting; None when waiting costs nothing.
        servers: (B,) tasks that run at the same time; 1 by default.
        slots: (B,) how many jobs each backend may get; None without limit.
    """
    jobs, backends = offers.shape
    rate = np.zeros(backends)
    if impatience is None:
        impatience = np.zeros(jobs, dtype=np.float32)
    else:
        feasible = np.isfinite(offers)
        total_s = np.where(feasible, work_s, 0).sum(axis=0, dtype=np.float64)
        total = impatience.astype(np.float64) @ feasible
        np.divide(total, total_s, out=rate, where=total_s > 0)
    twice = 2.0 * (np.ones(backends) if servers is None else np.maximum(servers, 1))
    work_unit = rate / twice
    impatience_unit = np.divide(1.0, twice * rate, out=np.zeros(backends), where=rate > 0)
    market = Market(offers, work_s, impatience.astype(np.float32), work_unit, impatience_unit, slots)
    return replace(market, value=offers + market.own(slice(None))) if market.congested else market
