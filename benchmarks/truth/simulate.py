"""The truth of one transpiled circuit: its noisy state, exactly, from the calibration it was transpiled for.

The state is kept as its 4^n Pauli expectations, which are real. One-qubit channels are gathered and applied
together with the next two-qubit gate. Only the qubits that the circuit uses are simulated.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from benchmarks.truth.channels import gate_noise, misreading, of_unitary, relaxation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qsched.api.calibration import Calibration
    from qsched.fleet.quality import DeviceQuality

    Floats = NDArray[np.float64]

_TO_PROBABILITIES = np.array([[0.5, 0.5], [0.5, -0.5]])
_PULSES = {"u": 2, "u3": 2}


class Truth(msgspec.Struct, frozen=True, array_like=True):
    """How well a circuit really does on a calibrated device.

    Attributes:
        success: The chance that nothing went wrong: the fidelity of the noisy state before its measurement
            with the ideal one, times the chance that an outcome of the ideal state is read as it is.
        overlap: Fidelity of the two states after the readout errors, these taken as a channel; where two
            errors undo each other, or one does not matter to the state, nothing is lost.
        hellinger: Hellinger fidelity of the two distributions of outcomes, with the exact confusion of each
            readout.
    """

    success: float
    overlap: float
    hellinger: float


def simulate(circuit: QuantumCircuit, quality: DeviceQuality) -> Truth:
    """Simulate a circuit that was transpiled and scheduled.

    Args:
        circuit: On the device's qubits, with a delay in seconds wherever a qubit waits; measurements last.
        quality: The calibration, with missing durations and T1, T2 filled in.

    Raises:
        ValueError: If something follows a measurement of the same qubit, or there is classical control.
    """
    return _Run(circuit, quality).truth()


class _Run:
    """One circuit on its used qubits: ``axis[physical]`` is where a qubit stands in the state's tensor."""

    def __init__(self, circuit: QuantumCircuit, quality: DeviceQuality) -> None:
        self._quality = quality
        number = {qubit: position for position, qubit in enumerate(circuit.qubits)}
        steps = [
            (step, [number[qubit] for qubit in step.qubits])
            for step in circuit.data
            if step.name != "barrier"
        ]
        used = sorted({qubit for _, qubits in steps for qubit in qubits})
        self._axis = {qubit: axis for axis, qubit in enumerate(used)}
        self.measured: list[int] = []
        self._ideal, self._noisy = _State(len(used)), _State(len(used))
        for step, qubits in steps:
            self._apply(step, qubits)

    def _apply(self, step: Any, qubits: list[int]) -> None:
        if not set(qubits).isdisjoint(self.measured) or step.is_control_flow() or step.name == "reset":
            raise ValueError(
                f"{step.name} on {qubits}: only circuits that measure at their end are simulated"
            )
        axes = [self._axis[qubit] for qubit in qubits]
        if step.name == "measure":
            self.measured.append(qubits[0])
        elif step.name == "delay":
            self._noisy.apply(self._idle(qubits[0], float(step.operation.duration)), axes)
        else:
            gate = _gate(step.name, tuple(float(angle) for angle in step.params))
            self._ideal.apply(gate, axes)
            virtual = step.name in self._quality.calibration.virtual_gates
            noisy = gate if virtual else _noise(step.name, tuple(qubits), self._quality) @ gate
            self._noisy.apply(noisy, axes)

    def _idle(self, qubit: int, length_s: float) -> Floats:
        return relaxation(length_s, self._quality.qubit_t1_s[qubit], self._quality.qubit_t2_s[qubit])

    def truth(self) -> Truth:
        """What the finished states say."""
        calibration = self._quality.calibration
        axes = [self._axis[qubit] for qubit in self.measured]
        p10 = calibration.readout_p10[self.measured].tolist()
        p01 = calibration.readout_p01[self.measured].tolist()
        fidelity = self._ideal.fidelity(self._noisy)
        outcomes, noisy_outcomes = self._ideal.probabilities(axes), self._noisy.probabilities(axes)
        right = outcomes
        for bit, (up, down) in enumerate(zip(p10, p01, strict=True)):
            right = _on_axis(np.diag([1 - up, 1 - down]), right, bit)
            noisy_outcomes = _on_axis(np.array([[1 - up, down], [up, 1 - down]]), noisy_outcomes, bit)
        for axis, up, down in zip(axes, p10, p01, strict=True):
            self._noisy.apply(misreading(up, down), [axis])
        agreement = np.sqrt(np.clip(outcomes * noisy_outcomes, 0, None)).sum() ** 2
        return Truth(
            success=fidelity * float(right.sum()),
            overlap=self._ideal.fidelity(self._noisy),
            hellinger=float(agreement),
        )


class _State:
    """Pauli expectations of n qubits that start in their ground states."""

    def __init__(self, qubits: int) -> None:
        self._tensor = np.zeros((4,) * qubits)
        self._tensor[np.ix_(*[[0, 3]] * qubits)] = 1.0
        self._waiting: list[Floats | None] = [None] * qubits

    def apply(self, channel: Floats, axes: Sequence[int]) -> None:
        """A channel on one or two qubits."""
        if len(axes) == 1:
            before = self._waiting[axes[0]]
            self._waiting[axes[0]] = channel if before is None else channel @ before
            return
        first, second = axes
        identity = np.eye(4)
        ones = [self._waiting[axis] for axis in (second, first)]
        channel = channel @ np.kron(*[identity if one is None else one for one in ones])
        self._waiting[first] = self._waiting[second] = None
        moved = np.tensordot(channel.reshape(4, 4, 4, 4), self._tensor, axes=((2, 3), (second, first)))
        self._tensor = np.moveaxis(moved, (0, 1), (second, first))

    def fidelity(self, other: _State) -> float:
        """Tr(rho sigma), the fidelity where one of them is pure."""
        mine, theirs = self._finished(), other._finished()
        return float(np.vdot(mine, theirs) / 2.0**mine.ndim)

    def probabilities(self, axes: Sequence[int]) -> Floats:
        """(2, 2, ...) of the outcomes of these qubits, in this order; the others are not measured."""
        tensor = self._finished()
        index = [np.array([0, 3]) if axis in axes else np.array([0]) for axis in range(tensor.ndim)]
        diagonal: Floats = tensor[np.ix_(*index)].squeeze(
            tuple(axis for axis in range(tensor.ndim) if axis not in axes)
        )
        diagonal = np.transpose(diagonal, np.argsort(np.argsort(axes)))
        for axis in range(diagonal.ndim):
            diagonal = _on_axis(_TO_PROBABILITIES, diagonal, axis)
        return diagonal

    def _finished(self) -> Floats:
        """The expectations, nothing waiting."""
        for axis, channel in enumerate(self._waiting):
            if channel is not None:
                self._tensor = _on_axis(channel, self._tensor, axis)
                self._waiting[axis] = None
        return self._tensor


def _on_axis(matrix: Floats, tensor: Floats, axis: int) -> Floats:
    return np.moveaxis(np.tensordot(matrix, tensor, axes=(1, axis)), 0, axis)


@lru_cache(maxsize=4096)
def _gate(name: str, angles: tuple[float, ...]) -> Floats:
    """The Pauli transfer matrix of one of Qiskit's standard gates."""
    from qiskit.circuit.library import get_standard_gate_name_mapping

    gate = get_standard_gate_name_mapping()[name].to_mutable()
    gate.params = list(angles)
    return of_unitary(gate.to_matrix())


@lru_cache(maxsize=65_536)
def _noise(name: str, qubits: tuple[int, ...], quality: DeviceQuality) -> Floats:
    """What follows a gate of the device on these qubits."""
    calibration: Calibration = quality.calibration
    if len(qubits) == 1:
        pulses = _PULSES.get(name, 1)
        error = 1 - (1 - float(calibration.gate1_error[qubits[0]])) ** pulses
        length_s = pulses * float(quality.gate1_s[qubits[0]])
    else:
        row = _coupler(quality, *qubits)
        error, length_s = float(calibration.gate2_error[row]), float(quality.gate2_s[row])
    t1_s, t2_s = quality.qubit_t1_s[list(qubits)].tolist(), quality.qubit_t2_s[list(qubits)].tolist()
    return gate_noise(error, length_s, t1_s, t2_s)


def _coupler(quality: DeviceQuality, first: int, second: int) -> int:
    """The calibration's row of a pair; the other direction's where a gate is listed once."""
    pairs = quality.calibration.couplers
    for pair in ((first, second), (second, first)):
        rows = np.flatnonzero((pairs == pair).all(axis=1))
        if rows.size:
            return int(rows[0])
    raise ValueError(f"the calibration of {quality.calibration.device} has no coupler ({first}, {second})")
