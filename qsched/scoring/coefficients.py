"""What a fleet brings to the score: the matrices that multiply the jobs' features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qsched.scoring.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.jobs import Selection

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Masks = NDArray[np.uint16]

ROUTING_DENSITY = 0.87
"""Two-qubit gates that routing adds, for each gate, unit of density and unit of distance beyond 1."""

COHERENCE_THETA = 0.5
"""Share of T2 that a circuit may take."""

DRIFT_PER_SQRT_DAY = 0.06
DRIFT_LIMIT = 0.3
"""How the log error grows with the calibration's age: 1 + min(0.06 sqrt(days), 0.3).

Daily calibrations of ibm_perth, January to May 2023: the mean ratio of a later to an earlier error is 1.06
to 1.08 after a day, 1.11 (two-qubit) to 1.30 (readout) after a week, 1.10 to 1.64 after a month.
"""

_NEVER_LATE = 0.002


@dataclass(frozen=True, eq=False)
class Coefficients:
    """B backends as factors of a job's features, in single precision.

    Attributes:
        gates: (6, B) log success of each column of ``JobColumns.gates``, drift included.
        routed: (2, B) the same of ``JobColumns.routed``, for each unit of ``detour``.
        detour: (N, B) mean distance beyond 1 in the best connected set of n qubits, at index n.
        path_s: (3, B) seconds of each gate of the critical path.
        routed_path_s: (B,) seconds of each routed two-qubit gate of the path and unit of ``detour``.
        drift: (B,) factor of the log success for the calibration's age at the start of the job.
        start_age_s: (B,) that age.
        window_s: (B,) coherence window, theta x T2; infinite for an ideal simulator.
        reset_s: (B,) between shots.
        overhead_s: (B,) of a task.
        wait_s: (B,) median wait.
        steepness: (B,) exponent of the log-logistic distribution of the wait.
        slack_s: (B,) a job with this much time to spare is surely done in time (P(late) < 0.2 %).
        recalibrates_in_s: (B,) until the next calibration.
        closes_in_s: (B,) until the availability window ends.
        qubits: (B,) usable.
        masks: (S, B) the ``Reason`` bits of each selection on each backend.
    """

    gates: Singles
    routed: Singles
    detour: Singles
    path_s: Singles
    routed_path_s: Singles
    drift: Singles
    start_age_s: Singles
    window_s: Singles
    reset_s: Singles
    overhead_s: Singles
    wait_s: Singles
    steepness: Singles
    slack_s: Singles
    recalibrates_in_s: Singles
    closes_in_s: Singles
    qubits: NDArray[np.int32]
    masks: Masks


def coefficients(fleet: Fleet, selections: Sequence[Selection]) -> Coefficients:
    """The factors of a fleet, and what each selection of the jobs excludes."""
    start_age_s = fleet.age_s + fleet.wait_s
    drift = np.where(
        fleet.drifts, 1 + np.minimum(DRIFT_PER_SQRT_DAY * np.sqrt(start_age_s / 86_400), DRIFT_LIMIT), 1
    )
    # Linear form of log((1 + exp(-t/T1) + 2 exp(-t/T2)) / 4), for each second and idle qubit.
    idle = -(1 / (4 * fleet.t1_s) + 1 / (2 * fleet.t2_s))
    logs = [fleet.log1, fleet.log2, fleet.log_readout]
    idles = [idle * fleet.d1_s, idle * fleet.d2_s, idle * fleet.dm_s]
    steepness = _steepness(fleet)
    return Coefficients(
        gates=_single(drift * np.array([*logs, *idles])),
        routed=_single(ROUTING_DENSITY * drift * np.array([logs[1], idles[1]])),
        detour=_single(fleet.ball.T - 1),
        path_s=_single(np.array([fleet.d1_s, fleet.d2_s, fleet.dm_s])),
        routed_path_s=_single(ROUTING_DENSITY * fleet.d2_s),
        drift=_single(drift),
        start_age_s=_single(start_age_s),
        window_s=_single(COHERENCE_THETA * fleet.t2_s),
        reset_s=_single(fleet.reset_s),
        overhead_s=_single(fleet.overhead_s),
        wait_s=_single(fleet.wait_s),
        steepness=_single(steepness),
        slack_s=_single(np.maximum(fleet.wait_s, 1e-3) * (1 / _NEVER_LATE - 1) ** (1 / steepness)),
        recalibrates_in_s=_single(fleet.recalibrates_in_s),
        closes_in_s=_single(fleet.closes_in_s),
        qubits=fleet.qubits,
        masks=_masks(fleet, selections),
    )


def _single(values: Floats) -> Singles:
    return np.ascontiguousarray(values, dtype=np.float32)


def _steepness(fleet: Fleet) -> Floats:
    """The exponent k with P(wait > t) = 1 / (1 + (t / p50)^k) equal to 0.1 at p90, kept within [0.5, 12]."""
    ratio = np.maximum(fleet.wait_p90_s, 1e-3) / np.maximum(fleet.wait_s, 1e-3)
    steepness: Floats = np.clip(np.log(9) / np.log(np.maximum(ratio, 1.01)), 0.5, 12)
    return steepness


def _masks(fleet: Fleet, selections: Sequence[Selection]) -> Masks:
    everyone = (
        _bits(~fleet.online, Reason.OFFLINE)
        | _bits(fleet.paused, Reason.PAUSED)
        | _bits(fleet.closes_in_s <= 0, Reason.CLOSED)
        | _bits(fleet.uncalibrated, Reason.UNCALIBRATED)
    )
    masks = [everyone | _excluded(fleet, selection) for selection in selections]
    return np.array(masks, dtype=np.uint16).reshape(len(masks), len(fleet))


def _excluded(fleet: Fleet, selection: Selection) -> Masks:
    named = np.array(
        [not selection.backends or name in selection.backends for name in fleet.names], dtype=bool
    )
    labelled = np.array([selection.selector <= record.labels.items() for record in fleet.records], dtype=bool)
    unwanted = {"Forbidden": fleet.simulator, "Required": ~fleet.simulator}.get(
        selection.simulators, np.zeros(len(fleet), dtype=bool)
    )
    code = fleet.currencies.index(selection.currency) if selection.currency in fleet.currencies else -2
    foreign = (fleet.currency >= 0) & (fleet.currency != code) & (selection.currency is not None)
    asked = bool(selection.backends or selection.selector) or selection.simulators == "Required"
    return (
        _bits(~named | (fleet.ideal & (not asked)), Reason.BACKENDS)
        | _bits(~labelled, Reason.SELECTOR)
        | _bits(unwanted, Reason.SIMULATORS)
        | _bits(foreign, Reason.CURRENCY)
        | _bits(~fleet.dynamic & selection.dynamic, Reason.DYNAMIC)
    )


def _bits(holds: NDArray[np.bool_], reason: Reason) -> Masks:
    return holds * np.uint16(reason)
