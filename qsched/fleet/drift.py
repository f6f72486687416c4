"""What a calibration's age does to the errors that it states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

DRIFT_PER_SQRT_DAY = 0.067
"""Growth of the log error in a day; it grows with the square root of the age, as what wanders does."""

OLDEST_DAYS = 31.0
"""Ages were measured up to this; an older calibration counts as this old."""

_DAY_S = 86_400.0


def drift(age_s: ArrayLike) -> Floats:
    """Factor of the log success for the age of the calibration that it was computed from.

    A device as a whole does not get worse from day to day. But a job is sent to the qubits and devices that
    looked best, and what looked best falls back towards the rest: the older the calibration, the further.
    Fitted to daily calibrations of ibm_perth, January to May 2023 (Qonductor's artifact, arXiv:2408.04312),
    so that the squared error of the success on the best connected qubits of the older calibration is least;
    ``python -m benchmarks drift`` fits it again and judges it on months that the fit did not see.

    Args:
        age_s: Age in seconds when the job starts; a negative one counts as 0.

    Returns:
        1 + ``DRIFT_PER_SQRT_DAY`` sqrt(days): 1 at age 0, rising, at most 1.38.
    """
    days = np.clip(np.asarray(age_s, dtype=np.float64) / _DAY_S, 0, OLDEST_DAYS)
    factor: Floats = 1 + DRIFT_PER_SQRT_DAY * np.sqrt(days)
    return factor
