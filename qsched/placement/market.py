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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

UNPLACED = -1

LEAST = float(np.finfo(np.float32).min)
"""What a backend must be worth to a job that may run there."""

_PAIRS_PER_BLOCK = 16_384  # the arrays of a block fit a core's second-level cache
_CHUNK = 8192
_CHUNKS_AT_LEAST = 64  # a crowd of equal jobs goes where it goes until the next chunk
_BLOCKS_AT_LEAST = 16  # few jobs too are placed bit by bit, so that prices follow


class Units(NamedTuple):
    """What congestion costs on each backend.

    Attributes:
        work: (B,) price of a second of work for each second placed, r / (2 c).
        impatience: (B,) price of impatience for each unit of it placed, 1 / (2 c r).
    """

    work: Floats
    impatience: Floats

    def cost(self, loads: Floats) -> float:
        """The congestion cost of (2, B) loads: work and impatience on each backend."""
        return float((np.array(self) * loads**2).sum() / 2)


@dataclass(frozen=True, eq=False)
class Market:
    """J jobs and B backends with what placements are worth.

    Attributes:
        value: (J, B) worth of a job on a backend alone, its own part of the congestion cost given back;
            minus infinity where it may not run.
        work_s: (J, B) seconds of the backend that the job takes.
        impatience: (J,) score that the job loses for each second of waiting.
        units: What congestion costs.
        slots: (B,) how many jobs each backend may get; None without limit.
    """

    value: Singles
    work_s: Singles
    impatience: Singles
    units: Units
    slots: Ints | None

    def __len__(self) -> int:
        return len(self.value)

    @property
    def backends(self) -> int:
        """B."""
        return int(self.value.shape[1])

    @property
    def congested(self) -> bool:
        """Whether jobs lose anything by waiting."""
        return bool(self.units.work.any())

    def blocks(self, *, at_least: int = _BLOCKS_AT_LEAST, pairs: int = _PAIRS_PER_BLOCK) -> Sequence[slice]:
        """The rows of each block of some ``pairs``, in order; of few jobs there are ``at_least`` so many."""
        jobs = len(self)
        size = max(1, min(pairs // max(1, self.backends), -(-jobs // at_least)))
        return [slice(start, min(start + size, jobs)) for start in range(0, jobs, size)]

    def block(self, rows: slice | Ints) -> Market:
        """Some of the jobs; prices and slots stay those of all."""
        return Market(self.value[rows], self.work_s[rows], self.impatience[rows], self.units, self.slots)

    @property
    def together(self) -> int:
        """How many blocks choose at the same prices."""
        jobs = len(self)
        return max(1, min(_CHUNK, jobs // _CHUNKS_AT_LEAST) * len(self.blocks()) // max(1, jobs))

    def choose(self, rows: slice, loads: Floats, slot_price: Singles) -> tuple[Ints, Floats]:
        """See ``Source``."""
        block = self.block(rows)
        chosen = block.best(loads, slot_price)
        return chosen, block.loads(chosen)

    def best(self, loads: Floats, slot_price: Singles) -> Ints:
        """(J,) the best column of each job at the prices of (2, B) loads and (B,) slots."""
        net = self.net(slice(None), loads)
        if self.slots is not None:
            net -= slot_price
        return take_best(net)

    def sizes(self) -> tuple[Singles, Singles]:
        """(J,) seconds of work on the average backend, and (J,) impatience."""
        return self.work_s.mean(axis=1), self.impatience

    def sample(self, rows: Ints, stands_for: Floats) -> Market:
        """Some of the jobs; each is made as big as the (R,) jobs that it stands for, itself included."""
        return self.block(rows).times(stands_for)

    def times(self, factor: Floats) -> Market:
        """The same jobs, each made bigger by (J,) factors; at equal prices they choose as before."""
        single = factor.astype(np.float32)
        return replace(
            self,
            value=self.value * single[:, None],
            work_s=self.work_s * single[:, None],
            impatience=self.impatience * single,
        )

    def loads(self, choice: Ints, rows: slice | Ints = slice(None)) -> Floats:
        """(2, B) work and impatience that a choice of backends for ``rows`` puts on each backend."""
        placed = np.flatnonzero(choice != UNPLACED)
        columns = choice[placed]
        work_s = self.work_s[rows][placed, columns]
        return np.array(
            [
                np.bincount(columns, weights=work_s, minlength=self.backends),
                np.bincount(columns, weights=self.impatience[rows][placed], minlength=self.backends),
            ]
        )

    def net(self, rows: slice | Ints, loads: Floats) -> Singles:
        """(R, B) worth of each backend to each of ``rows`` after paying for congestion at given loads."""
        net = self.value[rows]
        if not self.congested:
            return net.copy()  # callers may write to it
        per_work, per_impatience = (np.array(self.units) * loads).astype(np.float32)
        paid: Singles = self.work_s[rows] * per_work
        paid += self.impatience[rows][:, None] * per_impatience
        np.subtract(net, paid, out=paid)
        return paid

    def own(self, rows: slice | Ints) -> Singles:
        """(R, B) a job's own part of the congestion cost: what half of its load costs itself."""
        return _own(self.work_s[rows], self.impatience[rows], self.units)

    def welfare(self, choice: Ints) -> float:
        """What a choice of backends is worth: values less the congestion cost."""
        placed = np.flatnonzero(choice != UNPLACED)
        value = self.value[placed, choice[placed]].sum(dtype=np.float64)
        return float(value) - self.units.cost(self.loads(choice))


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
    if impatience is None:
        impatience, nothing = np.zeros(jobs, dtype=np.float32), np.zeros(backends)
        return Market(offers, work_s, impatience, Units(nothing, nothing), slots)
    impatience = impatience.astype(np.float32)
    units = typical_units(offers, work_s, impatience, servers)
    return market_at(units, offers, work_s, impatience, slots)


def market_at(
    units: Units, offers: Singles, work_s: Singles, impatience: Singles, slots: Ints | None = None
) -> Market:
    """The market of jobs where it is known what congestion costs; see ``open_market``."""
    value = _own(work_s, impatience, units)
    value += offers
    return Market(value, work_s, impatience, units, slots)


def typical_units(offers: Singles, work_s: Singles, impatience: Singles, servers: Ints | None) -> Units:
    """What congestion costs where the typical mix is that of all jobs which may run there."""
    feasible = np.isfinite(offers)
    total_s = np.where(feasible, work_s, 0).sum(axis=0, dtype=np.float64)
    total = impatience @ feasible.astype(np.float32)
    rate = np.divide(total, total_s, out=np.zeros(len(total_s)), where=total_s > 0)
    twice = 2.0 * (np.ones(len(rate)) if servers is None else np.maximum(servers, 1))
    return Units(rate / twice, np.divide(1.0, twice * rate, out=np.zeros(len(rate)), where=rate > 0))


def _own(work_s: Singles, impatience: Singles, units: Units) -> Singles:
    half_work, half_impatience = (np.array(units) / 2).astype(np.float32)
    own: Singles = work_s * half_work
    own *= work_s
    own += np.square(impatience)[:, None] * half_impatience
    return own


def take_best(net: Singles, least: float = LEAST) -> Ints:
    """(R,) the best column of each row; -1 where it is not worth ``least``, by default where none may be."""
    best = net.argmax(axis=1)
    choice: Ints = best.astype(np.int32)
    best += np.arange(len(net)) * net.shape[1]
    choice[~(net.reshape(-1).take(best) >= least)] = UNPLACED
    return choice
