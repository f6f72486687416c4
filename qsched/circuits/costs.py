"""What gates cost on a device whose entangler is a CNOT and whose pulse is a quarter or half turn (SX, X).

Rotations about Z are virtual and cost nothing. A Hadamard is one pulse between two virtual rotations, any
other one-qubit gate at most two (McKay et al., arXiv:1612.00858). Counts of CNOTs are those of Qiskit's
own definitions, which are the known optima for the gates on two qubits (Vatan & Williams,
arXiv:quant-ph/0308006) and for the Toffoli gate (Shende & Markov, arXiv:0803.2316).

Each entangler brings one pulse with it. On a device with CNOTs it would bring none; where it is made of a CZ
or an ECR, up to two. One is right within 4 % of a circuit's log success on either, because pulses fail some
thirty times less often than entanglers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# Nominal durations decide which path is critical; only their ratios count (35 ns, 280 ns and 1 us on
# fixed-frequency transmons).
PULSE, ENTANGLER, MEASUREMENT = 1.0, 8.0, 30.0


class Path(NamedTuple):
    """A path through a circuit, longest first when compared: nominal length, then what is on it."""

    length: float = 0.0
    pulses: int = 0
    entanglers: int = 0
    measurements: int = 0

    def then(self, pulses: int, entanglers: int, measurements: int, times: int = 1) -> Path:
        """The path with more on it."""
        length = pulses * PULSE + entanglers * ENTANGLER + measurements * MEASUREMENT
        return Path(
            self.length + times * length,
            self.pulses + times * pulses,
            self.entanglers + times * entanglers,
            self.measurements + times * measurements,
        )


NOTHING = Path()
PAIR = frozenset([0, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an operation on several qubits, or a whole circuit, costs.

    Attributes:
        pulses: One-qubit gates that are not virtual.
        entanglers: Two-qubit gates.
        measurements: Measurements.
        path: The critical path.
        depth2: Two-qubit gates on the path that has most of them.
        busy: Sum over qubits of nominal time in operations.
        idle: Sum over qubits of nominal time between their first and last operation without one.
        gates: Gates as the circuit has them, once definitions are written out.
        cliffords: Those of them that are Clifford gates.
        operations: Everything that is left when definitions and loops are written out.
        pairs: Pairs of qubits, by position, that interact.
        interactions: Runs of two-qubit gates on one pair: routing brings a pair together once for each.
        used: Qubits, by position, that something happens to.
        dynamic: Whether there is classical control, or anything after a measurement of the same qubit.
    """

    pulses: int = 0
    entanglers: int = 0
    measurements: int = 0
    path: Path = NOTHING
    depth2: int = 0
    busy: float = 0.0
    idle: float = 0.0
    gates: int = 1
    cliffords: int = 0
    operations: int = 1
    pairs: frozenset[tuple[int, int]] = frozenset()
    interactions: int = 0
    used: frozenset[int] = frozenset()
    dynamic: bool = False


# Pulses of the one-qubit gates without parameters; all Clifford but T and its inverse.
FIXED_1Q = {
    "id": 0, "z": 0, "s": 0, "sdg": 0, "t": 0, "tdg": 0,
    "x": 1, "y": 1, "sx": 1, "sxdg": 1, "h": 1,
}  # fmt: skip
NOT_CLIFFORD_1Q = frozenset(["t", "tdg"])
VIRTUAL_1Q = frozenset(["rz", "p", "u1"])

# Entanglers, and pulses between them, of the gates on several qubits.
FIXED_NQ = {
    "cx": (1, 0), "cz": (1, 0), "cy": (1, 0), "ecr": (1, 0), "ch": (1, 2), "swap": (3, 0), "iswap": (2, 0),
    "dcx": (2, 0), "cs": (2, 0), "csdg": (2, 0), "csx": (2, 0), "cp": (2, 0), "cu1": (2, 0), "crz": (2, 0),
    "crx": (2, 4), "cry": (2, 4), "cu": (2, 4), "cu3": (2, 4), "rzz": (2, 0), "rxx": (2, 2), "ryy": (2, 2),
    "rzx": (2, 2), "xx_plus_yy": (2, 4), "xx_minus_yy": (2, 4), "ccx": (6, 0), "ccz": (6, 0),
    "cswap": (7, 2), "rccx": (3, 4), "rcccx": (6, 8),
}  # fmt: skip
_WIDTHS = {"ccx": 3, "ccz": 3, "cswap": 3, "rccx": 3, "rcccx": 4}
CLIFFORD_2Q = frozenset(["cx", "cz", "cy", "ecr", "swap", "iswap", "dcx"])
# Clifford when the angle is a multiple of this many quarter turns.
CLIFFORD_TURNS = {
    "rz": 1, "p": 1, "u1": 1, "rx": 1, "ry": 1, "r": 1, "u": 1, "u2": 1, "u3": 1,
    "rzz": 1, "rxx": 1, "ryy": 1, "rzx": 1,
    "cp": 2, "cu1": 2, "crz": 2, "crx": 2, "cry": 2,
}  # fmt: skip


def quarter_turns(angle: float) -> int | None:
    """How many quarter turns an angle in radians is, or None if it is no whole number of them."""
    turns = angle / (math.pi / 2)
    return round(turns) if abs(turns - round(turns)) < 1e-9 else None


def pulses_of(name: str, angles: Sequence[float]) -> int:
    """Pulses of a one-qubit rotation (``rx``, ``ry``, ``r``, ``u``, ``u2``, ``u3``) by angles in radians."""
    if name in VIRTUAL_1Q:
        return 0
    if name == "u2":
        return 1
    turns = quarter_turns(angles[0])
    if turns is None:
        return 2
    return 0 if turns % 4 == 0 else 1


def is_clifford(name: str, angles: Sequence[float]) -> bool:
    """Whether a gate of Qiskit's standard library is a Clifford gate at these angles in radians."""
    if not angles:
        return name in CLIFFORD_2Q or (name in FIXED_1Q and name not in NOT_CLIFFORD_1Q)
    step = CLIFFORD_TURNS.get(name)
    if step is None:
        return False
    turns = [quarter_turns(angle) for angle in angles]
    return all(turn is not None and turn % step == 0 for turn in turns)


def unitary_entanglers(qubits: int) -> int:
    """CNOTs of an arbitrary unitary by quantum Shannon decomposition (Shende et al., quant-ph/0406176)."""
    if qubits <= 2:
        return 3 if qubits == 2 else 0
    states: int = 2**qubits
    return math.ceil(23 / 48 * states**2 - 3 / 2 * states + 4 / 3)


def preparation_entanglers(qubits: int) -> int:
    """CNOTs that prepare an arbitrary state (Iten et al., arXiv:1501.06911)."""
    states: int = 2**qubits
    return states - qubits - 1


def block(pulses: int, entanglers: int, qubits: int, *, clifford: bool = False) -> Cost:
    """The cost of a gate on several qubits whose entanglers stand in one row.

    Args:
        pulses: Pulses between the entanglers, spread over the qubits.
        entanglers: Two-qubit gates, each of which brings one pulse with it (see the module's docstring).
        qubits: The gate's qubits.
        clifford: Whether it is a Clifford gate.
    """
    path = NOTHING.then(entanglers + -(-pulses // max(qubits, 1)), entanglers, 0)
    return Cost(
        pulses=pulses + entanglers,
        entanglers=entanglers,
        path=path,
        depth2=entanglers,
        busy=path.length * min(qubits, 2),
        idle=path.length * max(qubits - 2, 0),
        cliffords=int(clifford),
        pairs=frozenset((a, b) for b in range(qubits) for a in range(b)),
        interactions=1 if qubits == 2 else entanglers,
        used=PAIR if qubits == 2 else frozenset(range(qubits)),
    )


STANDARD_NQ = {
    name: block(pulses, entanglers, _WIDTHS.get(name, 2), clifford=name in CLIFFORD_2Q)
    for name, (entanglers, pulses) in FIXED_NQ.items()
}
