"""Loads at which prices and choices agree, found on a sample by Frank-Wolfe."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.placement.market import UNPLACED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.placement.market import Market

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

SAMPLE = 4096
"""Jobs that prices are found on (design section 7)."""

_STEPS = 200
_TOLERANCE = 1e-4
_ROUNDS = 8
_STIFFNESS = 2.0


class Equilibrium(NamedTuple):
    """Loads and prices that a market settles at.

    Attributes:
        loads: (2, B) work and impatience on each backend.
        slot_price: (B,) price of one slot, 0 where slots are left.
    """

    loads: Floats
    slot_price: Singles


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


def equilibrium(market: Market, rng: np.random.Generator) -> Equilibrium:
    """The loads and slot prices that maximise a market's welfare, up to the sample's noise.

    Slots enter as an augmented Lagrangian: a penalty on the jobs beyond them, and a price that learns.

    Args:
        market: All jobs.
        rng: Chooses the sample.
    """
    jobs, backends = market.value.shape
    scale = max(1.0, jobs / SAMPLE)
    if jobs > SAMPLE:
        market = market.sample(np.sort(rng.choice(jobs, SAMPLE, replace=False)))
    none = np.zeros(backends)
    penalty = _SlotPenalty(none, none, none)
    if market.slots is not None:
        slots = np.maximum(market.slots / scale, 1e-3)
        penalty = _SlotPenalty(none, _STIFFNESS / slots, slots)
    shares = _best_reply(market, np.zeros((2, backends)), none)
    for _ in range(1 if market.slots is None else _ROUNDS):
        shares = _settle(market, shares, penalty)
        penalty = penalty._replace(price=penalty.at(shares.jobs))
    return Equilibrium(shares.loads * scale, penalty.price.astype(np.float32))


def _settle(market: Market, shares: _Shares, penalty: _SlotPenalty) -> _Shares:
    """Frank-Wolfe until the gap to the tangent's bound is small."""
    for _ in range(_STEPS):
        reply = _best_reply(market, shares.loads, penalty.at(shares.jobs))
        gap = _slope(market, shares, reply, penalty, 0.0)
        if gap <= _TOLERANCE * abs(shares.value):
            break
        step = _step(market, shares, reply, penalty)
        shares = _mix(shares, reply, step)
    return shares


def _best_reply(market: Market, loads: Floats, slot_price: Floats) -> _Shares:
    """What the jobs add up to when each takes its best backend at the prices of ``loads``."""
    net = market.net(slice(None), loads) - slot_price.astype(np.float32)
    choice = net.argmax(axis=1).astype(np.int32)
    best = net[np.arange(len(net)), choice]
    choice[(best < 0) if market.slots is not None else ~np.isfinite(best)] = UNPLACED
    placed = np.flatnonzero(choice != UNPLACED)
    return _Shares(
        value=float(market.value[placed, choice[placed]].sum(dtype=np.float64)),
        loads=market.loads(choice),
        jobs=np.bincount(choice[placed], minlength=net.shape[1]).astype(np.float64),
    )


def _mix(one: _Shares, other: _Shares, share: float) -> _Shares:
    return _Shares(
        value=one.value + share * (other.value - one.value),
        loads=one.loads + share * (other.loads - one.loads),
        jobs=one.jobs + share * (other.jobs - one.jobs),
    )


def _slope(market: Market, shares: _Shares, reply: _Shares, penalty: _SlotPenalty, step: float) -> float:
    """How fast welfare grows on the way from ``shares`` to ``reply``, ``step`` of it done."""
    there = _mix(shares, reply, step)
    prices = np.array([market.work_unit, market.impatience_unit]) * there.loads
    paid = (prices * (reply.loads - shares.loads)).sum() + penalty.at(there.jobs) @ (reply.jobs - shares.jobs)
    return reply.value - shares.value - float(paid)


def _step(market: Market, shares: _Shares, reply: _Shares, penalty: _SlotPenalty) -> float:
    """The share of the way at which welfare is greatest; the slope is piecewise linear and falls."""
    low, high = 0.0, 1.0
    rising, falling = (_slope(market, shares, reply, penalty, end) for end in (low, high))
    if falling >= 0:
        return high
    for _ in range(1 if market.slots is None else 8):
        middle = low + (high - low) * rising / (rising - falling)
        slope = _slope(market, shares, reply, penalty, middle)
        if slope > 0:
            low, rising = middle, slope
        else:
            high, falling = middle, slope
    return middle
