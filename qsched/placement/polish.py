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
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int32]

_LEAST_GAIN = 1e-6
_PLACE_AT_ANY_PRICE = 1e3
MENDED = 512
"""Jobs whose choice can be mended in time when they congest each other."""

_JOBS_WITH_SLOTS = 20_000
_CHAINS = 4_000
_PAIRS = 500_000
"""Pairs of jobs that are looked at in all for ousting."""


def insert_each(market: Market, order: NDArray[np.intp]) -> Ints:
    """Each job in turn takes its best backend at the prices left by those before it.

    Args:
        market: Few jobs.
        order: (J,) the jobs' turns.

    Returns:
        (J,) columns within the slots.
    """
    jobs, backends = market.value.shape
    choice = np.full(jobs, UNPLACED, dtype=np.int32)
    alone = market.value - market.own(slice(None))
    per_work, per_impatience = np.zeros(backends, np.float32), np.zeros(backends, np.float32)
    loads = np.zeros((2, backends))
    free = None if market.slots is None else market.slots.astype(np.int64)
    for job in order:
        net = alone[job] - market.work_s[job] * per_work - market.impatience[job] * per_impatience
        if free is not None:
            net = np.where(free > 0, net, -np.inf)
        column = int(net.argmax())
        if not np.isfinite(net[column]):
            continue
        choice[job] = column
        loads[0, column] += market.work_s[job, column]
        loads[1, column] += market.impatience[job]
        per_work[column] = market.units.work[column] * loads[0, column]
        per_impatience[column] = market.units.impatience[column] * loads[1, column]
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
    small = len(choice) <= MENDED or (not market.congested and market.slots is not None)
    if not small or len(choice) > _JOBS_WITH_SLOTS:
        return choice
    seats = _Seats(market, choice)
    for _ in range(_CHAINS):
        if chain := _best_chain(seats.arcs, seats.least_gain):
            seats.move(chain)
        elif not (market.congested and seats.oust()):
            break
    return seats.choice


class _Seats:
    """Who sits where, and the best move between any two seats.

    The seats are the B backends, then OUTSIDE for jobs without a place, then FREE, which stands for a free
    slot: a chain that ends at a free slot goes on through FREE to where it began.
    """

    def __init__(self, market: Market, choice: Ints) -> None:
        self._market = market
        jobs, self._backends = market.value.shape
        self._outside, self._free = self._backends, self._backends + 1
        self._seat = np.where(choice == UNPLACED, self._outside, choice)
        self._loads = market.loads(choice)
        self._own = market.own(slice(None))
        self._outside_value = -_PLACE_AT_ANY_PRICE if market.congested else 0.0
        finite = market.value[np.isfinite(market.value)]
        self.least_gain = _LEAST_GAIN * max(1.0, float(finite.max(initial=0.0)))
        self._arrive = np.full((jobs, self._free), -np.inf, dtype=np.float32)
        self._arrive[:, : self._outside] = market.net(slice(None), self._loads) - self._own
        if market.slots is not None:
            self._arrive[:, self._outside] = self._outside_value
        self._stay = np.empty(jobs)
        size = self._backends + 2
        self.arcs = np.full((size, size), -np.inf)
        self.arcs[self._free, : self._free] = 0.0
        self._refresh(range(self._free))
        self._pairs_left = _PAIRS

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
        self._carry_out(movers)

    def oust(self) -> bool:
        """Let jobs take others' backends and those go elsewhere, where both together gain.

        A chain counts the newcomer's price as if the other were still there; here it is not. Of the pairs
        that gain, the best are carried out that do not touch the same backends. Every job is held against
        every other, so that this is done only as often as ``_PAIRS`` allows.

        Returns:
            Whether there was such a pair.
        """
        jobs = np.argsort(self._seat, kind="stable")[: np.count_nonzero(self._seat < self._outside)]
        if not len(jobs) or self._pairs_left <= 0:
            return False
        self._pairs_left -= len(jobs) ** 2
        seat, every = self._seat[jobs], np.arange(len(jobs))
        gains = self._gains(jobs)
        # (newcomer, ousted): what the newcomer gains once the ousted is gone from its seat.
        arrival = gains[:, seat]
        arrival += self._pairwise(jobs, seat)
        ends = np.cumsum(np.bincount(seat))
        for same in map(slice, [0, *ends], ends):
            arrival[same, same] = -np.inf
        elsewhere = np.where(self._open(), gains[:, : self._backends], -np.inf)
        elsewhere[every, seat] = -np.inf
        best = np.maximum(elsewhere.max(axis=1), arrival.T)
        best += arrival
        ousted = best.argmax(axis=1)
        worth = best[every, ousted]
        movers: list[tuple[int, int]] = []
        touched: set[int] = set()
        for newcomer in np.argsort(-worth)[: np.count_nonzero(worth > self.least_gain)]:
            other = ousted[newcomer]
            onward = int(elsewhere[other].argmax())
            swapped = arrival[other, newcomer] >= elsewhere[other, onward]
            target = int(seat[newcomer]) if swapped else onward
            seats = {int(seat[newcomer]), int(seat[other]), target}
            if touched.isdisjoint(seats):
                touched |= seats
                movers += [(int(jobs[newcomer]), int(seat[other])), (int(jobs[other]), target)]
        self._carry_out(movers)
        return bool(movers)

    def _pairwise(self, jobs: NDArray[np.intp], seat: Ints) -> Floats:
        """(G, G) what the job of the row and that of the column cost each other in the column's seat."""
        market = self._market
        work_s = market.work_s[jobs].astype(np.float64)
        impatience = market.impatience[jobs].astype(np.float64)
        cost = work_s[:, seat]
        cost *= work_s[np.arange(len(jobs)), seat] * market.units.work[seat]
        cost += impatience[:, None] * (impatience * market.units.impatience[seat])
        return cost

    def _open(self) -> NDArray[np.bool_]:
        """(B,) which backends have a free slot."""
        return np.isfinite(self.arcs[: self._backends, self._free])

    def _carry_out(self, movers: list[tuple[int, int]]) -> None:
        touched = {int(self._seat[job]) for job, _ in movers} | {target for _, target in movers}
        for job, target in movers:
            self._load(job, int(self._seat[job]), -1)
            self._seat[job] = target
            self._load(job, target, 1)
        self._refresh(touched)

    def _mover(self, source: int, target: int) -> int:
        guests = np.flatnonzero(self._seat == source)
        return int(guests[self._gains(guests)[:, target].argmax()])

    def _load(self, job: int, seat: int, sign: int) -> None:
        if seat != self._outside:
            self._loads[0, seat] += sign * float(self._market.work_s[job, seat])
            self._loads[1, seat] += sign * float(self._market.impatience[job])

    def _refresh(self, seats: Iterable[int]) -> None:
        """What has changed where jobs have moved: worths, and the best moves out and in."""
        for seat in seats:
            if self._market.congested and seat != self._outside:
                self._arrive[:, seat] = self._net(seat) - self._own[:, seat]
            guests = np.flatnonzero(self._seat == seat)
            self._stay[guests] = self._outside_value
            if seat != self._outside:
                # The load at its own seat has the job in it, at another it will have: half of it is its own.
                self._stay[guests] = self._arrive[guests, seat] + 2 * self._own[guests, seat]
        for seat in seats:
            if self._market.congested:  # its price moved
                best = np.full(self._free, -np.inf)
                np.maximum.at(best, self._seat, self._arrive[:, seat] - self._stay)
                self.arcs[: self._free, seat] = best
        for seat in seats:
            guests = np.flatnonzero(self._seat == seat)
            self.arcs[seat, : self._free] = self._gains(guests).max(axis=0, initial=-np.inf)
            self.arcs[seat, seat] = -np.inf
            self.arcs[seat, self._free] = 0.0 if self._has_room(seat, len(guests)) else -np.inf

    def _net(self, seat: int) -> Singles:
        """(J,) worth of a backend to each job after paying for congestion, as ``Market.net`` has it."""
        market = self._market
        per_work = np.float32(market.units.work[seat] * self._loads[0, seat])
        per_impatience = np.float32(market.units.impatience[seat] * self._loads[1, seat])
        net: Singles = market.value[:, seat] - market.work_s[:, seat] * per_work
        net -= market.impatience * per_impatience
        return net

    def _has_room(self, seat: int, guests: int) -> bool:
        slots = self._market.slots
        return seat == self._outside or slots is None or guests < int(slots[seat])

    def _gains(self, guests: NDArray[np.intp]) -> Floats:
        """(G, B + 1) what each guest gains by leaving its seat for each backend, and for OUTSIDE."""
        gains: Floats = self._arrive[guests] - self._stay[guests][:, None]
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
