"""The best place on a device for a circuit that is already routed, as mapomatic looks for it.

Mapomatic (Nation and Treinish, PRX Quantum 4, 010327) takes a transpiled circuit, finds every set of qubits
whose couplers hold those that the circuit uses, and scores each by 1 - the product of (1 - e) over its gates
and measurements. Here all layouts are extended one qubit at a time, as rows of one array.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.circuits.usage import Usage
    from qsched.fleet.quality import DeviceQuality

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_MOST_LAYOUTS = 20_000
"""Unfinished layouts that are kept, the best; more than any circuit of linked qubits here has."""

_MOST_APART = 200
"""The same before a qubit that is linked to none, which may go anywhere: only few places are ever taken."""


class _Device(NamedTuple):
    """(Q,) log(1 - e) of a pulse and of a measurement, and (Q, Q) of the two-qubit gate; -inf: none.

    ``near`` has the neighbours of each qubit, padded with the qubit itself.
    """

    gate1: Floats
    readout: Floats
    gate2: Floats
    near: Ints


def best_layout_log(usage: Usage, quality: DeviceQuality) -> float:
    """The greatest log of the product of (1 - e) over a device's layouts of a transpiled circuit.

    Args:
        usage: What the circuit uses, wherever it is now.
        quality: The device.
    """
    device = _logs(quality)
    local = {int(qubit): position for position, qubit in enumerate(usage.qubits)}
    gates2 = np.zeros((len(local), len(local)))
    for (first, second), count in zip(usage.couplers.tolist(), usage.coupler_gates.tolist(), strict=True):
        gates2[local[first], local[second]] += count
        gates2[local[second], local[first]] += count
    usable = np.isfinite(device.readout)
    alone = np.full((len(local), len(usable)), -np.inf)
    alone[:, usable] = np.outer(usage.gates1, device.gate1[usable])
    alone[:, usable] += np.outer(usage.measurements, device.readout[usable])
    order = _linked_order(gates2 > 0)
    layouts = np.flatnonzero(usable)[:, None]
    logs = alone[order[0], layouts[:, 0]]
    for step, qubit in enumerate(order[1:], start=1):
        linked = [place for place, other in enumerate(order[:step]) if gates2[qubit, other]]
        if linked:
            places = device.near[layouts[:, linked[0]]]
        else:
            layouts, logs = _best(layouts, logs, _MOST_APART)
            places = np.tile(np.flatnonzero(usable), (len(layouts), 1))
        taken = (places[:, :, None] == layouts[:, None, :]).any(axis=2)
        gained = np.where(taken, -np.inf, alone[qubit][places])
        for place in linked:
            gained += gates2[qubit, order[place]] * device.gate2[layouts[:, place, None], places]
        rows, columns = np.nonzero(np.isfinite(gained))
        logs = logs[rows] + gained[rows, columns]
        layouts = np.concatenate([layouts[rows], places[rows, columns][:, None]], axis=1)
        layouts, logs = _best(layouts, logs, _MOST_LAYOUTS)
    return float(logs.max())


def _best(layouts: Ints, logs: Floats, most: int) -> tuple[Ints, Floats]:
    """At most so many of the layouts, the best."""
    if len(logs) <= most:
        return layouts, logs
    best = np.argpartition(-logs, most)[:most]
    return layouts[best], logs[best]


def _linked_order(linked: NDArray[np.bool_]) -> list[int]:
    """All qubits, each after one that it is linked to where there is one."""
    order: list[int] = []
    rest = set(range(len(linked)))
    while rest:
        near = [qubit for qubit in sorted(rest) if linked[qubit, order].any()] if order else []
        chosen = near[0] if near else max(sorted(rest), key=lambda qubit: int(linked[qubit].sum()))
        order.append(chosen)
        rest.remove(chosen)
    return order


@lru_cache(maxsize=64)
def _logs(quality: DeviceQuality) -> _Device:
    calibration = quality.calibration
    gate2 = np.full((calibration.qubits, calibration.qubits), -np.inf)
    for row in np.flatnonzero(quality.coupler_usable).tolist():
        first, second = calibration.couplers[row].tolist()
        log = float(np.log1p(-calibration.gate2_error[row]))
        gate2[first, second] = gate2[second, first] = max(gate2[first, second], log)
    gate1, readout = (np.full(calibration.qubits, -np.inf) for _ in range(2))
    gate1[quality.usable] = np.log1p(-calibration.gate1_error[quality.usable])
    readout[quality.usable] = np.log1p(-calibration.readout_error[quality.usable])
    degree = int(np.isfinite(gate2).sum(axis=1).max())
    near = np.argsort(-gate2, axis=1, kind="stable")[:, :degree]
    itself = np.arange(calibration.qubits)[:, None]
    near = np.where(np.isfinite(np.take_along_axis(gate2, near, axis=1)), near, itself)
    return _Device(gate1, readout, gate2, near)
