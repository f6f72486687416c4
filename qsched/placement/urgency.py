"""How loudly a job asks: priority, ageing and fair share, as one multiplier of its utility."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]

PRIORITY_DOUBLES = 100
"""A priority higher by this much counts twice."""

AGEING_S = 3600.0
"""After this long a job counts twice, after twice as long three times; so none waits for ever."""

_FAIR_LIMIT = 4.0


def urgency(priority: Ints, waited_s: Floats, fair: Floats | None = None) -> Floats:
    """The multiplier of each job's utility.

    Args:
        priority: (J,) as declared, -1000 to 1000.
        waited_s: (J,) seconds since the job was submitted.
        fair: (J,) from ``fair_share``; 1 by default.

    Returns:
        (J,) positive multipliers; 1 for a new job of priority 0.
    """
    multiplier = np.exp2(priority / PRIORITY_DOUBLES) * (1 + np.maximum(waited_s, 0) / AGEING_S)
    return multiplier if fair is None else multiplier * fair


def fair_share(owner: Ints, used_s: Floats) -> Floats:
    """The multiplier that owners who used less than an equal share get, and others lose.

    Args:
        owner: (J,) index of each job's owner.
        used_s: (O,) seconds of devices that each owner used lately.

    Returns:
        (J,) the square root of (mean use / own use), kept within [1/4, 4]; 1 when nobody used anything.
    """
    mean_s = float(used_s.mean()) if used_s.size else 0.0
    if mean_s <= 0:
        return np.ones(len(owner))
    ratio = mean_s / np.maximum(used_s, mean_s / _FAIR_LIMIT**2)
    share: Floats = np.clip(np.sqrt(ratio), 1 / _FAIR_LIMIT, _FAIR_LIMIT)
    return share[owner]
