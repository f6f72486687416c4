"""Rules of thumb: each takes the jobs as they come, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from benchmarks.simulation.view import WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.simulation.view import View

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int32]
    RuleMaker: TypeAlias = Callable[[], Callable[["Seen"], Ints]]


class Seen(Protocol):
    """As much of a ``View`` as the rules look at: J jobs and B backends."""

    @property
    def feasible(self) -> Bools:
        """(J, B) where a job may run."""
        ...

    @property
    def success(self) -> Singles:
        """(J, B) estimated success probability."""
        ...

    @property
    def run_s(self) -> Singles:
        """(J, B) estimated seconds on the device."""
        ...

    @property
    def queue_s(self) -> Floats:
        """(B,) seconds of work that each backend has already."""
        ...

    @property
    def rng(self) -> np.random.Generator:
        """For rules that draw."""
        ...


@dataclass(frozen=True)
class Rule:
    """A policy made of a function.

    Attributes:
        name: What the reports call it.
        rule: (J,) columns from what it sees.
        late_binding: See ``Policy``.
        batch_jobs: See ``Policy``.
        batch_s: See ``Policy``; as long as new jobs gather in qsched.
    """

    name: str
    rule: Callable[[View], Ints]
    late_binding: bool = False
    batch_jobs: int = 4096
    batch_s: float = 1.0

    def place(self, view: View) -> Ints:
        """See ``Policy.place``."""
        return self.rule(view)


def best_fidelity(view: Seen) -> Ints:
    """Where the estimated success is greatest, however long the queue is."""
    return _where(view, np.where(view.feasible, view.success, -1.0).argmax(axis=1))


def least_loaded(view: Seen) -> Ints:
    """Where the least seconds of work wait, counting what was just placed."""
    queue_s = view.queue_s.copy()
    choice = np.full(len(view.feasible), WAIT, dtype=np.int32)
    for row, feasible in enumerate(view.feasible):
        if feasible.any():
            column = int(np.where(feasible, queue_s, np.inf).argmin())
            choice[row] = column
            queue_s[column] += view.run_s[row, column]
    return choice


def at_random(view: Seen) -> Ints:
    """Anywhere that it may run, each backend equally likely."""
    draw = view.rng.random(view.feasible.shape)
    return _where(view, np.where(view.feasible, draw, -1.0).argmax(axis=1))


class RoundRobin:
    """The backends in turn; those that a job may not use are passed over."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, view: Seen) -> Ints:
        """See ``Policy.place``."""
        backends = view.feasible.shape[1]
        choice = np.full(len(view.feasible), WAIT, dtype=np.int32)
        for row, feasible in enumerate(view.feasible):
            turn = (self._next + np.arange(backends)) % backends
            free = turn[feasible[turn]]
            if free.size:
                choice[row] = free[0]
                self._next = int(free[0]) + 1
        return choice


def _where(view: Seen, columns: NDArray[np.intp]) -> Ints:
    """Columns, but for jobs that may run nowhere."""
    return np.where(view.feasible.any(axis=1), columns, WAIT).astype(np.int32)


RULES: dict[str, RuleMaker] = {
    "best-fidelity": lambda: best_fidelity,
    "least-loaded": lambda: least_loaded,
    "round-robin": RoundRobin,
    "random": lambda: at_random,
}
"""By name; each call makes a new one, without memory of what an earlier one chose."""
