"""Mending a choice by chains of moves: the exact method for few jobs, the last step for slots.

A move takes a job from one backend to another; a chain of moves ends where it began, or at a free slot. In
the graph whose nodes are backends and whose arcs are the best single moves, a chain that raises the welfare
is a cycle of positive length. Without congestion a choice with no such cycle is optimal (it is a
minimum-cost flow). With congestion the length of a chain is a lower bound of what it gains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.placement.market import UNPLACED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from qsched.placement.market import Market

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

_LEAST_GAIN = 1e-6
_PLACE_AT_ANY_PRICE = 1e3
_JOBS = 512
_JOBS_WITH_SLOTS = 20_000
_CHAINS = 4_000


def insert_each(market: Market) -> Ints:
    """Each job in turn, the most valuable first, takes its best backend at the prices left by the others.

    Args:
        market: Few jobs.

    Returns:
        (J,) columns within the slots.
    """
    jobs, backends = market.value.shape
    choice = np.full(jobs, UNPLACED, dtype=np.int32)
    loads = np.zeros((2, backends))
    free = None if market.slots is None else market.slots.astype(np.int64)
    for job in np.argsort(-market.value.max(axis=1), kind="stable"):
        row = np.array([job], dtype=np.int32)
        net = (market.net(row, loads) - market.own(row))[0]
        if free is not None:
            net = np.where(free > 0, net, -np.inf)
        column = int(net.argmax())
        if not np.isfinite(net[column]):
            continue
        choice[job] = column
        loads[0, column] += market.work_s[job, column]
        loads[1, column] += market.impatience[job]
        if free is not None:
            free[column] -= 1
    return choice


def polish(market: Market, choice: Ints) -> Ints:
    """A choice without a chain of moves that raises the welfare, as far as the effort is bounded.

    Args:
        market: The market; one with more jobs than can be mended in time is left as it is.
        choice: (J,) columns within the slots.

    Returns:
        (J,) columns within the slots, worth at least as much.
    """
    small = len(choice) <= _JOBS or (not market.congested and market.slots is not None)
    if not small or len(choice) > _JOBS_WITH_SLOTS:
        return choice
    seats = _Seats(market, choice)
    for _ in range(_CHAINS):
        chain = _best_chain(seats.arcs, seats.least_gain)
        if not chain:
            break
        seats.move(chain)
    return seats.choice


class _Seats:
    """Who sits where, and the best move between any two seats.

    The seats are the B backends, then OUTSIDE for jobs without a place, then FREE, which stands for a free
    slot: a chain that ends at a free slot goes on through FREE to where it began.
    """

    def __init__(self, market: Market, choice: Ints) -> None:
        self._market = market
        self._backends = market.value.shape[1]
        self._outside, self._free = self._backends, self._backends + 1
        self._seat = np.where(choice == UNPLACED, self._outside, choice)
        self._loads = market.loads(choice)
        self._outside_value = -_PLACE_AT_ANY_PRICE if market.congested else 0.0
        finite = market.value[np.isfinite(market.value)]
        self.least_gain = _LEAST_GAIN * max(1.0, float(finite.max(initial=0.0)))
        size = self._backends + 2
        self.arcs = np.full((size, size), -np.inf)
        self.arcs[self._free, : self._free] = 0.0
        self._refresh(range(self._free))

    @property
    def choice(self) -> Ints:
        """(J,) columns."""
        return np.where(self._seat == self._outside, UNPLACED, self._seat).astype(np.int32)

    def move(self, chain: list[int]) -> None:
        """Carry out a chain of seats, each job to the next seat and the last one to the first."""
        steps = list(zip(chain, [*chain[1:], chain[0]], strict=True))
        movers = [
            (self._mover(source, target), target)
            for source, target in steps
            if self._free not in (source, target)
        ]
        for job, target in movers:
            self._load(job, int(self._seat[job]), -1)
            self._seat[job] = target
            self._load(job, target, 1)
        # Congestion moves the prices of the touched backends, hence every job's gains.
        self._refresh(range(self._free) if self._market.congested else [s for s in chain if s != self._free])

    def _mover(self, source: int, target: int) -> int:
        guests = np.flatnonzero(self._seat == source)
        return int(guests[self._gains(guests, source)[:, target].argmax()])

    def _load(self, job: int, seat: int, sign: int) -> None:
        if seat != self._outside:
            self._loads[0, seat] += sign * float(self._market.work_s[job, seat])
            self._loads[1, seat] += sign * float(self._market.impatience[job])

    def _refresh(self, seats: Iterable[int]) -> None:
        """The best moves out of some seats, and which of them have a free slot."""
        for seat in seats:
            guests = np.flatnonzero(self._seat == seat)
            self.arcs[seat, : self._free] = self._gains(guests, seat).max(axis=0, initial=-np.inf)
            self.arcs[seat, seat] = -np.inf
            self.arcs[seat, self._free] = 0.0 if self._has_room(seat, len(guests)) else -np.inf

    def _has_room(self, seat: int, guests: int) -> bool:
        slots = self._market.slots
        return seat == self._outside or slots is None or guests < int(slots[seat])

    def _gains(self, guests: NDArray[np.intp], seat: int) -> Floats:
        """(G, B + 1) what each guest of a seat gains by a move to each backend, and to OUTSIDE."""
        rows = guests.astype(np.int32)
        gains = np.full((len(rows), self._free), self._outside_value)
        net, own = self._market.net(rows, self._loads), self._market.own(rows)
        gains[:, : self._backends] = net - own
        if seat == self._outside:
            return gains - self._outside_value
        if self._market.slots is None:
            gains[:, self._outside] = -np.inf
        gains -= (net + own)[:, seat, None]
        return gains


def _best_chain(arcs: Floats, least_gain: float) -> list[int]:
    """A cycle of positive length: the best pair of arcs if one gains, else any (Bellman-Ford); or nothing."""
    backwards = arcs[:, -1][None, :] + arcs[-1][:, None]  # by way of a free slot at the target
    pairs = arcs + np.maximum(arcs.T, backwards)
    source, target = divmod(int(pairs.argmax()), len(arcs))
    if pairs[source, target] > least_gain:
        through_free = backwards[source, target] > arcs[target, source]
        return [source, target, len(arcs) - 1] if through_free else [source, target]
    return _positive_cycle(arcs, least_gain)


def _positive_cycle(arcs: Floats, least_gain: float) -> list[int]:
    size = len(arcs)
    length, parent = np.zeros(size), np.full(size, -1)
    for _ in range(size):
        through = length[:, None] + arcs
        best = through.argmax(axis=0)
        reached = through[best, np.arange(size)]
        longer = reached > length + least_gain
        if not longer.any():
            return []
        length = np.where(longer, reached, length)
        parent = np.where(longer, best, parent)
        if cycle := _cycle_of(parent.tolist()):
            return cycle
    return []


def _cycle_of(parent: list[int]) -> list[int]:
    """A cycle among the parents, in the direction of travel; empty if there is none."""
    seen = [-1] * len(parent)
    for start in range(len(parent)):
        node = start
        while node != -1 and seen[node] == -1:
            seen[node] = start
            node = parent[node]
        if node != -1 and seen[node] == start:
            cycle = [node]
            while parent[cycle[-1]] != node:
                cycle.append(parent[cycle[-1]])
            return cycle[::-1]
    return []
