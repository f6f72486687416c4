"""What no policy can beat in a long run, by linear programmes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsched.scoring import estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring import JobColumns

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

_SAMPLE = 300


def capacity(jobs: JobColumns, fleet: Fleet) -> float:
    """Jobs a second that a fleet can just serve, all backends equally busy: load 1.

    No schedule is stable at a greater rate. Some of the jobs stand for all; each may be split.

    Args:
        jobs: The jobs, in random order.
        fleet: The backends.
    """
    found = estimate(jobs.take(slice(0, _SAMPLE)), fleet)
    return 1 / _balance(found.run_s.astype(np.float64), found.reasons == 0)


def success_in_the_long_run(jobs: JobColumns, fleet: Fleet, rate: float) -> float:
    """The greatest mean success of any policy whose queues do not grow for ever.

    No backend may be given more than a second of work a second; within that the most successful split.

    Args:
        jobs: The jobs, in random order.
        fleet: The backends.
        rate: Jobs a second.
    """
    found = estimate(jobs.take(slice(0, _SAMPLE)), fleet)
    rows, cols, index = _pairs(found.reasons == 0)
    jobs_present, backends = int(index[-1]) + 1, len(fleet)
    solved = _solve(
        -found.success[rows, cols].astype(np.float64),
        (found.run_s[rows, cols].astype(np.float64), cols, np.full(backends, jobs_present / rate)),
        index,
    )
    return -solved / jobs_present


def _balance(run_s: Floats, feasible: Bools) -> float:
    """Least seconds, a job, that the busiest backend works when jobs may be split."""
    rows, cols, index = _pairs(feasible)
    # One more variable, the time that the busiest backend works, is the cost.
    work_s = np.append(run_s[rows, cols], np.full(run_s.shape[1], -1.0))
    backends = run_s.shape[1]
    cost = np.append(np.zeros(len(rows)), 1.0)
    limits = (work_s, np.append(cols, np.arange(backends)), np.zeros(backends))
    return _solve(cost, limits, index) / (int(index[-1]) + 1)


def _pairs(feasible: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Job, backend, and number among the jobs that can run at all, of every pair that is possible."""
    rows, cols = np.nonzero(feasible)
    return rows, cols, np.unique(rows, return_inverse=True)[1].ravel()


def _solve(cost: Floats, limits: tuple[Floats, NDArray[np.intp], Floats], index: NDArray[np.intp]) -> float:
    """The least cost when every job is placed once and no backend works longer than its limit."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    work_s, cols, most_s = limits
    pairs, jobs = len(index), int(index[-1]) + 1
    shared = np.full(max(len(work_s) - pairs, 0), len(cost) - 1)  # the entries of one more variable
    variables = np.append(np.arange(pairs), shared)
    once = csr_array((np.ones(pairs), (index, np.arange(pairs))), shape=(jobs, len(cost)))
    work = csr_array((work_s, (cols, variables)), shape=(len(most_s), len(cost)))
    # linprog takes sparse matrices; its annotations do not say so.
    found = linprog(cost, A_ub=work, b_ub=most_s, A_eq=once, b_eq=np.ones(jobs), method="highs")  # type: ignore[call-overload]
    return float(found.fun) if found.status == 0 else float("nan")
