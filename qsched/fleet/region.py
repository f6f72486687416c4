"""What a device's errors and times are where a circuit of n qubits is put, for every n."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.fleet.groups import Couplings, Groups, lines, nets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.api.calibration import Calibration

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Indices = NDArray[np.intp]

LINE, NET = 0, 1
"""The rows of a table: a circuit whose qubits interact in a line, and one that has to be routed."""

LARGEST = 32
"""Qubits of the largest compact set that is looked for. What is routed on more succeeds nowhere yet, and is
taken to be on a part of this size."""


class Regions(NamedTuple):
    """Tables of n: (2, n) rows ``LINE`` and ``NET``, index n from 0 to the number of usable qubits.

    Attributes:
        e1: One-qubit error.
        e2: Two-qubit error, 0 for n below 2.
        er: Readout error.
        t1_s: Harmonic mean of T1, that of the rates.
        t2_s: The same of T2.
        link_s: Duration of the two-qubit gates of its qubits, in seconds.
        longest_line: The largest n for which a line was found; longer ones are routed like other circuits.
    """

    e1: Floats
    e2: Floats
    er: Floats
    t1_s: Floats
    t2_s: Floats
    link_s: Floats
    longest_line: int


class Part(NamedTuple):
    """The usable part of a device of Q qubits and C couplers: U connected qubits, and their couplers.

    Attributes:
        qubits: (U,) which they are.
        couplers: (C,) which couplers are usable; both ends are usable qubits.
        distance: (U, U) couplers on the shortest path.
        t1_s: (Q,) T1 in seconds, infinite where unmeasured.
        t2_s: (Q,) likewise.
        gate2_s: (C,) duration of the two-qubit gate in seconds.
    """

    qubits: Indices
    couplers: Bools
    distance: Floats
    t1_s: Floats
    t2_s: Floats
    gate2_s: Floats


def regions(calibration: Calibration, part: Part) -> Regions:
    """The tables of a device; 0, and infinite times, where it has no qubit.

    Args:
        calibration: What was measured.
        part: Of the device that is usable.
    """
    count = len(part.qubits)
    tables = np.zeros((6, 2, count + 1))
    if not count:
        return _regions(tables, 0)
    ends = _ends(calibration, part)
    device = _couplings(calibration, part, ends)
    of_qubits = _of_qubits(calibration, part, ends)
    compact = np.array([_figures(groups, of_qubits) for groups in nets(device, min(count, LARGEST))])
    straight = np.array([_figures(groups, of_qubits) for groups in lines(device, count)])
    tables[:, NET] = compact.T[:, np.clip(np.arange(count + 1), 1, len(compact)) - 1]
    tables[:, LINE] = tables[:, NET]
    tables[:, LINE, 1 : len(straight) + 1] = straight.T
    return _regions(tables, len(straight))


def _ends(calibration: Calibration, part: Part) -> NDArray[np.intp]:
    """(2, L) the usable qubits, counted anew, that each usable coupler joins."""
    place = np.zeros(calibration.qubits, dtype=np.intp)
    place[part.qubits] = np.arange(len(part.qubits))
    return place[calibration.couplers[part.couplers]].T


def _couplings(calibration: Calibration, part: Part, ends: NDArray[np.intp]) -> Couplings:
    log_gate2 = np.full((len(part.qubits),) * 2, -np.inf)
    logs = np.log1p(-calibration.gate2_error[part.couplers])
    # A coupler may be listed in both directions, with an error for each.
    for one, other in (ends, ends[::-1]):
        np.maximum.at(log_gate2, (one, other), logs)
    return Couplings(log_gate2, np.log1p(-calibration.readout_error[part.qubits]), part.distance)


def _of_qubits(calibration: Calibration, part: Part, ends: NDArray[np.intp]) -> Floats:
    """(U, 5) one-qubit error, readout error, 1 / T1, 1 / T2, and mean duration of the qubit's couplers."""
    couplers, seconds = np.zeros((2, len(part.qubits)))
    for end in ends:
        np.add.at(couplers, end, 1)
        np.add.at(seconds, end, part.gate2_s[part.couplers])
    errors = calibration.gate1_error[part.qubits], calibration.readout_error[part.qubits]
    rates = 1 / part.t1_s[part.qubits], 1 / part.t2_s[part.qubits]
    return np.column_stack([*errors, *rates, seconds / np.maximum(couplers, 1)])


def _figures(groups: Groups, of_qubits: Floats) -> list[float]:
    """Means over groups of one size, in the order of ``Regions``; of the times, those of the rates."""
    e1, er, rate1, rate2, link_s = of_qubits[groups.qubits].mean(axis=(0, 1)).tolist()
    return [e1, float(-np.expm1(groups.log_links).mean()), er, rate1, rate2, link_s]


def _regions(tables: Floats, longest_line: int) -> Regions:
    """(6, 2, n) tables that hold rates in the place of times."""
    with np.errstate(divide="ignore"):
        tables[3:5] = 1 / tables[3:5]
    tables.setflags(write=False)
    e1, e2, er, t1_s, t2_s, link_s = tables
    return Regions(e1, e2, er, t1_s, t2_s, link_s, longest_line)
