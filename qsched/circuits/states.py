"""The state of each qubit while a circuit runs without noise, as far as it can be known cheaply.

What a qubit loses while it waits depends on what it holds: a qubit in 0 loses nothing, one in 1 relaxes and
does not dephase, half of an entangled pair does both. So the circuit is followed in groups of qubits that its
gates have entangled, each group with its state vector, as long as it is small. The qubits of a larger group
are taken as maximally mixed, which in a widely entangled state they nearly are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Amplitudes = NDArray[np.complex128]

GROUP_LIMIT = 10
"""Qubits of the largest group that is followed: two thousand gates on it take a tenth of a second."""


class Reduced(NamedTuple):
    """The state of one qubit among the others, as a density matrix.

    Attributes:
        excited: Probability that it holds 1.
        coherence: Magnitude of the matrix's other element, at most 1/2.
    """

    excited: float
    coherence: float


MIXED = Reduced(0.5, 0.0)

_NOTHING: Amplitudes = np.eye(2, dtype=np.complex128)


class _Group:
    """Qubits that gates have joined; ``vector`` has one axis a qubit, or is None when it is not known."""

    def __init__(self, qubits: list[int], vector: Amplitudes | None) -> None:
        self.qubits, self.vector = qubits, vector


class States:
    """The states of a circuit's qubits, all 0 at first. Qubits are the device's."""

    def __init__(self) -> None:
        self._groups: dict[int, _Group] = {}
        # One-qubit gates wait for the next gate on two qubits, and are applied together with it.
        self._waiting: dict[int, Amplitudes] = {}

    def apply(self, matrix: Amplitudes | None, qubits: Sequence[int]) -> None:
        """Follow an operation.

        Args:
            matrix: Of a gate on one or two qubits, the first one less significant; None for whatever else
                (a measurement, a reset, classical control), after which these qubits' groups are not known.
            qubits: What it acts on.
        """
        if matrix is not None and len(qubits) == 1:
            before = self._waiting.get(qubits[0])
            self._waiting[qubits[0]] = matrix if before is None else matrix @ before
            return
        group = self._joined(qubits)
        if matrix is None or len(qubits) > 2:
            group.vector = None
        if group.vector is None or matrix is None:
            return
        first, second = (self._waiting.pop(qubit, _NOTHING) for qubit in qubits)
        if first is not _NOTHING or second is not _NOTHING:
            matrix = matrix @ np.multiply.outer(second, first).transpose(0, 2, 1, 3).reshape(4, 4)
        # An axis of the matrix for each qubit, the last one first, out then in.
        axes = [group.qubits.index(qubit) for qubit in reversed(qubits)]
        moved = np.tensordot(matrix.reshape(2, 2, 2, 2), group.vector, axes=((2, 3), axes))
        group.vector = np.moveaxis(moved, (0, 1), axes)

    def of(self, qubit: int) -> Reduced:
        """The state of one qubit now."""
        group = self._group(qubit)
        if group.vector is None:
            return MIXED
        zero, one = np.moveaxis(group.vector, group.qubits.index(qubit), 0).reshape(2, -1)
        together = np.vdot(one, zero)
        density = np.array([[np.vdot(zero, zero), together], [np.conj(together), np.vdot(one, one)]])
        if qubit in self._waiting:
            density = self._waiting[qubit] @ density @ self._waiting[qubit].conj().T
        return Reduced(min(max(float(density[1, 1].real), 0.0), 1.0), min(float(abs(density[0, 1])), 0.5))

    def _group(self, qubit: int) -> _Group:
        if qubit not in self._groups:
            self._groups[qubit] = _Group([qubit], np.array([1, 0], dtype=np.complex128))
        return self._groups[qubit]

    def _joined(self, qubits: Sequence[int]) -> _Group:
        """One group that holds all of these qubits."""
        groups = list({id(group): group for group in map(self._group, qubits)}.values())
        joined = groups[0]
        for other in groups[1:]:
            known = len(joined.qubits) + len(other.qubits) <= GROUP_LIMIT
            if known and joined.vector is not None and other.vector is not None:
                joined.vector = np.multiply.outer(joined.vector, other.vector)
            else:
                joined.vector = None
            joined.qubits += other.qubits
            for qubit in other.qubits:
                self._groups[qubit] = joined
        return joined
