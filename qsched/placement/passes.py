"""Vectorised passes over all jobs: each takes its best backend at prices that are corrected as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.placement.equilibrium import SAMPLE
from qsched.placement.market import UNPLACED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.placement.equilibrium import Equilibrium
    from qsched.placement.market import Market

    Ints = NDArray[np.int32]

_CHUNK = 8192
_CHUNKS_AT_LEAST = 16
_PASSES = 6


def take_turns(market: Market, settled: Equilibrium, rng: np.random.Generator) -> Ints:
    """Every job takes its best backend; then, chunk by chunk, jobs reconsider at the prices of the day.

    Of the jobs of a chunk that would move, only so many do as make the welfare greatest (a Frank-Wolfe
    step on the chunk, rounded by lot), so that a crowd does not rush from one backend to the next.

    Args:
        market: All jobs.
        settled: Where the prices start.
        rng: Draws the lots.

    Returns:
        (J,) columns; more than the slots may hold.
    """
    jobs = len(market.value)
    size = min(_CHUNK, max(1, -(-jobs // _CHUNKS_AT_LEAST)))
    chunks = [slice(start, min(start + size, jobs)) for start in range(0, jobs, size)]
    choice = np.full(jobs, UNPLACED, dtype=np.int32)
    loads = np.zeros_like(settled.loads)
    for rows in chunks:
        expected = settled.loads
        if jobs > SAMPLE:  # the sample's error is corrected on the way
            expected = loads + settled.loads * (1 - rows.start / jobs)
        choice[rows] = _best(market, rows, settled._replace(loads=expected))
        loads += market.loads(choice[rows], rows)
    if not market.congested:
        return choice
    prices = settled._replace(loads=loads)
    for _ in range(_PASSES):
        for rows in chunks:
            prices = _reconsider(market, rows, choice, prices, rng)
    return choice


def _best(market: Market, rows: slice, prices: Equilibrium) -> Ints:
    net = market.net(rows, prices.loads) - prices.slot_price
    choice: Ints = net.argmax(axis=1).astype(np.int32)
    best = net[np.arange(len(net)), choice]
    choice[~np.isfinite(best)] = UNPLACED
    return choice


def _reconsider(
    market: Market, rows: slice, choice: Ints, prices: Equilibrium, rng: np.random.Generator
) -> Equilibrium:
    """Let some jobs of a chunk move, in ``choice`` itself; the loads and prices after it."""
    new = _best(market, rows, prices)
    movers = (np.flatnonzero(choice[rows] != new) + rows.start).astype(np.int32)
    old, new = choice[movers], new[movers - rows.start]
    change = market.loads(new, movers) - market.loads(old, movers)
    gain = market.value[movers, new] - market.value[movers, old]
    gain -= prices.slot_price[new] - prices.slot_price[old]
    units = np.array([market.work_unit, market.impatience_unit])
    slope, curvature = (
        gain.sum(dtype=np.float64) - (units * prices.loads * change).sum(),
        (units * change**2).sum(),
    )
    share = 1.0 if slope >= curvature else slope / curvature
    lucky = rng.random(movers.size) < share
    change = market.loads(new[lucky], movers[lucky]) - market.loads(old[lucky], movers[lucky])
    growth = gain[lucky].sum(dtype=np.float64) - (units * change * (prices.loads + change / 2)).sum()
    if growth <= 0:
        return prices
    choice[movers[lucky]] = new[lucky]
    return prices._replace(loads=prices.loads + change)


def fill_slots(market: Market, choice: Ints, settled: Equilibrium) -> Ints:
    """A choice within the slots: the jobs with least to lose leave full backends, and find other places.

    Args:
        market: All jobs.
        choice: (J,) columns, perhaps more than the slots hold.
        settled: The prices.

    Returns:
        (J,) columns within the slots.
    """
    assert market.slots is not None
    choice = choice.copy()
    backends = market.value.shape[1]
    seats = np.where(choice == UNPLACED, np.int32(backends), choice)
    free = market.slots - np.bincount(seats, minlength=backends + 1)[:backends]
    waiting = np.flatnonzero(choice == UNPLACED)
    for column in np.flatnonzero(free < 0):
        guests = np.flatnonzero(choice == column)
        net = market.net(guests.astype(np.int32), settled.loads) - settled.slot_price
        here = net[:, column].copy()
        net[:, column] = -np.inf
        loss = here - np.maximum(net.max(axis=1), 0)
        leaving = guests[np.argsort(loss, kind="stable")[: -free[column]]]
        choice[leaving] = UNPLACED
        waiting = np.concatenate([waiting, leaving])
        free[column] = 0
    while waiting.size and (free > 0).any():
        net = market.net(waiting.astype(np.int32), settled.loads) - settled.slot_price
        net[:, free <= 0] = -np.inf
        wish = net.argmax(axis=1)
        gain = net[np.arange(len(net)), wish]
        able = np.isfinite(gain)
        waiting, wish, gain = waiting[able], wish[able], gain[able]
        order = np.lexsort((-gain, wish))
        waiting, wish = waiting[order], wish[order]
        rank = np.arange(len(wish)) - np.searchsorted(wish, wish)
        seated = rank < free[wish]
        choice[waiting[seated]] = wish[seated]
        free -= np.bincount(wish[seated], minlength=backends)
        waiting = waiting[~seated]
    return choice
