"""What a transpiled and scheduled circuit uses of a device."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qsched.circuits.states import Reduced

    Ints = NDArray[np.int64]
    Indices = NDArray[np.int32]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """How often, and for how long, a circuit uses which part of a device. Arrays are read-only.

    U is the number of couplers used, V of qubits used, K of idle intervals. Qubits have the device's numbers.
    Virtual gates are not counted. Of several branches the longest is counted, a ``while`` loop once.

    Attributes:
        couplers: (U, 2) pairs of qubits in the gates' order (a direction may be dead), in rising order.
        coupler_gates: (U,) two-qubit gates on each.
        qubits: (V,) qubits used, in rising order.
        gates1: (V,) pulses on each.
        measurements: (V,) measurements of each.
        idle_qubit: (K,) the qubit of each interval in which a qubit waits between its first and last
            operation, in the order of time on each qubit. Gates, measurements and resets are operations.
        idle_s: (K,) its length in seconds.
        idle_excited: (K,) the probability that the qubit holds 1 meanwhile, in a run without noise.
        idle_coherence: (K,) the magnitude of its density matrix's other element then, at most 1/2. Where it
            is not known what a qubit holds, it is taken as maximally mixed: 1/2 and 0 (see ``states``).
        critical_path_s: Seconds from the start of the first operation to the end of the last, measurements
            included.
    """

    couplers: Indices
    coupler_gates: Ints
    qubits: Indices
    gates1: Ints
    measurements: Ints
    idle_qubit: Indices
    idle_s: Floats
    idle_excited: Floats
    idle_coherence: Floats
    critical_path_s: float


@dataclass(slots=True)
class Tally:
    """The counts of a usage while they are made."""

    pulses: Counter[int] = field(default_factory=Counter)
    measurements: Counter[int] = field(default_factory=Counter)
    couplers: Counter[tuple[int, int]] = field(default_factory=Counter)
    used: set[int] = field(default_factory=set)
    idle: list[tuple[int, float, Reduced]] = field(default_factory=list)

    def usage(self, critical_path_s: float) -> Usage:
        """The counts as columns."""
        qubits = sorted(self.used)
        couplers = sorted(self.couplers)
        idle = sorted(self.idle, key=lambda interval: interval[0])
        columns = (
            np.array(couplers, dtype=np.int32).reshape(-1, 2),
            np.array([self.couplers[pair] for pair in couplers], dtype=np.int64),
            np.array(qubits, dtype=np.int32),
            np.array([self.pulses[qubit] for qubit in qubits], dtype=np.int64),
            np.array([self.measurements[qubit] for qubit in qubits], dtype=np.int64),
            np.array([qubit for qubit, _, _ in idle], dtype=np.int32),
            np.array([length_s for _, length_s, _ in idle], dtype=np.float64),
            np.array([holds.excited for _, _, holds in idle], dtype=np.float64),
            np.array([holds.coherence for _, _, holds in idle], dtype=np.float64),
        )
        for column in columns:
            column.setflags(write=False)
        return Usage(*columns, critical_path_s=critical_path_s)
