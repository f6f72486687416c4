"""The same work without qsched: Qiskit's ``transpile`` and ``AerSimulator``, as a careful user calls them.

Noise is built from a device's calibration once, before anything is timed, and reused: either as a model of
the whole device, the same as ``NoiseModel.from_backend`` makes, or leaner, cut to what each circuit uses,
because Aer takes in the whole model on every run. Unlike a twin, neither relaxes qubits while they idle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from qiskit import transpile
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors

from benchmarks.scenarios.twin_jobs import SHOTS
from qsched.fleet.fleet_file import load_fleet
from qsched.fleet.target import to_target
from qsched_aer.catalog import device_calibration

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target

    from benchmarks.scenarios.twin_jobs import TwinJob

Model = Literal["whole", "lean"]


def run_directly(job: TwinJob, model: Model, threads: int = 0) -> dict[str, int]:
    """Transpile and simulate one job.

    Args:
        job: What to run.
        model: Which noise model.
        threads: Of Aer; all processors by default, as Aer's own default is.

    Returns:
        Counts.
    """
    device = _device(job.backend)
    circuit = transpile(job.circuit, target=device.target, optimization_level=job.level, seed_transpiler=0)
    noise = device.lean_model(circuit) if model == "lean" else device.whole_model
    counts: dict[str, int] = (
        _simulator(threads).run(circuit, shots=SHOTS, noise_model=noise).result().get_counts()
    )
    return counts


def build(backend: str) -> None:
    """Make the noise of a backend now, rather than with its first job."""
    _device(backend)


class _Device:
    """A device's target and noise."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._gates = {
            (name, tuple(qubits)): error for name, qubits, error in basic_device_gate_errors(target=target)
        }
        self._readout = {qubits[0]: error for qubits, error in basic_device_readout_errors(target=target)}
        everything = {*self._gates, *(("measure", (qubit,)) for qubit in self._readout)}
        self.whole_model = self._model(everything)

    def lean_model(self, circuit: QuantumCircuit) -> NoiseModel:
        """The noise of what a transpiled circuit uses, and no other."""
        index = {qubit: position for position, qubit in enumerate(circuit.qubits)}
        return self._model(
            {(each.name, tuple(index[qubit] for qubit in each.qubits)) for each in circuit.data}
        )

    def _model(self, used: set[tuple[str, tuple[int, ...]]]) -> NoiseModel:
        model = NoiseModel(basis_gates=list(self.target.operation_names))
        for name, qubits in used:
            if name == "measure":
                model.add_readout_error(self._readout[qubits[0]], qubits)
            elif (name, qubits) in self._gates:
                model.add_quantum_error(self._gates[name, qubits], name, qubits, warnings=False)
        return model


@lru_cache
def _device(backend: str) -> _Device:
    (declared,) = (each for each in load_fleet(None) if each.metadata.name == backend)
    calibration = device_calibration(declared.spec.device)
    assert calibration is not None
    return _Device(to_target(calibration))


@lru_cache
def _simulator(threads: int) -> AerSimulator:
    return AerSimulator(max_parallel_threads=threads)
