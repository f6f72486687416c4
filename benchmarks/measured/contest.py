"""A contest of devices whose calibrations are of different ages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measured.ageing import SIZES, SUCCESS, factor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.measured.ageing import Choices
    from benchmarks.measured.files import Calibrations

AGES_DAYS = (0, 0, 1, 2, 3, 5, 7, 10, 14, 21, 28)
DEVICES = 4
_CONTESTS = 4000


def regret(device: Calibrations, chosen: Choices, per_sqrt_day: Mapping[int, float], seed: int) -> float:
    """Mean success that is lost by taking the device that looks best.

    One device stands for four: each is it on another day of the same month, known by a calibration that is
    0 to 28 days old. The job goes to the device with the largest estimate, to the qubits that look best.

    Args:
        device: The calibrations.
        chosen: What looks best in each.
        per_sqrt_day: By month, how much of an estimate's loss is added for the age; 0 ignores ages.
        seed: Of what is drawn.

    Returns:
        The success on the best of the four less that on the one that was taken.
    """
    rng = np.random.default_rng(seed)
    lost = []
    for row in range(len(SIZES)):
        # A circuit that has SUCCESS on a usual day.
        length = -np.log(SUCCESS) / np.median(chosen.expected_best()[row])
        for month, rate in per_sqrt_day.items():
            today = rng.choice(np.flatnonzero(device.month == month), (_CONTESTS, DEVICES))
            known = today - rng.choice(AGES_DAYS, today.shape)
            today, known = (each[(known >= 0).all(axis=1)] for each in (today, known))
            ages_days = device.taken_at[today] - device.taken_at[known]
            estimate = chosen.expected_best()[row, known] * factor(rate, ages_days)
            success = np.exp(-length * chosen.loss[row, known, today])
            taken = np.take_along_axis(success, estimate.argmin(axis=1)[:, None], axis=1)[:, 0]
            lost.append(success.max(axis=1) - taken)
    return float(np.concatenate(lost).mean())
