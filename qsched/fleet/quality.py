"""What a calibration is worth: the usable part of a device, and the few numbers that estimates need.

Dead or absurd data is normal in calibrations. Cleaning happens here and nowhere else; a ``Calibration``
keeps what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from qsched.api.backend import CalibrationSummary
from qsched.fleet.region import Part, regions
from qsched.fleet.topology import ball_distances, distances, largest_component

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.api.calibration import Calibration

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

DEAD_ERROR = 0.5
"""An error at which a gate or readout tells nothing: such a qubit or coupler is not used."""

ASSUMED_PULSE_S = 50e-9
ASSUMED_GATE2_S = 500e-9
ASSUMED_READOUT_S = 5e-6
"""Durations in seconds for a device that reports none: IBM's devices of 2020, the only such ones known."""

DRESSING = {"cx": 0}
OTHER_DRESSING = 2
"""Pulses that come with each two-qubit gate, by the gate: circuits are written in CNOTs. A CNOT made of a CZ,
an ECR or another gate brings up to two."""


@dataclass(frozen=True, eq=False)
class DeviceQuality:
    """The usable part of a device. Q and C are the calibration's numbers of qubits and couplers.

    A qubit is dead when T1, T2, its readout error or its one-qubit error is missing, T1 or T2 is not
    positive, or one of the errors is outside [0, 0.5); a coupler likewise, or when it touches a dead qubit.
    Of what lives, the largest connected component is usable. T1 or T2 that a device reports for no qubit
    at all is *unmeasured*, not dead: it is infinite here, so that it makes no idle term. Errors that
    nobody measured leave nothing to estimate with, and the device has no usable qubit.

    Errors, T1 and T2 depend on how many qubits a circuit has, and on whether it has to be routed: they are
    tables of (2, qubits + 1) numbers, of the parts of the device where a layout puts it (``region.Regions``).
    There gates, readout and coherence are good or bad together, which quantiles of each alone do not see.
    Where there is nothing to measure (no coupler, no usable qubit) errors and durations are 0. A missing
    duration is the device's median, or, where the device reports none at all, an assumed one.

    Attributes:
        calibration: What was measured.
        qubits: How many qubits are usable.
        usable: (Q,) which qubits are.
        coupler_usable: (C,) which couplers are; both ends are usable qubits.
        qubit_t1_s: (Q,) T1 in seconds, infinite where unmeasured.
        qubit_t2_s: (Q,) T2 in seconds, at most 2 T1, infinite where unmeasured.
        gate1_s: (Q,) duration of a one-qubit pulse in seconds, without gaps.
        gate2_s: (C,) duration of the two-qubit gate, likewise.
        readout_s: (Q,) duration of a measurement, likewise.
        e1: (2, qubits + 1) one-qubit error where circuits are put, a fraction.
        e2: (2, qubits + 1) two-qubit error there.
        er: (2, qubits + 1) readout error there.
        t1_s: (2, qubits + 1) T1 there.
        t2_s: (2, qubits + 1) T2 there.
        link_s: (2, qubits + 1) duration of the two-qubit gate there.
        longest_line: Qubits of the longest line of couplers that was found.
        dressing: Pulses that come with each two-qubit gate.
        d1_s: Median of ``gate1_s`` over the usable part.
        d2_s: Median of ``gate2_s``, likewise.
        dm_s: Median of ``readout_s``, likewise.
        reset_s: Time between two shots in seconds.
        ball: (qubits + 1,) at index n the mean pairwise distance, in couplers, inside the best connected
            set of n usable qubits; at least 1, and 1 for n below 2.
        dynamic: Whether the device takes mid-circuit measurement and classical control.
    """

    calibration: Calibration
    qubits: int
    usable: Bools
    coupler_usable: Bools
    qubit_t1_s: Floats
    qubit_t2_s: Floats
    gate1_s: Floats
    gate2_s: Floats
    readout_s: Floats
    e1: Floats
    e2: Floats
    er: Floats
    t1_s: Floats
    t2_s: Floats
    link_s: Floats
    longest_line: int
    dressing: int
    d1_s: float
    d2_s: float
    dm_s: float
    reset_s: float
    ball: Floats
    dynamic: bool

    def summary(self) -> CalibrationSummary:
        """Medians over the usable part, for people; None for what is unmeasured or absent."""
        calibration = self.calibration
        return CalibrationSummary(
            qubits=self.qubits,
            two_qubit_error=_median(calibration.gate2_error[self.coupler_usable]),
            readout_error=_median(calibration.readout_error[self.usable]),
            t1_s=_median(self.qubit_t1_s[self.usable]),
            t2_s=_median(self.qubit_t2_s[self.usable]),
        )


@lru_cache(maxsize=512)
def quality(calibration: Calibration) -> DeviceQuality:
    """The usable part of a device, computed once for each calibration id.

    Args:
        calibration: What was measured.

    Returns:
        The device's quality; its arrays are read-only.
    """
    t1_s = _times(calibration.t1_s)
    t2_s = np.minimum(_times(calibration.t2_s), 2 * t1_s)
    alive = (t1_s > 0) & (t2_s > 0) & _good(calibration.readout_error) & _good(calibration.gate1_error)
    alive_ends = alive[calibration.couplers].all(axis=1)
    living_couplers = _good(calibration.gate2_error) & alive_ends
    usable = largest_component(alive, calibration.couplers[living_couplers])
    coupler_usable = living_couplers & usable[calibration.couplers].all(axis=1)
    gate1_s = _durations(calibration.gate1_s, usable, ASSUMED_PULSE_S)
    gate2_s = _durations(calibration.gate2_s, coupler_usable, ASSUMED_GATE2_S)
    readout_s = _durations(calibration.readout_s, usable, ASSUMED_READOUT_S)
    qubits = np.flatnonzero(usable)
    distance = distances((np.cumsum(usable) - 1)[calibration.couplers[coupler_usable]], len(qubits))
    ball = ball_distances(distance)
    found = regions(calibration, Part(qubits, coupler_usable, distance, t1_s, t2_s, gate2_s))
    for array in (usable, coupler_usable, t1_s, t2_s, gate1_s, gate2_s, readout_s, ball):
        array.setflags(write=False)
    return DeviceQuality(
        calibration=calibration,
        qubits=len(qubits),
        usable=usable,
        coupler_usable=coupler_usable,
        qubit_t1_s=t1_s,
        qubit_t2_s=t2_s,
        gate1_s=gate1_s,
        gate2_s=gate2_s,
        readout_s=readout_s,
        **found._asdict(),
        dressing=DRESSING.get(calibration.two_qubit_gate, OTHER_DRESSING),
        d1_s=_median(gate1_s[usable]) or 0.0,
        d2_s=_median(gate2_s[coupler_usable]) or 0.0,
        dm_s=_median(readout_s[usable]) or 0.0,
        reset_s=calibration.reset_s,
        ball=ball,
        dynamic=calibration.dynamic,
    )


def _times(measured_s: Floats) -> Floats:
    """A copy of T1 or T2: infinite when no qubit has one, else 0 (dead) where it is missing."""
    missing = np.isnan(measured_s)
    return np.where(missing, np.inf if missing.all() else 0.0, measured_s)


def _durations(reported_s: Floats, usable: Bools, assumed_s: float) -> Floats:
    """A copy of the durations with the missing ones filled in."""
    known = np.isfinite(reported_s) & (reported_s >= 0)
    typical_s = _median(reported_s[known & usable])
    return np.where(known, reported_s, assumed_s if typical_s is None else typical_s)


def _good(error: Floats) -> Bools:
    """Where an error is a measured fraction below ``DEAD_ERROR``."""
    good: Bools = (error >= 0) & (error < DEAD_ERROR)
    return good


def _median(values: Floats) -> float | None:
    """The median of the finite values, or None if there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
