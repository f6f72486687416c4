"""Where the pass over all jobs reads from: a matrix, or a scorer that makes each block when it is asked for.

A million jobs on 64 backends are 64 million pairs. They are never held: a block is scored, every job of it
takes its best backend, and the block is forgotten.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from qsched.placement.market import UNPLACED, Market, Units, market_at, take_best, typical_units
from qsched.scoring.scorer import NOT_SUNK, Scorer
from qsched.scoring.tiles import multiply, tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

_BLOCKS = 64
"""Into how many blocks a queue is cut at least, if they do not get too small."""

_FEWEST, _MOST = 1024, 16_384
"""Jobs of a block."""

_TYPICAL = 8_192
"""Jobs that the typical mix on a backend is taken from."""


class Source(Protocol):
    """J jobs on B backends, read block by block."""

    @property
    def units(self) -> Units:
        """What congestion costs."""
        ...

    @property
    def slots(self) -> Ints | None:
        """(B,) how many jobs each backend may get; None without limit."""
        ...

    @property
    def backends(self) -> int:
        """B."""
        ...

    def __len__(self) -> int:
        """J."""
        ...

    def blocks(self) -> Sequence[slice]:
        """The rows of each block, in order."""
        ...

    @property
    def together(self) -> int:
        """How many blocks choose at the same prices; it does not depend on the number of threads."""
        ...

    def block(self, rows: slice) -> Market:
        """The jobs of a block; prices stay those of all. Safe to call from several threads."""
        ...

    def choose(self, rows: slice, loads: Floats, slot_price: Singles) -> tuple[Ints, Floats]:
        """Every job of a block takes its best backend. Safe to call from several threads.

        Args:
            rows: One of ``blocks()``.
            loads: (2, B) work and impatience that prices are made from.
            slot_price: (B,) price of one slot.

        Returns:
            (R,) columns, and the (2, B) loads that they make.
        """
        ...

    def sizes(self) -> tuple[Singles, Singles]:
        """(J,) seconds of work on a typical backend, roughly, and (J,) impatience."""
        ...

    def sample(self, rows: Ints, stands_for: Floats) -> Market:
        """Some of the jobs; each is made as big as the (R,) jobs that it stands for, itself included."""
        ...


class Stream:
    """Jobs and a fleet as a ``Source`` that scores each block anew; there are no slots."""

    slots = None
    together = 4

    def __init__(
        self,
        jobs: JobColumns,
        fleet: Fleet,
        *,
        impatience: Singles,
        servers: Ints,
        urgency: Floats | None,
        seed: int,
    ) -> None:
        """Find out what congestion costs, from some of the jobs.

        Args:
            jobs: J jobs whose times count from the fleet's ``now``.
            fleet: B backends.
            impatience: (J,) score that a job loses for each second of waiting.
            servers: (B,) tasks that run at the same time.
            urgency: (J,) multipliers of the utilities; 1 by default.
            seed: Chooses the jobs that are looked at.
        """
        if urgency is not None:  # what multiplies all utilities multiplies the weights
            single = urgency.astype(np.float32)
            jobs = dataclasses.replace(jobs, weights=jobs.weights * single[:, None])
            impatience = impatience * single
        self._jobs, self._fleet, self._impatience = jobs, fleet, impatience
        self._scorer = Scorer(jobs, fleet)
        self._sizes = _typical_s(jobs, fleet), self._impatience
        drawn = draw(self.sizes(), np.random.default_rng(seed), _TYPICAL)
        offers, work_s, impatience = self._read(drawn.rows)
        each = drawn.stands_for.astype(np.float32)
        self.units = typical_units(offers, work_s * each[:, None], impatience * each, servers)

    @property
    def backends(self) -> int:
        """B."""
        return len(self._fleet)

    def __len__(self) -> int:
        return len(self._jobs)

    def blocks(self) -> Sequence[slice]:
        """See ``Source``."""
        jobs = len(self)
        size = min(max(jobs // _BLOCKS, _FEWEST), _MOST)
        return [slice(start, min(start + size, jobs)) for start in range(0, jobs, size)]

    def block(self, rows: slice) -> Market:
        """See ``Source``."""
        offers, work_s = self._scorer.offers(rows)
        return market_at(self.units, offers, work_s, self._impatience[rows])

    def choose(self, rows: slice, loads: Floats, slot_price: Singles) -> tuple[Ints, Floats]:  # noqa: ARG002
        """See ``Source``. The blocks are worked on where they were scored, and not copied."""
        run_s = self._scorer.run_s
        own_work, own_impatience = np.array(self.units) / 2
        per_work, per_impatience = np.array(self.units) * loads
        # What a job loses for its own part of the work is one more factor of its seconds.
        half = run_s * own_work.astype(np.float32)
        paid = np.empty((len(run_s), run_s.shape[1] + 2, self.backends), dtype=np.float32)
        paid[:, :-2] = -run_s * per_work.astype(np.float32)
        paid[:, -2], paid[:, -1] = own_impatience, -per_impatience
        chosen, taken = np.full(rows.stop - rows.start, UNPLACED, dtype=np.int32), np.zeros_like(loads)
        for several in tiles(self._jobs, rows):
            for part in self._scorer.scored(several):
                net, spare = part.buffers.score, part.buffers.spare
                impatience = self._impatience[part.rows]
                net += np.multiply(
                    multiply(part.given.run_s, half, part.tables, spare), part.buffers.run_s, out=spare
                )
                spent = np.concatenate([part.given.run_s.T, [np.square(impatience), impatience]]).T
                net += multiply(spent, paid, part.tables, spare)
                columns = take_best(net, NOT_SUNK)
                placed = np.flatnonzero(part.real & (columns != UNPLACED))
                chosen[part.rows[placed] - rows.start] = columns = columns[placed]
                work_s = part.buffers.run_s.reshape(-1).take(placed * self.backends + columns)
                taken[0] += np.bincount(columns, weights=work_s, minlength=self.backends)
                taken[1] += np.bincount(columns, weights=impatience[placed], minlength=self.backends)
        return chosen, taken

    def sizes(self) -> tuple[Singles, Singles]:
        """See ``Source``; with the fleet's median times."""
        return self._sizes

    def sample(self, rows: Ints, stands_for: Floats) -> Market:
        """See ``Source``."""
        return market_at(self.units, *self._read(rows)).times(stands_for)

    def whole(self) -> Market:
        """All jobs at once, for few."""
        return market_at(self.units, *self._read(np.arange(len(self), dtype=np.int32)))

    def _read(self, rows: Ints) -> tuple[Singles, Singles, Singles]:
        """(R, B) offers, (R, B) seconds and (R,) impatience of any jobs."""
        scorer = Scorer(self._jobs.take(rows), self._fleet)
        blocks = [scorer.offers(each) for each in scorer.blocks()]
        offers, work_s = (np.concatenate(each) for each in zip(*blocks, strict=True))
        return offers, work_s, self._impatience[rows]


def _typical_s(jobs: JobColumns, fleet: Fleet) -> Singles:
    """(J,) seconds on a device with the fleet's median times."""
    median = [np.median(each).astype(np.float32) for each in (fleet.d1_s, fleet.d2_s, fleet.dm_s)]
    path_s: Singles = jobs.path[:, :3] @ np.array(median) + np.float32(np.median(fleet.reset_s))
    path_s *= jobs.shots * jobs.circuits
    path_s += np.float32(np.median(fleet.overhead_s))
    return path_s


class Drawn(NamedTuple):
    """A sample of jobs.

    Attributes:
        rows: (R,) which jobs, in order.
        stands_for: (R,) how many jobs each stands for, so that sums over the sample are right on average.
    """

    rows: Ints
    stands_for: Floats


def draw(sizes: tuple[Singles, Singles], rng: np.random.Generator, count: int) -> Drawn:
    """About ``count`` of the jobs, or all; big and impatient ones are drawn more often, and stand for fewer.

    Work has heavy tails: a few jobs may be half of it, and a sample without them would misjudge the loads.
    A third of the chances goes to all jobs alike, a third to work and a third to impatience (systematic
    sampling with unequal probabilities).

    Args:
        sizes: (J,) work and (J,) impatience of the jobs.
        rng: Chooses.
        count: How many.
    """
    jobs = len(sizes[0])
    if jobs <= count:
        return Drawn(np.arange(jobs, dtype=np.int32), np.ones(jobs))
    chance = np.full(jobs, 1 / jobs)
    for size in sizes:
        if (total := size.sum(dtype=np.float64)) > 0:
            chance += size / total
    chance *= count / chance.sum()
    np.minimum(chance, 1, out=chance)
    ends, first = np.cumsum(chance), 1 - rng.random()
    rows = np.searchsorted(ends, np.arange(first, ends[-1])).astype(np.int32)
    return Drawn(rows, 1 / chance[rows])


def bound(source: Source, loads: Floats) -> float:
    """A welfare that no choice exceeds, from the prices at some loads; slots are not looked at.

    Welfare is concave in the shares of the jobs, so it lies below its tangent everywhere. The bound is
    tightest at the loads of the optimum.
    """
    total = source.units.cost(loads)
    for rows in source.blocks():
        best = source.block(rows).net(slice(None), loads).max(axis=1)
        total += float(best[np.isfinite(best)].sum(dtype=np.float64))
    return total
