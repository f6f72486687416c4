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
    loads = np.zeros((2, backends))
    free = None if market.slots is None else market.slots.astype(np.int64)
    for job in order:
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
        self._carry_out(movers)

    def oust(self) -> bool:
        """Let one job take another's backend and that one go elsewhere, if both together gain.

        A chain counts the newcomer's price as if the other were still there; here it is not.

        Returns:
            Whether there was such a pair.
        """
        jobs = np.flatnonzero(self._seat < self._outside)
        seat = self._seat[jobs]
        if not len(jobs):
            return False
        gains = self._gains(jobs)
        # (newcomer, ousted): what the newcomer gains once the ousted is gone from its seat.
        arrival = gains[:, seat] + self._pairwise(jobs, seat)
        elsewhere = np.where(self._open(), gains[:, : self._backends], -np.inf)
        elsewhere[np.arange(len(jobs)), seat] = -np.inf
        onward = arrival + elsewhere.max(axis=1)
        swap = arrival + arrival.T
        same = seat[:, None] == seat
        onward[same] = swap[same] = -np.inf
        best = np.maximum(onward, swap)
        newcomer, ousted = divmod(int(best.argmax()), len(jobs))
        if best[newcomer, ousted] <= self.least_gain:
            return False
        back = swap[newcomer, ousted] >= onward[newcomer, ousted]
        target = int(seat[newcomer]) if back else int(elsewhere[ousted].argmax())
        self._carry_out([(int(jobs[newcomer]), int(seat[ousted])), (int(jobs[ousted]), target)])
        return True

    def _pairwise(self, jobs: NDArray[np.intp], seat: Ints) -> Floats:
        """(G, G) what the job of the row and that of the column cost each other in the column's seat."""
        market = self._market
        work_s = market.work_s[jobs][:, seat].astype(np.float64)
        impatience = market.impatience[jobs].astype(np.float64)
        cost = work_s * np.diagonal(work_s) * market.work_unit[seat]
        cost += impatience[:, None] * impatience * market.impatience_unit[seat]
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
        # Congestion moves the prices of the touched backends, hence every job's gains.
        self._refresh(range(self._free) if self._market.congested else touched)

    def _mover(self, source: int, target: int) -> int:
        guests = np.flatnonzero(self._seat == source)
        return int(guests[self._gains(guests)[:, target].argmax()])

    def _load(self, job: int, seat: int, sign: int) -> None:
        if seat != self._outside:
            self._loads[0, seat] += sign * float(self._market.work_s[job, seat])
            self._loads[1, seat] += sign * float(self._market.impatience[job])

    def _refresh(self, seats: Iterable[int]) -> None:
        """The best moves out of some seats, and which of them have a free slot."""
        for seat in seats:
            guests = np.flatnonzero(self._seat == seat)
            self.arcs[seat, : self._free] = self._gains(guests).max(axis=0, initial=-np.inf)
            self.arcs[seat, seat] = -np.inf
            self.arcs[seat, self._free] = 0.0 if self._has_room(seat, len(guests)) else -np.inf

    def _has_room(self, seat: int, guests: int) -> bool:
        slots = self._market.slots
        return seat == self._outside or slots is None or guests < int(slots[seat])

    def _gains(self, guests: NDArray[np.intp]) -> Floats:
        """(G, B + 1) what each guest gains by leaving its seat for each backend, and for OUTSIDE."""
        rows = guests.astype(np.int32)
        stay = np.full((len(rows), self._free), self._outside_value)
        go = stay.copy()
        net, own = self._market.net(rows, self._loads), self._market.own(rows)
        # The load at its own seat has the job in it, at another it will have: half of it is its own.
        stay[:, : self._outside], go[:, : self._outside] = net + own, net - own
        if self._market.slots is None:
            go[:, self._outside] = -np.inf
        go -= stay[np.arange(len(rows)), self._seat[guests]][:, None]
        return go


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
