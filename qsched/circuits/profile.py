"""The profile of a circuit: the numbers that describe it, independent of any backend."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from qsched.circuits.costs import ENTANGLER, PULSE
from qsched.circuits.hashing import circuit_hash
from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.walk import Walker

if TYPE_CHECKING:
    from collections.abc import Collection

    from qiskit import QuantumCircuit

    from qsched.circuits.costs import Cost

_CACHE_SIZE = 4096


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a circuit needs of any device, before it is mapped to one.

    Gates are counted as on a device with the entangler CNOT and the pulses SX and X, all qubits coupled:
    see ``costs``. A ``while`` loop counts once, of several branches the longest, delays not at all.

    Attributes:
        hash: The circuit's content hash.
        qubits: Qubits that something happens to.
        n1: Pulses (one-qubit gates that are not virtual).
        n2: Two-qubit gates.
        measurements: Measurements.
        depth2: Two-qubit gates on the path that has most of them.
        path1: Pulses on the critical path.
        path2: Two-qubit gates on the critical path.
        path_m: Measurements and resets on the critical path.
        idle: Time that qubits wait between their first and last operation, in an as-late-as-possible
            schedule, summed over the qubits; in two-qubit gates with a pulse each.
        interactions: Runs of two-qubit gates on one pair of qubits: routing brings a pair together once for
            each.
        density: Distinct interacting pairs of qubits over n(n-1)/2, in [0, 1].
        line: Whether the interacting pairs form lines, which most devices can hold without routing.
        cliffordness: Share of the gates that are Clifford gates, in [0, 1]; 1 without gates.
        dynamic: Whether there is classical control, or anything after a measurement of the same qubit.
    """

    hash: str
    qubits: int
    n1: int
    n2: int
    measurements: int
    depth2: int
    path1: int
    path2: int
    path_m: int
    idle: float
    interactions: int
    density: float
    line: bool
    cliffordness: float
    dynamic: bool


_cache: OrderedDict[str, Profile] = OrderedDict()


def profile(circuit: QuantumCircuit, *, limits: Limits = DEFAULT_LIMITS) -> Profile:
    """The profile of a circuit, from a cache when a circuit of the same content was seen before.

    Args:
        circuit: With or without free parameters; its name is used in errors.
        limits: What to accept.

    Raises:
        CircuitError: If the circuit is over a limit, a gate has no definition, or an angle is not finite.
    """
    content = circuit_hash(circuit, limits=limits)
    if (known := _cache.get(content)) is not None:
        _cache.move_to_end(content)
        return known
    made = _profile(content, Walker(circuit.name, limits).walk(circuit))
    _cache[content] = made
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return made


def _profile(content: str, cost: Cost) -> Profile:
    qubits = len(cost.used)
    return Profile(
        hash=content,
        qubits=qubits,
        n1=cost.pulses,
        n2=cost.entanglers,
        measurements=cost.measurements,
        depth2=cost.depth2,
        path1=cost.path.pulses,
        path2=cost.path.entanglers,
        path_m=cost.path.measurements,
        idle=cost.idle / (ENTANGLER + PULSE),
        interactions=cost.interactions,
        density=len(cost.pairs) / (qubits * (qubits - 1) / 2) if qubits > 1 else 0.0,
        line=_forms_lines(cost.pairs),
        cliffordness=cost.cliffords / cost.gates if cost.gates else 1.0,
        dynamic=cost.dynamic,
    )


def _forms_lines(pairs: Collection[tuple[int, int]]) -> bool:
    """Whether every qubit has at most two partners, and no row of partners ends where it began."""
    partners: dict[int, list[int]] = {}
    for one, other in pairs:
        partners.setdefault(one, []).append(other)
        partners.setdefault(other, []).append(one)
    if any(len(each) > 2 for each in partners.values()):
        return False
    reached = {qubit for qubit, each in partners.items() if len(each) == 1}
    front = list(reached)
    while front:
        new = [other for other in partners[front.pop()] if other not in reached]
        reached.update(new)
        front += new
    return len(reached) == len(partners)
