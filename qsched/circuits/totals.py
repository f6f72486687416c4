"""The running sums of a walk over a circuit, operation by operation, from its end to its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched.circuits.costs import MEASUREMENT, NOTHING, PAIR, PULSE, Cost

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qiskit.circuit import Clbit

    from qsched.circuits.costs import Path


class Totals:
    """The running sums over n qubits.

    Attributes:
        paths: (n,) the longest path from each qubit's earliest operation so far to the circuit's end.
        depth2: (n,) two-qubit gates on the path that has most of them.
        ends: (n,) nominal time between the end of each qubit's last operation and the circuit's end; below
            0 while there is none.
        runs: (n,) pulses in the run of one-qubit gates that is being read.
        partners: (n,) the qubit of the two-qubit gate that was read last; -1 for none.
        after_reset: (n,) whether a reset was read whose earlier operations are still to come.
        decisions: The longest path, and ``depth2``, from each bit that decides something.
        interactions: Runs of two-qubit gates on one pair.
        operations: Everything so far, written out.
        dynamic: Whether the circuit needs a dynamic device.
    """

    def __init__(self, qubits: int) -> None:
        self.paths = [NOTHING] * qubits
        self.depth2 = [0] * qubits
        self.ends = [-1.0] * qubits
        self.runs = [0] * qubits
        self.partners = [-1] * qubits
        self.after_reset = [False] * qubits
        self.decisions: dict[Clbit, tuple[Path, int]] = {}
        self.pairs: set[tuple[int, int]] = set()
        self.pulses = self.entanglers = self.measurements = self.interactions = 0
        self.gates = self.cliffords = self.operations = 0
        self.busy = 0.0
        self.dynamic = False

    def pulse(self, qubit: int, pulses: int, *, clifford: bool) -> None:
        """A one-qubit gate; a run of them on one qubit merges into at most two pulses."""
        self.gates += 1
        self.cliffords += clifford
        self.operations += 1
        self._reset_first(qubit)
        self._touch(qubit, self.paths[qubit].length)
        more = min(self.runs[qubit] + pulses, 2) - self.runs[qubit]
        if more:
            self.runs[qubit] += more
            self.pulses += more
            self.busy += more * PULSE
            self.paths[qubit] = self.paths[qubit].then(more, 0, 0)

    def measure(self, qubit: int, bit: Clbit) -> None:
        """A measurement; anything that the circuit does to the qubit afterwards makes it dynamic."""
        self.operations += 1
        self.measurements += 1
        self.dynamic |= self.ends[qubit] >= 0
        self._reset_first(qubit)
        decided, depth2 = self.decisions.get(bit, (NOTHING, 0))
        path = max(self.paths[qubit], decided)
        self.depth2[qubit] = max(self.depth2[qubit], depth2)
        self._touch(qubit, path.length)
        self.runs[qubit] = 0
        self.busy += MEASUREMENT
        self.paths[qubit] = path.then(0, 0, 1)

    def decide(self, qubit: int, bits: Iterable[Clbit]) -> None:
        """A block of classical control on this qubit, just read, waits for the measurement of these bits."""
        for bit in bits:
            path, depth2 = self.decisions.get(bit, (NOTHING, 0))
            self.decisions[bit] = max(path, self.paths[qubit]), max(depth2, self.depth2[qubit])

    def reset(self, qubit: int) -> None:
        """A reset takes a measurement's time; before anything else it is free."""
        self.operations += 1
        if self.ends[qubit] >= 0:
            self.after_reset[qubit] = True

    def barrier(self, qubits: Sequence[int]) -> None:
        """Everything before it comes before everything after it."""
        self.operations += 1
        longest = max((self.paths[qubit] for qubit in qubits), default=NOTHING)
        depth2 = max((self.depth2[qubit] for qubit in qubits), default=0)
        for qubit in qubits:
            self.paths[qubit] = longest
            self.depth2[qubit] = depth2
            self.runs[qubit] = 0

    def block(
        self, qubits: Sequence[int], cost: Cost, times: int = 1, *, cliffords: int | None = None
    ) -> None:
        """An operation on several qubits that begins and ends on all of them at once."""
        self.gates += times * cost.gates
        self.cliffords += times * (cost.cliffords if cliffords is None else cliffords)
        self.operations += times * cost.operations
        self.pulses += times * cost.pulses
        self.entanglers += times * cost.entanglers
        self.measurements += times * cost.measurements
        self.busy += times * cost.busy
        self.dynamic |= cost.dynamic
        if not qubits or not times:
            return
        if cost.used is PAIR:
            self._entangle(qubits[0], qubits[1], cost)
            return
        touched = [qubits[position] for position in cost.used] or list(qubits)
        for qubit in touched:
            self._reset_first(qubit)
        longest = max(self.paths[qubit] for qubit in touched)
        path = longest.then(cost.path.pulses, cost.path.entanglers, cost.path.measurements, times)
        depth2 = max(self.depth2[qubit] for qubit in touched) + times * cost.depth2
        if cost.measurements:
            self.dynamic |= any(self.ends[qubit] >= 0 for qubit in touched)
        for qubit in touched:
            self._touch(qubit, longest.length)
            self.paths[qubit] = path
            self.depth2[qubit] = depth2
            self.runs[qubit] = 0
            self.partners[qubit] = -1
        self.interactions += times * cost.interactions
        for a, b in cost.pairs:
            one, other = qubits[a], qubits[b]
            self.pairs.add((one, other) if one < other else (other, one))

    def _entangle(self, one: int, other: int, cost: Cost) -> None:
        """The part of ``block`` that is left for a standard gate on two qubits, and most gates are."""
        self._reset_first(one)
        self._reset_first(other)
        longest = max(self.paths[one], self.paths[other])
        self._touch(one, longest.length)
        self._touch(other, longest.length)
        self.paths[one] = self.paths[other] = longest.then(cost.path.pulses, cost.path.entanglers, 0)
        self.depth2[one] = self.depth2[other] = max(self.depth2[one], self.depth2[other]) + cost.depth2
        self.runs[one] = self.runs[other] = 0
        if self.partners[one] != other or self.partners[other] != one:
            self.interactions += 1
            self.partners[one], self.partners[other] = other, one
        self.pairs.add((one, other) if one < other else (other, one))

    def _touch(self, qubit: int, end: float) -> None:
        if self.ends[qubit] < 0:
            self.ends[qubit] = end

    def _reset_first(self, qubit: int) -> None:
        """Count a reset that comes after the operation that is about to be read."""
        if self.after_reset[qubit]:
            self.after_reset[qubit] = False
            self.dynamic = True
            self.busy += MEASUREMENT
            self.paths[qubit] = self.paths[qubit].then(0, 0, 1)

    def cost(self) -> Cost:
        """What was added up."""
        used = [qubit for qubit, end in enumerate(self.ends) if end >= 0]
        spans = sum(self.paths[qubit].length - self.ends[qubit] for qubit in used)
        return Cost(
            pulses=self.pulses,
            entanglers=self.entanglers,
            measurements=self.measurements,
            path=max(self.paths, default=NOTHING),
            depth2=max(self.depth2, default=0),
            busy=self.busy,
            idle=max(spans - self.busy, 0.0),
            gates=self.gates,
            cliffords=self.cliffords,
            operations=self.operations,
            pairs=frozenset(self.pairs),
            interactions=self.interactions,
            used=frozenset(used),
            dynamic=self.dynamic,
        )
