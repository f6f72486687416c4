"""Whether a twin tells the truth: its counts against exact probabilities, worked out independently."""

from __future__ import annotations

import io
from math import exp, pi, sqrt

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.quantum_info import DensityMatrix, Operator, SuperOp, average_gate_fidelity
from qiskit.transpiler import CouplingMap
from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

from qsched.drivers import DriverError
from qsched.drivers.circuits import read
from qsched_aer.circuits import unroll
from qsched_aer.methods import choose_method
from qsched_aer.properties import properties
from qsched_aer.simulate import Limits, Order, simulate
from qsched_aer.survey import survey


def dumped(circuit: QuantumCircuit) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return buffer.getvalue()


def counts(circuit, calibration=None, *, shots=5000, seed=11, method=None, threads=1):
    qpy_bytes = dumped(circuit)
    circuit = read("it", qpy_bytes)
    size = survey(circuit if calibration else unroll(circuit), calibration and properties(calibration))
    method = method or choose_method("it", size, shots=shots, noisy=bool(calibration), memory_mb=512).method
    (out,) = simulate(
        (Order("it", qpy_bytes, method, size.measured),),
        shots=shots,
        seed=seed,
        calibration=calibration,
        limits=Limits(threads=threads, memory_mb=512),
    )
    assert sum(out.counts.values()) == shots
    return out.counts


def assert_seen(seen, expected):
    """Every outcome is within five standard errors of its exact probability."""
    shots = sum(seen.values())
    for outcome, probability in expected.items():
        error = sqrt(max(probability * (1 - probability), 1 / shots) / shots)
        assert seen.get(outcome, 0) / shots == pytest.approx(probability, abs=5 * error), outcome
    assert sum(expected.values()) == pytest.approx(1)


def one_of(seen, outcome):
    return seen.get(outcome, 0) / sum(seen.values())


METHODS = ["density_matrix", "statevector", "matrix_product_state"]


def exact(calibration, circuit, pair):
    """Probabilities of a two-qubit circuit on a pair, with Aer's own noise functions and a dense matrix."""
    state = DensityMatrix.from_label("00")
    for step in circuit.data:
        on = [pair.index(circuit.find_bit(qubit).index) for qubit in step.qubits]
        if step.name == "measure":
            continue
        where = [pair[index] for index in on]
        t1_s = [float(calibration.t1_s[q]) for q in where]
        t2_s = [min(float(calibration.t2_s[q]), 2 * t1) for q, t1 in zip(where, t1_s, strict=True)]
        if step.name == "delay":
            relax = thermal_relaxation_error(t1_s[0], t2_s[0], step.operation.duration * 1e-12)
            state = state.evolve(SuperOp(relax), on)
            continue
        state = state.evolve(Operator(step.operation), on)
        if step.name == "rz":
            continue
        if len(on) == 1:
            error, duration_s = calibration.gate1_error[where[0]], calibration.gate1_s[where[0]]
        else:
            (at,) = [i for i, c in enumerate(calibration.couplers.tolist()) if set(c) == set(where)]
            error, duration_s = calibration.gate2_error[at], calibration.gate2_s[at]
        relax = SuperOp(thermal_relaxation_error(t1_s[0], t2_s[0], duration_s))
        if len(on) == 2:
            relax = SuperOp(thermal_relaxation_error(t1_s[1], t2_s[1], duration_s)).tensor(relax)
        dim = 2 ** len(on)
        fidelity = average_gate_fidelity(relax)
        weight = max(0, dim * (error - (1 - fidelity)) / (dim * fidelity - 1))
        state = state.evolve(relax, on).evolve(SuperOp(depolarizing_error(weight, len(on))), on)
    ideal = state.probabilities_dict()
    read_as: dict[str, float] = {}
    for outcome, probability in ideal.items():
        for seen in ("00", "01", "10", "11"):
            chance = probability
            for position, qubit in enumerate(pair):
                was, is_ = int(outcome[-1 - position]), int(seen[-1 - position])
                wrong = (calibration.readout_p01 if was else calibration.readout_p10)[qubit]
                chance *= wrong if was != is_ else 1 - wrong
            read_as[seen] = read_as.get(seen, 0) + chance
    return read_as


def bell(first, second, width=30):
    """A Bell pair in sx, rz and cz, with an idle between."""
    circuit = QuantumCircuit(width, 2)
    for qubit in (first, second):
        circuit.rz(pi / 2, qubit)
        circuit.sx(qubit)
        circuit.rz(pi / 2, qubit)
    circuit.cz(first, second)
    circuit.delay(20_000_000, first, unit="dt")  # 20 us
    circuit.rz(pi / 2, second)
    circuit.sx(second)
    circuit.rz(pi / 2, second)
    circuit.measure([first, second], [0, 1])
    return circuit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pair", [(8, 9), (21, 20)])
def test_a_bell_pair_is_as_noisy_as_the_exact_density_matrix(uneven, method, pair):
    circuit = bell(*pair)
    assert_seen(counts(circuit, uneven, method=method), exact(uneven, circuit, list(pair)))


@pytest.mark.parametrize("qubit", [0, 7, 29])
def test_readout_errors_are_those_of_the_measured_qubit(uneven, qubit):
    circuit = QuantumCircuit(30, 1)
    circuit.rz(1, qubit)
    circuit.measure(qubit, 0)
    p10 = float(uneven.readout_p10[qubit])
    assert_seen(counts(circuit, uneven), {"1": p10, "0": 1 - p10})


@pytest.mark.parametrize("qubit", [3, 28])
@pytest.mark.parametrize("method", METHODS)
def test_an_excited_qubit_that_waits_decays_with_its_t1(uneven, qubit, method):
    wait_s = 60e-6
    circuit = QuantumCircuit(30, 1)
    circuit.x(qubit)
    circuit.delay(round(wait_s * 1e12), qubit, unit="dt")
    circuit.measure(qubit, 0)
    survives = exp(-(wait_s + float(uneven.gate1_s[qubit])) / float(uneven.t1_s[qubit]))
    p10, p01 = float(uneven.readout_p10[qubit]), float(uneven.readout_p01[qubit])
    one = survives * (1 - p01) + (1 - survives) * p10
    # The pulse's own error is 1e-4 of this and disappears in the shot noise.
    assert_seen(counts(circuit, uneven, method=method), {"1": one, "0": 1 - one})


def test_a_qubit_that_waits_before_its_first_gate_stays_as_it_was(uneven):
    late = QuantumCircuit(30, 1)
    late.delay(10**12, 5, unit="dt")
    late.x(5)
    late.measure(5, 0)
    now = QuantumCircuit(30, 1)
    now.x(5)
    now.measure(5, 0)
    assert counts(late, uneven) == counts(now, uneven)


def test_unused_qubits_and_their_delays_cost_and_change_nothing(uneven):
    narrow = bell(8, 9)
    padded = bell(8, 9)
    for qubit in range(10, 30):
        padded.delay(5_000, qubit, unit="dt")
    padded.barrier()
    assert counts(padded, uneven) == counts(narrow, uneven)


@pytest.mark.parametrize("calibrated", [True, False])
def test_bit_zero_is_rightmost_and_registers_are_apart(uneven, calibrated):
    circuit = QuantumCircuit(QuantumRegister(30), ClassicalRegister(2, "low"), ClassicalRegister(3, "high"))
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    circuit.x(5)
    circuit.measure(5, 4)
    seen = counts(circuit, uneven if calibrated else None, shots=500)
    assert max(seen, key=seen.__getitem__) == "100 01"


@pytest.mark.parametrize("method", ["density_matrix", "statevector"])
def test_a_dynamic_circuit_corrects_itself(uneven, method):
    circuit = QuantumCircuit(30, 2)
    circuit.sx(6)
    circuit.measure(6, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(6)
    circuit.measure(6, 1)
    seen = counts(circuit, uneven, shots=4000, method=method)
    first = seen.get("01", 0) + seen.get("11", 0)
    assert 0.4 < first / 4000 < 0.6
    assert seen.get("00", 0) + seen.get("01", 0) > 0.9 * 4000


def test_noise_inside_a_branch_is_that_of_its_qubit(uneven):
    circuit = QuantumCircuit(30, 2)
    circuit.x(7)
    circuit.measure(7, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(25)
        circuit.delay(200_000_000, 25, unit="dt")
    circuit.measure(25, 1)
    seen = counts(circuit, uneven, shots=8000)
    taken = {outcome: n for outcome, n in seen.items() if outcome[1] == "1"}
    survives = exp(-200e-6 / float(uneven.t1_s[25]))
    p10, p01 = float(uneven.readout_p10[25]), float(uneven.readout_p01[25])
    assert one_of(taken, "11") == pytest.approx(survives * (1 - p01) + (1 - survives) * p10, abs=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_repeats_the_counts_on_any_number_of_threads(uneven, method):
    runs = [counts(bell(8, 9), uneven, seed=5, method=method, shots=600, threads=n) for n in (1, 2, 1)]
    assert runs[0] == runs[1] == runs[2]
    assert counts(bell(8, 9), uneven, seed=6, method=method, shots=600) != runs[0]


def test_circuits_of_one_task_have_seeds_of_their_own(uneven):
    order = Order("it", dumped(bell(8, 9)), "density_matrix", (8, 9))
    first, second = simulate(
        (order, order), shots=2000, seed=3, calibration=uneven, limits=Limits(threads=1, memory_mb=512)
    )
    assert first.counts != second.counts


def test_a_hundred_qubits_are_no_matter_when_clifford():
    circuit = QuantumCircuit(100)
    circuit.h(0)
    for a, b in CouplingMap.from_line(100, bidirectional=False):
        circuit.cx(a, b)
    circuit.measure_all()
    assert set(counts(circuit, shots=200)) == {"0" * 100, "1" * 100}


def test_wide_shallow_noise_runs_as_a_product_state(uneven):
    circuit = QuantumCircuit(30, 30)
    for qubit in range(5, 30):
        circuit.x(qubit)
    for qubit in range(5, 29, 2):
        circuit.cz(qubit, qubit + 1)
    circuit.measure(range(5, 30), range(5, 30))
    size = survey(circuit, properties(uneven))
    choice = choose_method("it", size, shots=50, noisy=True, memory_mb=16)
    assert choice.method == "matrix_product_state"
    seen = counts(circuit, uneven, shots=50, method="matrix_product_state")
    ones = sum(outcome.count("1") * n for outcome, n in seen.items()) / 50
    expected = 25 - float(uneven.readout_p01[5:].sum())
    assert ones == pytest.approx(expected, abs=1.5)


def test_an_ideal_circuit_may_hold_gates_that_aer_does_not_know():
    inner = QuantumCircuit(2, name="pair")
    inner.h(0)
    inner.cx(0, 1)
    circuit = QuantumCircuit(2, 2)
    circuit.append(inner.to_gate(), [0, 1])
    circuit.append(inner.to_gate().inverse(), [0, 1])
    circuit.measure([0, 1], [0, 1])
    assert counts(circuit, shots=100) == {"00": 100}


def test_what_aer_says_is_passed_on():
    circuit = QuantumCircuit(1, 1)
    circuit.t(0)
    circuit.measure(0, 0)
    with pytest.raises(DriverError, match="'it' as stabilizer"):
        counts(circuit, method="stabilizer")
