"""What a placement is held against: three simple rules, and the exact linear programme.

The rules see the same scores and times as qsched. Those that go through the jobs one by one are a loop in
Python over rows of numpy: their quality is what matters, and their seconds are shown for order of magnitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]
    Block = tuple[Singles, Singles, Singles]

_STAGES = ((500, 0.2), (2_000, 0.05), (10**9, 0.02))  # jobs, and how near to its best a pair enters
_GAP = 1e-6


def fifo_greedy(blocks: Iterable[Block], units: Floats, slots: Ints | None = None) -> Ints:
    """Each job in order takes its best backend given the loads so far.

    Args:
        blocks: (R, B) offers, minus infinity where a job may not run, (R, B) seconds of work and (R,)
            impatience, in the order in which the jobs came.
        units: (2, B) price of work and of impatience for each unit of it placed; 0 without congestion.
        slots: (B,) how many jobs a backend may get; None without limit.

    Returns:
        (J,) columns, -1 without a place.
    """
    price_of_work, price_of_impatience = np.zeros_like(units)
    free = np.full(units.shape[1], np.inf) if slots is None else slots.astype(np.float64)
    choice = []
    for offers, work_s, hurry in blocks:
        for row, hurry_j in enumerate(hurry.tolist()):
            net = offers[row] - work_s[row] * price_of_work - hurry_j * price_of_impatience
            net[free < 1] = -np.inf
            column = int(net.argmax())
            if net[column] == -np.inf:
                column = -1
            else:
                price_of_work[column] += units[0, column] * work_s[row, column]
                price_of_impatience[column] += units[1, column] * hurry_j
                free[column] -= 1
            choice.append(column)
    return np.array(choice, dtype=np.int32)


def least_busy(blocks: Iterable[Block], servers: Ints, slots: Ints | None = None) -> Ints:
    """Each job in order takes the backend with the fewest jobs for each server that may run it.

    This is what ``least_busy`` of Qiskit's runtime client does with queues that the jobs themselves make.
    See ``fifo_greedy`` for the arguments and the answer.
    """
    jobs = np.zeros(len(servers))
    free = np.full(len(servers), np.inf) if slots is None else slots.astype(np.float64)
    choice = []
    for offers, _, _ in blocks:
        able = np.isfinite(offers)
        for row in able:
            queue = np.where(row & (jobs < free), jobs / servers, np.inf)
            column = int(queue.argmin())
            if queue[column] == np.inf:
                column = -1
            else:
                jobs[column] += 1
            choice.append(column)
    return np.array(choice, dtype=np.int32)


def linear_optimum(offers: Singles, slots: Ints) -> float:
    """The most that the offers can add up to within the slots: the assignment's linear programme (HiGHS).

    The programme is first solved for some of the jobs. Its prices say which pairs can matter, and only those
    enter the whole one; that nothing was left out is proved by the dual value over all pairs, which no
    choice exceeds. If it does not agree, the pairs that it names are let in.

    Args:
        offers: (J, B) scores; minus infinity where a job may not run.
        slots: (B,) how many jobs a backend may get.

    Returns:
        The optimum; the proof is within a millionth.

    Raises:
        RuntimeError: If HiGHS fails.
    """
    rng = np.random.default_rng(0)
    prices = np.zeros(len(slots))
    optimum = 0.0
    for size, margin in _STAGES:
        count = min(size, len(offers))
        rows = np.sort(rng.permutation(len(offers))[:count])
        optimum, prices = _solve(offers[rows].astype(np.float64), slots * count / len(offers), prices, margin)
    return optimum


def _solve(offers: Floats, slots: Floats, prices: Floats, margin: float) -> tuple[float, Floats]:
    """The optimum and the (B,) prices of slots; pairs within ``margin`` of a job's best enter first."""
    jobs, backends = offers.shape
    enter = np.zeros(offers.shape, dtype=bool)
    while True:
        net = offers - prices
        enter |= (net >= np.maximum(net.max(axis=1, keepdims=True), 0) - margin) & np.isfinite(offers)
        rows, columns = np.nonzero(enter)
        pair, ones = np.arange(rows.size), np.ones(2 * rows.size)
        limits = sp.csr_matrix(
            (ones, (np.concatenate([rows, jobs + columns]), np.concatenate([pair, pair]))),
            (jobs + backends, rows.size),
        )
        most = np.concatenate([np.ones(jobs), slots])
        answer = linprog(  # type: ignore[call-overload]  # its stubs know no sparse matrices
            -offers[rows, columns], A_ub=limits, b_ub=most, method="highs-ds"
        )
        if answer.status != 0:
            raise RuntimeError(f"HiGHS: {answer.message}")
        prices = np.maximum(-answer.ineqlin.marginals[jobs:], 0)
        dual = float(np.maximum((offers - prices).max(axis=1), 0).sum() + prices @ slots)
        if dual + answer.fun <= _GAP * dual:
            return dual, prices
