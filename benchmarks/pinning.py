"""The simple rules, where jobs are pinned to backends by name instead of placed in a simulation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.policies.rules import RuleMaker
    from qsched.api.job import Estimate

    Offers = Sequence[dict[str, Estimate]]
    Pin = Callable[[Offers, int], list[str]]


class _Offered(NamedTuple):
    """What the rules look at; see ``benchmarks.policies.rules.Seen``. Nothing waits anywhere."""

    feasible: NDArray[np.bool_]
    success: NDArray[np.float32]
    run_s: NDArray[np.float32]
    queue_s: NDArray[np.float64]
    rng: np.random.Generator


def _pin(make: RuleMaker, offers: Offers, seed: int) -> list[str]:
    """The backends that a rule chooses."""
    names = sorted({name for each in offers for name in each})
    columns = {name: column for column, name in enumerate(names)}
    shape = len(offers), len(names)
    feasible = np.zeros(shape, dtype=bool)
    success, run_s = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for row, each in enumerate(offers):
        for name, estimate in each.items():
            at = row, columns[name]
            feasible[at], success[at], run_s[at] = True, estimate.success, estimate.run_s
    seen = _Offered(feasible, success, run_s, np.zeros(len(names)), np.random.default_rng(seed))
    return [names[column] for column in make()(seen).tolist()]


PINS: dict[str, Pin] = {name.replace("-", "_"): partial(_pin, make) for name, make in RULES.items()}
"""By name. Each takes what every backend offers a job (those that can run it), job by job, and a seed."""
