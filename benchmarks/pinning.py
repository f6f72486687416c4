"""Policies that pin each job to a backend, from the same estimates as qsched's."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsched.api.job import Estimate

    Offers = Sequence[dict[str, Estimate]]
    Pin = Callable[[Offers, int], list[str]]


def best_fidelity(offers: Offers, _seed: int) -> list[str]:
    """First come, first served, each to the backend of the best estimated success."""
    return [max(each, key=lambda backend: each[backend].success) for each in offers]


def least_loaded(offers: Offers, _seed: int) -> list[str]:
    """First come, first served, each to the backend with the fewest seconds given out so far."""
    given_s: defaultdict[str, float] = defaultdict(float)
    chosen = []
    for each in offers:
        backend = min(each, key=lambda backend: given_s[backend])
        given_s[backend] += each[backend].run_s
        chosen.append(backend)
    return chosen


def round_robin(offers: Offers, _seed: int) -> list[str]:
    """The backends in turn; one that cannot run a job loses its turn."""
    turn = itertools.cycle(sorted({backend for each in offers for backend in each}))
    return [next(backend for backend in turn if backend in each) for each in offers]


def at_random(offers: Offers, seed: int) -> list[str]:
    """Any backend that can run the job."""
    choose = random.Random(seed)
    return [choose.choice(sorted(each)) for each in offers]


PINS: dict[str, Pin] = {
    "best_fidelity": best_fidelity,
    "least_loaded": least_loaded,
    "round_robin": round_robin,
    "random": at_random,
}
"""By name. Each takes what every backend offers a job (those that can run it), job by job, and a seed."""
