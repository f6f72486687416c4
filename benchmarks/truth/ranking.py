"""How well a predictor ranks devices, held against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CLOSE = 0.01
"""A choice that loses no more success than this is as good as the best, for most purposes."""


class Choice(NamedTuple):
    """What following a predictor comes to, over all circuits.

    Attributes:
        top1: Share of the circuits for which it chooses the best device.
        close: Share for which it chooses one within ``CLOSE`` of the best.
        regret: Mean success lost against the best device.
    """

    top1: float
    close: float
    regret: float


def chosen(predicted: Floats) -> Ints:
    """(C,) the device that a (C, D) prediction likes best; of equals the first."""
    devices: Ints = predicted.argmax(axis=1)
    return devices


def chosen_in_two_stages(first: Floats, second: Floats, k: int) -> Ints:
    """(C,) the device that ``second`` likes best among the ``k`` that ``first`` likes best."""
    shortlist = np.argsort(-first, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(second, shortlist, axis=1).argmax(axis=1)
    devices: Ints = np.take_along_axis(shortlist, best[:, None], axis=1)[:, 0]
    return devices


def judge_choice(devices: Ints, truth: Floats) -> Choice:
    """What choosing a device for each circuit comes to.

    Args:
        devices: (C,) the device chosen.
        truth: (C, D) real success.
    """
    lost = truth.max(axis=1) - np.take_along_axis(truth, devices[:, None], axis=1)[:, 0]
    return Choice(float((lost <= 0).mean()), float((lost <= CLOSE).mean()), float(lost.mean()))


def rank_correlation(predicted: Floats, truth: Floats) -> float:
    """Spearman's, over all pairs."""
    return _pearson(rankdata(predicted), rankdata(truth))


def rank_correlation_within(predicted: Floats, truth: Floats) -> float:
    """Spearman's among the devices of each circuit, its mean over the circuits."""
    each = [_pearson(rankdata(mine), rankdata(real)) for mine, real in zip(predicted, truth, strict=True)]
    return float(np.mean(each))


def r2(predicted: Floats, truth: Floats) -> float:
    """Coefficient of determination of a prediction as it is, nothing fitted."""
    return 1 - float(((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def pools(count: int, size: int, devices: int, seed: int) -> Ints:
    """(count, size) pools of distinct devices, drawn at random."""
    draws = np.random.default_rng(seed)
    return np.array([draws.choice(devices, size, replace=False) for _ in range(count)])


def _pearson(first: Floats, second: Floats) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else 0.0
