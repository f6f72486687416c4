"""Vectorised passes over all jobs: each takes its best backend at prices that are corrected as they go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from qsched.placement.equilibrium import SAMPLE
from qsched.placement.market import UNPLACED
from qsched.scoring.threads import in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.placement.equilibrium import Equilibrium
    from qsched.placement.market import Market
    from qsched.placement.source import Source

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

_PASSES = 6


def take_turns(
    source: Source, settled: Equilibrium, rng: np.random.Generator, *, threads: int = 1
) -> tuple[Ints, Floats]:
    """Every job takes its best backend once, while prices are corrected from chunk to chunk.

    Args:
        source: All jobs.
        settled: Where the prices start.
        rng: Shuffles the blocks, so that jobs that came in some order do not mislead the prices.
        threads: How many blocks are worked on at the same time; the answer does not depend on it.

    Returns:
        (J,) columns, more than the slots may hold, and (2, B) their loads.
    """
    jobs, blocks = len(source), source.blocks()
    choice = np.full(jobs, UNPLACED, dtype=np.int32)
    loads, seen = np.zeros_like(settled.loads), 0
    order = [blocks[index] for index in rng.permutation(len(blocks)).tolist()]
    per_chunk = source.together
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(order), per_chunk):
            chunk = order[start : start + per_chunk]
            expected = settled.loads
            if jobs > SAMPLE:  # the sample's error is corrected on the way
                expected = loads + settled.loads * (1 - seen / jobs)

            def take(rows: slice, expected: Floats = expected) -> Floats:
                choice[rows], taken = source.choose(rows, expected, settled.slot_price)
                return taken

            loads += sum(in_threads(take, chunk, threads, pool))
            seen += sum(rows.stop - rows.start for rows in chunk)
    return choice, loads


def reconsider(
    market: Market, choice: Ints, prices: Equilibrium, rng: np.random.Generator, *, passes: int = _PASSES
) -> Ints:
    """Block by block, jobs reconsider at the prices of the day.

    Of the jobs of a block that would move, only so many do as make the welfare greatest (a Frank-Wolfe
    step on the block, rounded by lot), so that a crowd does not rush from one backend to the next.

    Args:
        market: All jobs.
        choice: (J,) columns.
        prices: The loads of ``choice``, and the prices of slots.
        rng: Draws the lots.
        passes: How often all jobs reconsider.

    Returns:
        (J,) columns, worth at least as much.
    """
    choice, loads = choice.copy(), prices.loads
    for _ in range(passes):
        for rows in market.blocks():
            loads = _reconsider(market.block(rows), choice[rows], prices._replace(loads=loads), rng)
    return choice


def _reconsider(block: Market, choice: Ints, prices: Equilibrium, rng: np.random.Generator) -> Floats:
    """Let some jobs of a block move, in ``choice`` itself; the loads after it."""
    new = block.best(prices.loads, prices.slot_price)
    movers = np.flatnonzero(choice != new).astype(np.int32)
    old, new = choice[movers], new[movers]
    change = block.loads(new, movers) - block.loads(old, movers)
    gain = block.value[movers, new] - block.value[movers, old]
    gain -= prices.slot_price[new] - prices.slot_price[old]
    units = np.array(block.units)
    slope = gain.sum(dtype=np.float64) - (units * prices.loads * change).sum()
    curvature = (units * change**2).sum()
    share = 1.0 if slope >= curvature else slope / curvature
    lucky = rng.random(movers.size) < share
    movers, old, new = movers[lucky], old[lucky], new[lucky]
    change = block.loads(new, movers) - block.loads(old, movers)
    growth = gain[lucky].sum(dtype=np.float64) - (units * change * (prices.loads + change / 2)).sum()
    if growth <= 0:
        return prices.loads
    choice[movers] = new
    return prices.loads + change


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
