"""What a fleet brings to the score: the matrices that multiply the jobs' features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qsched.fleet.drift import drift
from qsched.fleet.region import LINE, NET
from qsched.scoring.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qsched.fleet.snapshot import Fleet
    from qsched.scoring.jobs import Selection

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Masks = NDArray[np.uint32]

ROUTING = 0.87
"""Two-qubit gates that routing adds, for each interaction, root of density and unit of distance beyond 1."""

COHERENCE_THETA = 0.5
"""Share of T2 that a circuit may take."""

WINDOW_QUBITS = 5
"""The coherence window is that of a circuit of so many qubits; it differs little between sizes."""

RECALIBRATION_HAZARD = 0.05
"""Share of the success probability that is lost when a job starts after the next calibration."""

SHORT = np.float32(1 / 32)
"""A running time below this share of the time until a backend closes counts as none: how long the queue
takes is not known nearly as well."""

_NEVER_LATE = 0.002
_LEAST_WAIT_S = 1e-3


class Linear(NamedTuple):
    """The coefficients of a figure that is linear in the profile: direct + detour x routed.

    Attributes:
        direct: (K, B) of the features that every device sees alike.
        routed: (L, B) of the features that grow with the mean distance of the qubits.
    """

    direct: Singles
    routed: Singles

    def at(self, detour: Singles) -> Singles:
        """(U, K + L, B) coefficients of U circuit sizes, from their (U, B) detours."""
        sizes, backends = detour.shape
        direct = np.broadcast_to(self.direct, (sizes, len(self.direct), backends))
        return np.concatenate([direct, detour[:, None, :] * self.routed], axis=1)


@dataclass(frozen=True, eq=False)
class Coefficients:
    """B backends as factors of ``Features``, in single precision.

    Attributes:
        detour: (U, B) by the jobs' U layouts: mean distance beyond 1 in the best connected set of as many
            qubits; 0 for a circuit that forms lines where the device has one.
        run_s: Seconds on the device.
        success: (U, K + L, B) of the log success probability, drift and the hazard of recalibration
            included, by the same.
        wait: Seconds until the end, and log P(starting before the backend closes).
        margin: Share of the coherence window that is left; negative where the circuit does not fit.
        thrift: Price, in the backend's currency, before the least price and rounding.
        least: (2, B) the least price.
        queue: (2, B) time until the start, as ``Limits`` has it.
        age: (2, B) age of the calibration at the start.
        ends: Time until the end.
        has_least: Whether any backend has a least price.
        quantum: (B,) what rounding may add to a price.
        path_s: (4, B) seconds of each gate of the critical path; of a routed one for each unit of ``detour``.
        drift: (B,) factor of the log success for the calibration's age at the start of the job.
        log_hazard: (B,) log success that a job loses because it may start after the next calibration.
        start_age_s: (B,) age of the calibration at the start of the job.
        window_s: (B,) coherence window, theta x T2; infinite for an ideal simulator.
        reset_s: (B,) between shots.
        overhead_s: (B,) of a task of a few shots.
        run_factor: (B,) what runs took over what was computed for them.
        wait_s: (B,) median wait.
        closing: (C,) columns whose availability window is open and ends.
        closes: When it does there; ``wait`` has what a job of no length loses.
        qubits: (B,) usable.
        masks: (S, B) the ``Reason`` bits of each selection on each backend.
        comparable: (S, B) whether a price can be held against a limit of the selection's currency.
    """

    detour: Singles
    run_s: Linear
    success: Singles
    wait: Linear
    margin: Linear
    thrift: Linear
    least: Singles
    queue: Singles
    age: Singles
    ends: Linear
    has_least: bool
    quantum: Singles
    path_s: Singles
    drift: Singles
    log_hazard: Singles
    start_age_s: Singles
    window_s: Singles
    reset_s: Singles
    overhead_s: Singles
    run_factor: Singles
    wait_s: Singles
    closing: NDArray[np.intp]
    closes: Closes
    qubits: NDArray[np.int32]
    masks: Masks
    comparable: NDArray[np.bool_]


class Closes(NamedTuple):
    """The wait on C backends whose availability window ends: log-logistic through its P50 and P90.

    Attributes:
        in_s: (C,) until the window ends.
        wait_s: (C,) median wait, above 0.
        steepness: (C,) exponent of the distribution.
        slack_s: (C,) a job with this much time to spare is surely done in time (P(late) < 0.2 %).
        in_time: (C,) P(a job of no length starts in time), above 0.
    """

    in_s: Singles
    wait_s: Singles
    steepness: Singles
    slack_s: Singles
    in_time: Singles


def coefficients(
    fleet: Fleet, selections: Sequence[Selection], layouts: NDArray[np.integer[Any]]
) -> Coefficients:
    """The factors of a fleet, and what each selection of the jobs excludes.

    Args:
        fleet: B backends.
        selections: The S distinct selections of the jobs.
        layouts: (U,) the distinct ``JobColumns.layout`` of the jobs.
    """
    layouts = np.minimum(layouts, 2 * fleet.ball.shape[1] - 1)
    start_age_s = fleet.age_s + fleet.wait_s
    age_factor = np.where(fleet.drifts, drift(start_age_s), 1)
    hazard = np.log1p(-RECALIBRATION_HAZARD * _later_than(fleet.recalibrates_in_s, fleet))
    # Among a circuit's pulses is one for each of its two-qubit gates, but none for those that routing adds.
    added_s = fleet.d2_s + fleet.dressing * fleet.d1_s
    d2_s = np.maximum(added_s - fleet.d1_s, 0)
    path_s = np.array([fleet.d1_s, d2_s, fleet.dm_s, ROUTING * added_s])
    window_s = COHERENCE_THETA * fleet.t2_s[:, NET, : WINDOW_QUBITS + 1][:, -1]
    one = np.ones(len(fleet))
    run_s = [fleet.run_factor * each for each in (fleet.reset_s, fleet.overhead_s, *path_s[:3])]
    routed_s = fleet.run_factor * path_s[3:]
    gates = [fleet.per_gate1, fleet.per_gate2, fleet.per_measurement]
    seconds = fleet.per_second * np.array(run_s)
    seconds[0] += fleet.per_shot
    masks = _masks(fleet, selections)
    detour = _detour(fleet, layouts)
    return Coefficients(
        detour=_single(detour),
        run_s=_linear(run_s, routed_s),
        success=_success(fleet, age_factor, hazard, layouts, detour),
        wait=_linear([*run_s, fleet.wait_s, _log_in_time(fleet), one], routed_s),
        margin=_linear([one, *(path_s[:3] / window_s)], path_s[3:] / window_s),
        thrift=_linear([fleet.per_task, *gates, *seconds, one], fleet.per_second * routed_s),
        least=_single(np.array([fleet.minimum, one])),
        queue=_single(np.array([one, fleet.wait_s])),
        age=_single(np.array([one, start_age_s])),
        ends=_linear([one, fleet.wait_s, *run_s], routed_s),
        has_least=bool(fleet.minimum.any()),
        quantum=_single(fleet.quantum),
        path_s=_single(path_s),
        drift=_single(age_factor),
        log_hazard=_single(hazard),
        start_age_s=_single(start_age_s),
        window_s=_single(window_s),
        reset_s=_single(fleet.reset_s),
        overhead_s=_single(fleet.overhead_s),
        run_factor=_single(fleet.run_factor),
        wait_s=_single(fleet.wait_s),
        closing=_closing(fleet),
        closes=_closes(fleet),
        qubits=fleet.qubits,
        masks=masks,
        comparable=(masks & np.uint32(Reason.CURRENCY)) == 0,
    )


def overrun(closes: Closes, columns: NDArray[np.intp], run_s: Singles) -> Singles:
    """P(a job ends before the window does) over P(it starts before), of P pairs.

    Args:
        closes: C backends.
        columns: (P,) which of them.
        run_s: (P,) seconds on the device.
    """
    in_s, wait_s, steepness, slack_s, in_time = (each[columns] for each in closes)
    spare_s = np.minimum(np.maximum(in_s - run_s, 0), slack_s)
    late = 1 / (1 + (spare_s / wait_s) ** steepness)
    late *= spare_s < slack_s
    ratio: Singles = np.minimum((1 - late) / in_time, 1)
    return ratio


def _detour(fleet: Fleet, layouts: NDArray[np.integer[Any]]) -> Floats:
    """(U, B) mean distance beyond 1 that routing has to overcome."""
    detour: Floats = fleet.ball.T[layouts // 2] - 1
    held = (layouts % 2 == LINE)[:, None] & (layouts[:, None] // 2 <= fleet.longest_line)
    return np.where(held, 0, detour)


def _success(
    fleet: Fleet, age_factor: Floats, hazard: Floats, layouts: NDArray[np.integer[Any]], detour: Floats
) -> Singles:
    """(U, K + L, B) what each feature of a job adds to its log success."""
    log1, log2, readout, t1_s, t2_s, link_s = (
        table[:, layouts % 2, layouts // 2].T
        for table in (fleet.log1, fleet.log2, fleet.log_readout, fleet.t1_s, fleet.t2_s, fleet.link_s)
    )
    added2 = log2 + fleet.dressing * log1
    # Linear form of log((1 + exp(-t/T1) + 2 exp(-t/T2)) / 4), for each second and idle qubit; but half of the
    # dephasing, since half of the time a waiting qubit holds a basis state, which does not dephase.
    idle = -(1 / (4 * t1_s) + 1 / (4 * t2_s)) * (link_s + fleet.dressing * fleet.d1_s)
    direct = [each * age_factor for each in (log1, np.minimum(added2 - log1, 0), readout, idle)]
    every = [np.broadcast_to(each, log1.shape) for each in (hazard, np.ones(len(fleet)))]
    routed = [each * age_factor * ROUTING * detour for each in (added2, idle)]
    return _single(np.stack([*direct, *every, *routed], axis=1))


def _closing(fleet: Fleet) -> NDArray[np.intp]:
    return np.flatnonzero((fleet.closes_in_s > 0) & np.isfinite(fleet.closes_in_s))


def _closes(fleet: Fleet) -> Closes:
    closing = _closing(fleet)
    wait_s, steepness = np.maximum(fleet.wait_s, _LEAST_WAIT_S), _steepness(fleet)
    slack_s = wait_s * (1 / _NEVER_LATE - 1) ** (1 / steepness)
    in_time = np.exp(_log_in_time(fleet))
    figures = (fleet.closes_in_s, wait_s, steepness, slack_s, in_time)
    return Closes(*(_single(each[closing]) for each in figures))


def _log_in_time(fleet: Fleet) -> Floats:
    """(B,) log P(a job of no length starts before the availability window ends), finite."""
    logs: Floats = np.log(np.maximum(1 - _later_than(fleet.closes_in_s, fleet), 1e-6))
    return logs


def _later_than(ends_in_s: Floats, fleet: Fleet) -> Floats:
    """(B,) P(wait > ``ends_in_s``), log-logistic, cut off where that is next to impossible."""
    ratio = np.maximum(ends_in_s, 0) / np.maximum(fleet.wait_s, _LEAST_WAIT_S)
    later: Floats = 1 / (1 + ratio ** _steepness(fleet))
    return np.where(later < _NEVER_LATE, 0.0, later)


def _linear(direct: Sequence[Floats], routed: Sequence[Floats] | Floats) -> Linear:
    return Linear(_single(np.array(direct)), _single(np.array(routed)))


def _single(values: Floats) -> Singles:
    return np.ascontiguousarray(values, dtype=np.float32)


def _steepness(fleet: Fleet) -> Floats:
    """The exponent k with P(wait > t) = 1 / (1 + (t / p50)^k) equal to 0.1 at p90, kept within [0.5, 12]."""
    ratio = np.maximum(fleet.wait_p90_s, _LEAST_WAIT_S) / np.maximum(fleet.wait_s, _LEAST_WAIT_S)
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
    return np.array(masks, dtype=np.uint32).reshape(len(masks), len(fleet))


def _excluded(fleet: Fleet, selection: Selection) -> Masks:
    named = np.array(
        [not selection.backends or name in selection.backends for name in fleet.names], dtype=bool
    )
    labelled = np.array([selection.selector <= record.labels.items() for record in fleet.records], dtype=bool)
    unwanted = {"Forbidden": fleet.simulator, "Required": ~fleet.simulator}.get(
        selection.simulators, np.zeros(len(fleet), dtype=bool)
    )
    code = fleet.currencies.index(selection.currency) if selection.currency in fleet.currencies else -2
    # Without a price a backend is free, unless its provider charges: then it is not known to keep to a limit.
    charges = np.array([record.charges for record in fleet.records], dtype=bool)
    foreign = (fleet.currency != code) & ((fleet.currency >= 0) | charges) & (selection.currency is not None)
    asked = bool(selection.backends or selection.selector) or selection.simulators == "Required"
    return (
        _bits(~named | (fleet.ideal & (not asked)), Reason.BACKENDS)
        | _bits(~labelled, Reason.SELECTOR)
        | _bits(unwanted, Reason.SIMULATORS)
        | _bits(foreign, Reason.CURRENCY)
        | _bits(~fleet.dynamic & selection.dynamic, Reason.DYNAMIC)
        | _bits(~fleet.compiles & selection.untranspiled, Reason.NATIVE)
    )


def _bits(holds: NDArray[np.bool_], reason: Reason) -> Masks:
    return holds * np.uint32(reason)
