"""What a task costs, to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.features import Needs

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp] | slice


def cost(needs: Needs, rows: Rows, fleet: Fleet, run_s: Singles) -> Floats:
    """The cost of jobs on every backend, in double precision; a backend without a price is free.

    quantise(max(minimum, a + shots (b + c1 n1 + c2 n2 + cm nm) + d seconds)), summed over the circuits. Each
    number depends on its own job and backend alone, however many are computed at once.

    Args:
        needs: The jobs.
        rows: R of them.
        fleet: B backends.
        run_s: (R, B) seconds on the device.

    Returns:
        (R, B) money in each backend's currency.
    """
    circuits = needs.circuits[rows].astype(np.float64)[:, None]
    shots = circuits * needs.shots[rows].astype(np.float64)[:, None]
    price: Floats = fleet.per_second * run_s
    price += circuits * fleet.per_task
    price += shots * fleet.per_shot
    gates = needs.gates[rows].astype(np.float64)
    for kind, per_gate in enumerate((fleet.per_gate1, fleet.per_gate2, fleet.per_measurement)):
        if per_gate.any():
            price += shots * gates[:, kind, None] * per_gate
    np.maximum(price, fleet.minimum, out=price)
    rounded = fleet.quantum > 0
    quantum = np.where(rounded, fleet.quantum, 1)
    steps = np.ceil(price / quantum * (1 - 1e-9))
    return np.where(rounded, steps * quantum, price)
