"""Qonductor's optimiser: NSGA-II over mean completion time and mean error, as its artifact sets it up.

Settings from github.com/manosgior/Qonductor-SC25 (``src/scheduler/multi_objective_scheduler.py`` and
``src/optimization/discrete_problem.py``; Giortamis et al., arXiv:2408.04312): one integer a job, a population
of 100, integer sampling, simulated binary crossover and polynomial mutation with probability .5 and eta 2,
each rounded, no duplicates, pymoo's default termination, and pseudo-weights to pick one point of the front.
A pair that is not feasible is a violated constraint, not a bad objective. Here a whole population is
evaluated by one numpy expression, where the artifact evaluates one schedule after the other: the results are
the same, and the comparison is the harder one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]
    Flags = NDArray[np.bool_]

POPULATION = 100
"""Schedules in each generation."""

_PROBABILITY = 0.5
_ETA = 2.0


class Front(NamedTuple):
    """Schedules of which none is at least as good as another in both objectives.

    Attributes:
        choices: (P, J) column of each job's backend; P is 0 where no feasible schedule was found.
        objectives: (P, 2) mean completion time in seconds and mean error, as ``objectives`` has them.
    """

    choices: Ints
    objectives: Floats


def objectives(choices: Ints, run_s: Numbers, success: Numbers, queue_s: Numbers) -> Floats:
    """Qonductor's two objectives of some schedules; less is better for both.

    Args:
        choices: (P, J) columns.
        run_s: (J, B) seconds that a job takes of a backend.
        success: (J, B) probability of success, or fidelity.
        queue_s: (B,) seconds of work that wait at a backend before.

    Returns:
        (P, 2): the mean over jobs of all seconds placed on, and queued before, the job's backend; and one
        less the mean success.
    """
    schedules, jobs = choices.shape
    backends = len(queue_s)
    every = np.arange(jobs)
    seat = (choices + backends * np.arange(schedules)[:, None]).ravel()
    taken_s = run_s[every, choices]
    load_s = np.bincount(seat, weights=taken_s.ravel(), minlength=schedules * backends)
    count = np.bincount(seat, minlength=schedules * backends).reshape(schedules, backends)
    completion_s = (count * (load_s.reshape(schedules, backends) + queue_s)).sum(axis=1) / jobs
    return np.column_stack([completion_s, 1 - success[every, choices].mean(axis=1, dtype=np.float64)])


def front(run_s: Numbers, success: Numbers, queue_s: Numbers, feasible: Flags, seed: int) -> Front:
    """The front that NSGA-II ends with.

    Args:
        run_s: (J, B) seconds that a job takes of a backend; anything where it may not run.
        success: (J, B) probability of success; anything where it may not run.
        queue_s: (B,) seconds of work that wait at a backend before.
        feasible: (J, B) where a job may run.
        seed: Of the search.
    """
    problem = _Schedules(np.where(feasible, run_s, 0), np.where(feasible, success, 0), queue_s, feasible)
    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=_PROBABILITY, eta=_ETA, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=_PROBABILITY, eta=_ETA, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    found = minimize(problem, algorithm, seed=seed, verbose=False)
    if found.X is None:
        return Front(np.empty((0, len(run_s)), dtype=np.int32), np.empty((0, 2)))
    return Front(
        np.atleast_2d(found.X).astype(np.int32), np.atleast_2d(found.F).astype(np.float64, copy=False)
    )


def pick(found: Front, weights: tuple[float, float] = (0.5, 0.5)) -> Ints:
    """The schedule of a front whose pseudo-weights are nearest to the given ones.

    A schedule's pseudo-weight for an objective is its share of what the schedule gains over the worst of the
    front, each objective scaled to the front's range (Deb, Multi-Objective Optimization, 2001; pymoo's own
    ``PseudoWeights`` cannot be imported without a warning).

    Args:
        found: A front of at least one schedule.
        weights: Of completion time and of error; they sum to 1.

    Returns:
        (J,) column of each job's backend.

    Raises:
        ValueError: The front is empty.
    """
    if not len(found.choices):
        msg = "NSGA-II found no feasible schedule, so there is none to pick"
        raise ValueError(msg)
    worst, spread = found.objectives.max(axis=0), np.ptp(found.objectives, axis=0)
    if (spread == 0).any():  # a front of one point has no pseudo-weights
        first: Ints = found.choices[0]
        return first
    gained = (worst - found.objectives) / spread
    share = gained / gained.sum(axis=1, keepdims=True)
    chosen: Ints = found.choices[int(np.abs(share - weights).sum(axis=1).argmin())]
    return chosen


class _Schedules(Problem):  # type: ignore[misc]  # pymoo has no types
    """All schedules of some jobs, with a constraint for each job."""

    def __init__(self, run_s: Numbers, success: Numbers, queue_s: Numbers, feasible: Flags) -> None:
        jobs, backends = run_s.shape
        super().__init__(n_var=jobs, n_obj=2, n_ieq_constr=jobs, xl=0, xu=backends - 1, vtype=int)
        self._inputs = run_s, success, queue_s
        self._forbidden = (~feasible).astype(np.float64)

    def _evaluate(self, x: NDArray[Any], out: dict[str, Any], *_: Any, **__: Any) -> None:
        """Fill in the objectives and the violations of a population."""
        choices = x.astype(np.int32)
        out["F"] = objectives(choices, *self._inputs)
        out["G"] = self._forbidden[np.arange(choices.shape[1]), choices]
