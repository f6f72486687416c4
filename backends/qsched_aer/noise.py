"""Putting a calibration's noise into a circuit."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from qsched_aer.channels import gate_noise, relaxation
from qsched_aer.circuits import NOT_GATES, blocks, in_aers_gates
from qsched_aer.properties import properties
from qsched_aer.survey import delay_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit
    from qiskit.circuit import Instruction
    from qiskit_aer.noise import NoiseModel

    from qsched.drivers import Calibration
    from qsched_aer.channels import Kraus


class Noise:
    """The noise of one calibration, made gate by gate as circuits need it and kept.

    A model of the whole device would take seconds to build and to hand to Aer; a circuit uses a few of its
    qubits. So channels go into the circuit itself, as Kraus operators after each gate and in place of each
    delay, and only readout errors of the measured qubits go into Aer's noise model.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._device = properties(calibration)
        self._gates: dict[tuple[str, tuple[int, ...]], Instruction] = {}

    def noisy(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """A copy with noise, and without barriers.

        Args:
            circuit: Transpiled for the device, with explicit delays.

        Returns:
            A circuit on the same qubits.
        """
        return self._noisy(circuit, range(circuit.num_qubits), set())

    def readout(self, qubits: Sequence[int]) -> NoiseModel:
        """The readout errors of some qubits."""
        from qiskit_aer.noise import NoiseModel, ReadoutError

        model = NoiseModel()
        for qubit in qubits:
            p10, p01 = self._device.readout(qubit)
            if p10 or p01:
                model.add_readout_error(ReadoutError([[1 - p10, p10], [p01, 1 - p01]]), [qubit])
        return model

    def _noisy(self, circuit: QuantumCircuit, physical: Sequence[int], started: set[int]) -> QuantumCircuit:
        from qiskit.circuit import CircuitInstruction

        index = dict(zip(circuit.qubits, physical, strict=True))
        noisy = circuit.copy_empty_like()
        for instruction in circuit.data:
            name, qubits = instruction.name, instruction.qubits
            on = tuple(index[qubit] for qubit in qubits)
            if name == "barrier":
                continue
            if name == "delay":
                # Relaxation leaves a qubit that nothing has touched in its ground state.
                if on[0] in started:
                    noisy.append(CircuitInstruction(self._idle(on[0], delay_s(instruction)), qubits))
                continue
            started.update(on)
            if bodies := blocks(instruction):
                inner = [self._noisy(body, on, started) for body in bodies]
                noisy.append(instruction.replace(operation=instruction.operation.replace_blocks(inner)))
                continue
            noisy.append(in_aers_gates(instruction))
            if not (name in NOT_GATES or self._device.virtual(name)):
                noisy.append(CircuitInstruction(self._gate(name, on), qubits))
        return noisy

    def _gate(self, name: str, on: tuple[int, ...]) -> Instruction:
        if (name, on) not in self._gates:
            device = self._device
            error, duration_s = device.gate(name, on)
            t1_s, t2_s = [device.t1_s(qubit) for qubit in on], [device.t2_s(qubit) for qubit in on]
            self._gates[name, on] = _instruction(gate_noise(error, duration_s, t1_s, t2_s))
        return self._gates[name, on]

    def _idle(self, qubit: int, duration_s: float) -> Instruction:
        return _instruction(relaxation(duration_s, self._device.t1_s(qubit), self._device.t2_s(qubit)))


@lru_cache(maxsize=64)
def noise(calibration: Calibration) -> Noise:
    """The noise of a calibration, made once for each calibration id."""
    return Noise(calibration)


def _instruction(kraus: Kraus) -> Instruction:
    from qiskit.circuit import Instruction

    return Instruction("kraus", len(kraus[0]).bit_length() - 1, 0, kraus)
