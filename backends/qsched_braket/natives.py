"""Native gates of Braket's QPUs, written for a verbatim box.

A circuit that qsched transpiled has the gates of the device's calibration. Each kind of device has a writer,
which turns them into lines of OpenQASM in the native gates that Amazon lists for it. The gates are defined in
``braket.circuits.gates``:

- ``prx(t, p)`` is a rotation by t about the axis (cos p, sin p, 0), Qiskit's ``r``;
- ``gpi2(p)`` is ``prx(pi/2, p)``, and ``gpi(p)`` is ``prx(pi, p)``, up to a phase;
- ``ms(p, q, t)`` is ``rxx(t)`` between Rz(-p) and Rz(p) on one qubit, and likewise q on the other;
- ``zz(t)`` is ``rzz(t)``.
"""

from __future__ import annotations

from collections import defaultdict
from math import pi
from typing import TYPE_CHECKING, Protocol

from qsched.drivers import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPSILON = 1e-12


class Writer(Protocol):
    """Writes one gate after the other."""

    def write(self, name: str, angles: Sequence[float], qubits: Sequence[int]) -> list[str]:
        """Lines for a gate of Qiskit's; raises KeyError if the device has none such."""
        ...


class Rotations:
    """IQM: phased rotations and cz."""

    def write(self, name: str, angles: Sequence[float], qubits: Sequence[int]) -> list[str]:
        """See ``Writer``."""
        if name == "r":
            return [_line("prx", angles, qubits)]
        return [_line({"cz": "cz"}[name], (), qubits)]


class Frames:
    """Rigetti: quarter and half turns about x, virtual rz, and iswap or cz."""

    def write(self, name: str, angles: Sequence[float], qubits: Sequence[int]) -> list[str]:
        """See ``Writer``."""
        match name:
            case "sx":
                return [_line("rx", (pi / 2,), qubits)]
            case "x":
                return [_line("rx", (pi,), qubits)]
            case "rz":
                return [_line("rz", angles, qubits)]
        return [_line({"iswap": "iswap", "cz": "cz"}[name], (), qubits)]


class Ions:
    """IonQ: gpi, gpi2, and ms or zz; a virtual rz turns the phases of all that follows on its qubit.

    A pulse after Rz(z) is the pulse with its phase less z, and then Rz(z):
    ``R(t, p) Rz(z) = Rz(z) R(t, p - z)``. Before a measurement Rz has no effect.
    """

    def __init__(self) -> None:
        self._turned: dict[int, float] = defaultdict(float)

    def write(self, name: str, angles: Sequence[float], qubits: Sequence[int]) -> list[str]:
        """See ``Writer``."""
        match name:
            case "rz":
                self._turned[qubits[0]] += angles[0]
                return []
            case "sx":
                return [_line("gpi2", (self._phase(qubits[0]),), qubits)]
            case "x":
                return [_line("gpi", (self._phase(qubits[0]),), qubits)]
            case "rxx":
                return self._ms(angles[0], qubits)
            case "rzz":
                return self._zz(angles[0], qubits)
        raise KeyError(name)

    def _ms(self, angle: float, qubits: Sequence[int]) -> list[str]:
        """An ms turns by 0 to pi/2; beyond that there is a half turn, which is an x on both qubits."""
        angle, half = _folded(angle)
        lines = [_line("gpi", (self._phase(qubit),), (qubit,)) for qubit in qubits] if half else []
        if abs(angle) > _EPSILON:
            first, second = (self._phase(qubit) for qubit in qubits)
            back = pi if angle < 0 else 0.0
            lines.append(_line("ms", (_turn(first + back), second, abs(angle)), qubits))
        return lines

    def _zz(self, angle: float, qubits: Sequence[int]) -> list[str]:
        """A zz turns by -pi/2 to pi/2; beyond that there is a half turn, which is a z on both qubits."""
        angle, half = _folded(angle)
        if half:
            for qubit in qubits:
                self._turned[qubit] += pi
        return [_line("zz", (angle,), qubits)] if abs(angle) > _EPSILON else []

    def _phase(self, qubit: int) -> float:
        return _turn(-self._turned[qubit])


def writer(natives: frozenset[str]) -> Writer:
    """The writer for a device with these native gates.

    Raises:
        Rejected: If there is none.
    """
    if natives >= {"prx", "cz"}:
        return Rotations()
    if natives >= {"gpi", "gpi2"}:
        return Ions()
    if natives >= {"rx", "rz"}:
        return Frames()
    raise Rejected(
        f"qsched cannot write native circuits with the gates {', '.join(sorted(natives)) or '(none)'}"
    )


def line(gate: str, angles: Sequence[float], qubits: Sequence[str]) -> str:
    """A gate in OpenQASM; angles with all their digits."""
    given = f"({', '.join(repr(float(angle)) for angle in angles)})" if angles else ""
    return f"{gate}{given} {', '.join(qubits)};"


def _line(gate: str, angles: Sequence[float], qubits: Sequence[int]) -> str:
    return line(gate, angles, [f"${qubit}" for qubit in qubits])


def _turn(angle: float) -> float:
    """The angle in (-pi, pi]."""
    angle %= 2 * pi
    return angle - 2 * pi if angle > pi else angle


def _folded(angle: float) -> tuple[float, bool]:
    """An angle of rxx or rzz in [-pi/2, pi/2], and whether a half turn is left; both up to a global phase."""
    angle = _turn(angle)
    if abs(angle) <= pi / 2 + _EPSILON:
        return angle, False
    return _turn(angle - pi), True
