"""The choice of a backend for every pending job of a cycle, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.placement.equilibrium import Equilibrium, equilibrium
from qsched.placement.market import UNPLACED, Market, open_market
from qsched.placement.order import mend_in_order
from qsched.placement.passes import fill_slots, reconsider, take_turns
from qsched.placement.polish import MENDED, insert_each, polish
from qsched.placement.source import Stream
from qsched.scoring.threads import THREADS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.placement.source import Source
    from qsched.scoring.jobs import JobColumns

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

HYSTERESIS = 0.01
"""A job that has a place moves only for a gain above this much score.

Simulated on fleets of 4 to 64 devices at loads .3 to 1.2: .05 makes jobs wait 6 % longer for the same
success, and without any a job moves once on average; at .01 one in eight moves.
"""

_FEW = 64
_WHOLE = 16_384  # jobs whose matrix is kept, so that they can reconsider


def place(
    offers: Singles,
    work_s: Singles,
    *,
    impatience: Singles | None = None,
    urgency: Floats | None = None,
    servers: Ints | None = None,
    slots: Ints | None = None,
    current: Ints | None = None,
    hysteresis: float = HYSTERESIS,
    in_order: bool = False,
    seed: int = 0,
) -> Ints:
    """A backend for every job: the greatest sum of scores less the waiting that they cause each other.

    Args:
        offers: (J, B) scores; minus infinity where the job may not run (``Estimates.offers``).
        work_s: (J, B) seconds on the device (``Estimates.run_s``).
        impatience: (J,) score that a job loses for each second of waiting (``impatience_of``); None when
            waiting costs nothing.
        urgency: (J,) multipliers of the utilities; 1 by default.
        servers: (B,) tasks that a backend runs at the same time; 1 by default.
        slots: (B,) how many jobs a backend may get in all; None without limit.
        current: (J,) columns where jobs are placed already, -1 for those without a place.
        hysteresis: Gain in score that a job with a place must have to leave it.
        in_order: Whether backends serve the jobs in the order of the rows. Few jobs are then placed by who
            waits for whom, not by what each waits on average over all orders.
        seed: Makes the choice repeatable.

    Returns:
        (J,) columns; -1 for a job that may run nowhere, or that no slot was left for.
    """
    jobs, backends = offers.shape
    if not jobs or not backends:
        return np.full(jobs, UNPLACED, dtype=np.int32)
    if urgency is not None:
        offers = (offers * urgency[:, None]).astype(np.float32)
        impatience = None if impatience is None else (impatience * urgency).astype(np.float32)
    if current is not None:
        offers = _favour(offers, current, hysteresis, urgency)
    market = open_market(offers, work_s, impatience=impatience, servers=servers, slots=slots)
    choice = solve(market, seed=seed)
    if not in_order or impatience is None or slots is not None or jobs > MENDED:
        return choice
    servers = np.ones(backends, dtype=np.int32) if servers is None else servers
    return mend_in_order(offers, work_s, impatience, servers, choice)


def place_jobs(
    jobs: JobColumns,
    fleet: Fleet,
    *,
    urgency: Floats | None = None,
    servers: Ints | None = None,
    seed: int = 0,
    threads: int = THREADS,
) -> Ints:
    """Score and place any number of jobs in bounded memory; see ``place``.

    Args:
        jobs: J jobs whose times count from the fleet's ``now``.
        fleet: B backends.
        urgency: (J,) multipliers of the utilities; 1 by default.
        servers: (B,) tasks that a backend runs at the same time; those of the fleet by default.
        seed: Makes the choice repeatable.
        threads: How many blocks are scored and placed at the same time; the choice does not depend on it.

    Returns:
        (J,) columns; -1 for a job that may run nowhere.
    """
    if not len(jobs) or not len(fleet):
        return np.full(len(jobs), UNPLACED, dtype=np.int32)
    source = open_jobs(jobs, fleet, urgency=urgency, servers=servers, seed=seed)
    return solve(source, seed=seed, threads=threads)


def open_jobs(
    jobs: JobColumns,
    fleet: Fleet,
    *,
    urgency: Floats | None = None,
    servers: Ints | None = None,
    seed: int = 0,
) -> Source:
    """The market of jobs and a fleet: a matrix while it is small, else a stream; see ``place_jobs``."""
    impatience = impatience_of(jobs.weights, jobs.tau_s)
    servers = fleet.servers if servers is None else servers
    stream = Stream(jobs, fleet, impatience=impatience, servers=servers, urgency=urgency, seed=seed)
    return stream.whole() if len(jobs) <= _WHOLE else stream


def solve(source: Source, *, seed: int, threads: int = 1) -> Ints:
    """A choice that nearly maximises a market's welfare.

    Few jobs are inserted one after the other. For many, prices are found on a sample, and every job takes
    its best backend at these prices while they are corrected. Where the whole matrix is at hand, jobs then
    reconsider, or, if they are not too many, chains of moves mend what is left; of a stream, the jobs of
    the sample reconsider.

    Args:
        source: All jobs.
        seed: Makes the choice repeatable.
        threads: How many blocks are worked on at the same time; the choice does not depend on it.

    Returns:
        (J,) columns; -1 for a job that may run nowhere, or that no slot was left for.
    """
    if isinstance(source, Market) and len(source) <= _FEW:
        return _solve_few(source)
    rng = np.random.default_rng(seed)
    settled = equilibrium(source, rng)
    choice, loads = take_turns(source, settled, rng, threads=threads)
    if not isinstance(source, Market):
        return _mend_sample(source, choice, settled._replace(loads=loads), rng)
    if source.congested and len(source) > MENDED:
        choice = reconsider(source, choice, settled._replace(loads=loads), rng)
    if source.slots is not None:
        choice = fill_slots(source, choice, settled)
    return polish(source, choice)


def _mend_sample(source: Source, choice: Ints, prices: Equilibrium, rng: np.random.Generator) -> Ints:
    """The jobs of the sample reconsider; the biggest are among them, so they can make up for the others."""
    rows = prices.sample
    market = source.sample(rows, np.ones(len(rows)))
    choice[rows] = reconsider(market, choice[rows], prices, rng)
    return choice


def _solve_few(market: Market) -> Ints:
    """Jobs inserted largest first, then smallest first.

    Two starts, because with congestion a choice that no chain mends need not be the best.
    """
    largest_last = np.argsort(market.work_s.mean(axis=1), kind="stable")
    starts = [largest_last[::-1], largest_last] if market.congested else [largest_last]
    return max((polish(market, insert_each(market, order)) for order in starts), key=market.welfare)


def impatience_of(weights: Singles, tau_s: Singles) -> Singles:
    """Score that a job loses for each second of waiting: the slope of its wait utility at no wait.

    The slope is kept for longer waits too: a job does not cease to care because its queue is hopeless,
    and the jobs behind it in a long queue lose more, not less.

    Args:
        weights: (J, 4) weights of fidelity, wait, coherence and cost.
        tau_s: (J,) scale of the wait utility in seconds.
    """
    return weights[:, 1] / tau_s


def _favour(offers: Singles, current: Ints, hysteresis: float, urgency: Floats | None) -> Singles:
    """Offers with the bonus of staying; it grows with urgency, so that urgent jobs do not flap either."""
    offers = offers.copy()
    placed = np.flatnonzero(current != UNPLACED)
    bonus = np.full(len(offers), hysteresis) if urgency is None else hysteresis * urgency
    offers[placed, current[placed]] += bonus[placed].astype(np.float32)
    return offers
