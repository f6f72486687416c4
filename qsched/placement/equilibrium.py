"""Loads at which prices and choices agree, found on a sample by Frank-Wolfe."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.placement.market import LEAST, UNPLACED, take_best
from qsched.placement.source import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.placement.market import Market
    from qsched.placement.source import Source

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

SAMPLE = 4096
"""Jobs that prices are found on (design section 7)."""

_PAIRS = 65_536  # of a block: nothing is corrected between them
_STEPS = 200
_TOLERANCE = 1e-4
_ROUNDS = 8
_STIFFNESS = 2.0


class Equilibrium(NamedTuple):
    """Loads and prices that a market settles at.

    Attributes:
        loads: (2, B) work and impatience on each backend.
        slot_price: (B,) price of one slot, 0 where slots are left.
        sample: (R,) the jobs that they were found on, the biggest among them.
    """

    loads: Floats
    slot_price: Singles
    sample: Ints


class _Crowd(NamedTuple):
    """A sample of jobs that stands for all.

    Attributes:
        market: The sample, each job as big as those that it stands for.
        stands_for: (R,) how many that is.
    """

    market: Market
    stands_for: Floats


class _Shares(NamedTuple):
    """A point of the Frank-Wolfe run: what jobs, perhaps in fractions, add up to.

    Attributes:
        value: Sum of the values.
        loads: (2, B) work and impatience.
        jobs: (B,) jobs.
    """

    value: float
    loads: Floats
    jobs: Floats


class _SlotPenalty(NamedTuple):
    """The augmented Lagrangian of slots: the price of one at a given number of jobs.

    Attributes:
        price: (B,) learned so far.
        stiffness: (B,) price of each job beyond the slots.
        slots: (B,) how many there are.
    """

    price: Floats
    stiffness: Floats
    slots: Floats

    def at(self, count: Floats) -> Floats:
        """(B,) price of a slot when ``count`` jobs are on each backend."""
        prices: Floats = np.maximum(0, self.price + self.stiffness * (count - self.slots))
        return prices


def equilibrium(source: Source, rng: np.random.Generator) -> Equilibrium:
    """The loads and slot prices that maximise a market's welfare, up to the sample's noise.

    Slots enter as an augmented Lagrangian: a penalty on the jobs beyond them, and a price that learns.

    Args:
        source: All jobs.
        rng: Chooses the sample.
    """
    drawn = draw(source.sizes(), rng, SAMPLE)
    crowd = _Crowd(source.sample(drawn.rows, drawn.stands_for), drawn.stands_for)
    none = np.zeros(source.backends)
    penalty = _SlotPenalty(none, none, none)
    if source.slots is not None:
        slots: Floats = np.maximum(source.slots, 1e-3 * len(source) / len(drawn.rows))
        penalty = _SlotPenalty(none, _STIFFNESS / slots, slots)
    shares = _best_reply(crowd, np.zeros((2, source.backends)), none)
    for _ in range(1 if source.slots is None else _ROUNDS):
        shares = _settle(crowd, shares, penalty)
        penalty = penalty._replace(price=penalty.at(shares.jobs))
    return Equilibrium(shares.loads, penalty.price.astype(np.float32), drawn.rows)


def _settle(crowd: _Crowd, shares: _Shares, penalty: _SlotPenalty) -> _Shares:
    """Frank-Wolfe until the gap to the tangent's bound is small, or lost among whole jobs."""
    market, grain = crowd.market, _grain(crowd)
    for _ in range(_STEPS):
        reply = _best_reply(crowd, shares.loads, penalty.at(shares.jobs))
        gap = _slope(market, shares, reply, penalty, 0.0)
        if gap <= max(grain, _TOLERANCE * abs(shares.value)):
            break
        step = _step(market, shares, reply, penalty, gap)
        shares = _mix(shares, reply, step)
    return shares


def _grain(crowd: _Crowd) -> float:
    """Welfare that rests on where whole jobs go, whatever the prices: a job's own part, on each backend."""
    able = np.isfinite(crowd.market.value)
    own = crowd.market.own(slice(None)) / np.square(crowd.stands_for)[:, None]
    return crowd.market.backends * float(own.sum(where=able)) / max(1, int(able.sum()))


def _best_reply(crowd: _Crowd, loads: Floats, slot_price: Floats) -> _Shares:
    """What the jobs add up to when each takes its best backend at the prices of ``loads``."""
    value, placed, jobs = 0.0, np.zeros_like(loads), np.zeros(loads.shape[1])
    for rows in crowd.market.blocks(at_least=1, pairs=_PAIRS):
        block, many = crowd.market.block(rows), crowd.stands_for[rows]
        net = block.net(slice(None), loads)
        if block.slots is not None:
            net -= many.astype(np.float32)[:, None] * slot_price.astype(np.float32)
        choice = take_best(net, LEAST if block.slots is None else 0.0)
        able = np.flatnonzero(choice != UNPLACED)
        value += float(block.value[able, choice[able]].sum(dtype=np.float64))
        placed += block.loads(choice)
        jobs += np.bincount(choice[able], weights=many[able], minlength=len(jobs))
    return _Shares(value, placed, jobs)


def _mix(one: _Shares, other: _Shares, share: float) -> _Shares:
    return _Shares(
        value=one.value + share * (other.value - one.value),
        loads=one.loads + share * (other.loads - one.loads),
        jobs=one.jobs + share * (other.jobs - one.jobs),
    )


def _slope(market: Market, shares: _Shares, reply: _Shares, penalty: _SlotPenalty, step: float) -> float:
    """How fast welfare grows on the way from ``shares`` to ``reply``, ``step`` of it done."""
    there = _mix(shares, reply, step)
    paid = (np.array(market.units) * there.loads * (reply.loads - shares.loads)).sum()
    paid += penalty.at(there.jobs) @ (reply.jobs - shares.jobs)
    return reply.value - shares.value - float(paid)


def _step(market: Market, shares: _Shares, reply: _Shares, penalty: _SlotPenalty, rising: float) -> float:
    """The share of the way at which welfare is greatest; the slope is piecewise linear and falls."""
    low, high = 0.0, 1.0
    falling = _slope(market, shares, reply, penalty, high)
    if falling >= 0:
        return high
    if market.slots is None:
        return rising / (rising - falling)
    for _ in range(8):
        middle = low + (high - low) * rising / (rising - falling)
        slope = _slope(market, shares, reply, penalty, middle)
        if slope > 0:
            low, rising = middle, slope
        else:
            high, falling = middle, slope
    return middle
