"""A calibration by gate name and qubit, as one looks it up while reading a circuit."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from qsched.drivers import Rejected

if TYPE_CHECKING:
    from qsched.drivers import Calibration

DEAD_ERROR = 0.5
"""From this error on a gate tells nothing; circuits do not use it."""


class Properties:
    """Errors, durations and relaxation times of one device.

    What the calibration did not measure makes no noise and takes no time, but for gates: one without a
    measured error below ``DEAD_ERROR`` does not exist.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._virtual = frozenset(calibration.virtual_gates)
        self._pulses = frozenset(calibration.one_qubit_gates)
        self._couplers = {
            (int(a), int(b)): index for index, (a, b) in enumerate(calibration.couplers.tolist())
        }

    @property
    def device(self) -> str:
        """The device's name."""
        return self._calibration.device

    @property
    def reset_s(self) -> float:
        """Seconds between shots."""
        return _known(self._calibration.reset_s, 0.0)

    def virtual(self, gate: str) -> bool:
        """Whether a gate takes no time and makes no error."""
        return gate in self._virtual

    def t1_s(self, qubit: int) -> float:
        """T1 in seconds, infinite when not measured."""
        return _known(self._calibration.t1_s[qubit], math.inf)

    def t2_s(self, qubit: int) -> float:
        """T2 in seconds, at most 2 T1, infinite when neither was measured."""
        return min(_known(self._calibration.t2_s[qubit], math.inf), 2 * self.t1_s(qubit))

    def readout(self, qubit: int) -> tuple[float, float]:
        """Probabilities of reading 1 after preparing 0, and 0 after preparing 1."""
        calibration = self._calibration
        return _known(calibration.readout_p10[qubit], 0.0), _known(calibration.readout_p01[qubit], 0.0)

    def readout_s(self, qubit: int) -> float:
        """Seconds that a measurement takes."""
        return _known(self._calibration.readout_s[qubit], 0.0)

    def gate(self, name: str, qubits: tuple[int, ...]) -> tuple[float, float]:
        """Error (a fraction) and duration (seconds) of a native gate that is not virtual.

        Raises:
            Rejected: If the device has no such gate on these qubits, or it is dead.
        """
        calibration = self._calibration
        if len(qubits) == 1 and name in self._pulses:
            error, duration_s = calibration.gate1_error[qubits[0]], calibration.gate1_s[qubits[0]]
        elif len(qubits) == 2 and name == calibration.two_qubit_gate and (at := self._coupler(qubits)) >= 0:
            error, duration_s = calibration.gate2_error[at], calibration.gate2_s[at]
        else:
            raise Rejected(
                f"{self.device} has no gate {name!r} on {_words(qubits)}; "
                "transpile the circuit for this device's calibration first"
            )
        if not 0 <= error < DEAD_ERROR:
            raise Rejected(
                f"gate {name!r} on {_words(qubits)} of {self.device} is dead (error {error}); "
                "transpile the circuit for the usable part of this device"
            )
        return float(error), _known(duration_s, 0.0)

    def _coupler(self, qubits: tuple[int, ...]) -> int:
        """Index of a pair in either order, since a symmetric gate is listed once; -1 for none."""
        a, b = qubits
        return self._couplers.get((a, b), self._couplers.get((b, a), -1))


@lru_cache(maxsize=128)
def properties(calibration: Calibration) -> Properties:
    """The properties of a calibration, made once for each calibration id."""
    return Properties(calibration)


def _known(value: float, default: float) -> float:
    return default if math.isnan(value) else float(value)


def _words(qubits: tuple[int, ...]) -> str:
    if len(qubits) > 3:
        return f"{len(qubits)} qubits"
    return f"qubit{'s' * (len(qubits) > 1)} {', '.join(map(str, qubits))}"
