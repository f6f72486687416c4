"""The simulator behind the study of the estimates, and the table that ships."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Kraus, average_gate_fidelity, state_fidelity
from qiskit_aer import AerSimulator

from benchmarks.scenarios.circuits import circuits
from benchmarks.truth.channels import average_error, gate_noise, misreading, of_unitary, relaxation
from benchmarks.truth.pairs import Pair, cases, make_pair, study_circuits
from benchmarks.truth.simulate import Truth, simulate
from benchmarks.truth.table import pairs_of, read_table, write_table
from qsched.circuits.qpy import from_qpy
from qsched.circuits.transpile import transpile
from qsched.drivers.circuits import read
from qsched.fleet.quality import quality
from qsched.fleet.target import to_target
from qsched_aer.channels import relaxation as aer_relaxation
from qsched_aer.noise import noise
from qsched_aer.snapshots import load_snapshot

times_s = st.floats(20e-6, 300e-6)


@given(error=st.floats(0, 0.3), length_s=st.floats(0, 2e-6), t1_s=times_s, t2_share=st.floats(0.1, 2))
def test_a_gates_average_error_is_the_calibrated_one(error, length_s, t1_s, t2_share):
    t2_s = t1_s * t2_share
    for qubits in (1, 2):
        channel = gate_noise(error, length_s, [t1_s] * qubits, [t2_s] * qubits)
        assert average_error(channel) == pytest.approx(error, abs=1e-9)
        assert channel[0] == pytest.approx(np.eye(4**qubits)[0])  # no state loses its trace


def test_relaxation_and_its_fidelity_are_those_of_its_kraus_operators():
    kraus = Kraus(aer_relaxation(3e-6, 50e-6, 30e-6))
    assert 1 - average_error(relaxation(3e-6, 50e-6, 30e-6)) == pytest.approx(average_gate_fidelity(kraus))


def test_reading_with_errors_is_the_confusion_of_the_outcomes():
    one = np.array([1.0, 0, 0, -1])
    assert (1 - (misreading(0.01, 0.07) @ one)[3]) / 2 == pytest.approx(0.93)


def test_a_gates_matrix_turns_paulis_as_the_gate_does():
    hadamard = of_unitary(np.array([[1, 1], [1, -1]], dtype=complex) / math.sqrt(2))
    assert hadamard == pytest.approx(np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, -1, 0], [0, 1, 0, 0]]))


def test_without_noise_everything_succeeds(make_perfect):
    circuit = circuits([3], seed=1, families=["qft"])[0]
    mapped = transpile(circuit, to_target(make_perfect), level=2, seed=1)
    truth = simulate(from_qpy(mapped.qpy, name="c"), quality(make_perfect))
    assert (truth.success, truth.overlap, truth.hellinger) == pytest.approx((1, 1, 1), abs=1e-9)


@pytest.mark.parametrize("family", ["ghz", "qft", "wstate", "qaoa"])
def test_the_truth_is_that_of_aer_with_the_same_noise(family):
    """On a device whose gates all err more than relaxation alone would, so that both mean the same noise."""
    calibration = load_snapshot("hanoi")
    circuit = circuits([3], seed=1, families=[family])[0]
    qpy = transpile(circuit, to_target(calibration), level=2, seed=1).qpy
    mapped = from_qpy(qpy, name=circuit.name)
    truth = simulate(mapped, quality(calibration))
    state, ideal = _final(noise(calibration).noisy(read(circuit.name, qpy))), _final(_without_delays(mapped))
    used = sorted({mapped.find_bit(qubit).index for step in mapped.data for qubit in step.qubits})
    fidelity = state_fidelity(state, ideal)
    measured = [mapped.find_bit(step.qubits[0]).index for step in mapped.data if step.name == "measure"]
    right = 0.0
    for outcome, probability in enumerate(np.diag(ideal.data).real):
        bits = [outcome >> used.index(qubit) & 1 for qubit in measured]
        errors = [
            (calibration.readout_p01 if bit else calibration.readout_p10)[qubit]
            for bit, qubit in zip(bits, measured, strict=True)
        ]
        right += probability * float(np.prod(1 - np.array(errors)))
    assert truth.success == pytest.approx(fidelity * right, abs=2e-5)


def test_what_follows_a_measurement_is_refused():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    circuit.x(0)
    with pytest.raises(ValueError, match="measure at their end"):
        simulate(circuit, quality(load_snapshot("hanoi")))


def test_a_slice_of_the_table_that_ships_is_what_the_simulator_gives():
    table = read_table()
    devices = ("hanoi", "perth", "guadalupe")
    draws = random.Random(4)
    for device in devices:
        calibration = load_snapshot(device)
        (case,) = cases(draws.choice(study_circuits((3,))), [(calibration, calibration)])
        if case.key not in table:
            pytest.skip(f"the table is of another Qiskit than {version('qiskit')}, or of other calibrations")
        again, kept = make_pair(case), table[case.key]
        assert again.truth.success == pytest.approx(kept.truth.success, abs=1e-9)
        assert again.truth.hellinger == pytest.approx(kept.truth.hellinger, abs=1e-9)
        assert (again.couplers, again.idle_ps) == (kept.couplers, kept.idle_ps)


def test_a_table_reads_back_as_it_was_and_answers_without_simulating(tmp_path):
    calibration = load_snapshot("hanoi")
    (case,) = cases(study_circuits((3,))[0], [(calibration, calibration)])
    pair = Pair(case.key, Truth(0.5, 0.6, 0.7), [0, 1], [3], [0, 1], [1, 1], [1, 1], [0], [5], [1], [2], 9)
    write_table([pair, pair], tmp_path / "table")
    table = read_table(tmp_path / "table")
    assert pairs_of([[case]], table) == [[pair]]
    assert pair.usage.idle_excited.tolist() == [1e-4]


@pytest.fixture
def make_perfect():
    """A device without any error."""
    known = load_snapshot("perth")
    changes = {
        name: np.zeros_like(getattr(known, name))
        for name in ("readout_p10", "readout_p01", "gate1_error", "gate2_error")
    }
    return replace(known, **changes, t1_s=np.full(known.qubits, np.nan), t2_s=np.full(known.qubits, np.nan))


def _final(circuit: QuantumCircuit) -> DensityMatrix:
    """The state of the used qubits at the end, in rising order."""
    used = sorted({circuit.find_bit(qubit).index for step in circuit.data for qubit in step.qubits})
    small = QuantumCircuit(len(used))
    for step in circuit.data:
        if step.name not in ("measure", "barrier"):
            small.append(step.operation, [used.index(circuit.find_bit(qubit).index) for qubit in step.qubits])
    small.save_density_matrix()
    return DensityMatrix(AerSimulator(method="density_matrix").run(small).result().data()["density_matrix"])


def _without_delays(circuit: QuantumCircuit) -> QuantumCircuit:
    bare = circuit.copy_empty_like()
    for step in circuit.data:
        if step.name != "delay":
            bare.append(step)
    return bare
