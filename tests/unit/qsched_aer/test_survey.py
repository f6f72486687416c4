from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector, schmidt_decomposition

from qsched.drivers import Rejected
from qsched_aer.properties import properties
from qsched_aer.survey import survey


def test_only_touched_qubits_count(uneven):
    circuit = QuantumCircuit(30, 1)
    circuit.barrier()
    circuit.delay(1000, 3, unit="dt")
    circuit.sx(12)
    circuit.measure(12, 0)
    found = survey(circuit, properties(uneven))
    assert found.qubits == found.measured == (12,)


def test_the_critical_path_is_in_seconds_and_ends_with_the_last_operation(uneven):
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)  # 40 ns
    circuit.rz(1, 0)
    circuit.cz(0, 1)  # 200 ns
    circuit.delay(300_000, 1, unit="dt")  # 300 ns, in picoseconds
    circuit.measure(1, 1)  # 1 us
    circuit.delay(900_000_000, 1, unit="dt")
    assert survey(circuit, properties(uneven)).critical_path_s == pytest.approx(1.54e-6)


def test_a_branch_starts_when_its_bit_is_known(uneven):
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    found = survey(circuit, properties(uneven))
    assert found.critical_path_s == pytest.approx(1.04e-6)
    assert not found.final


@pytest.mark.parametrize(
    ("after", "final"),
    [("nothing", True), ("delay", True), ("barrier", True), ("x", False), ("reset", False)],
)
def test_measurements_are_final_when_nothing_happens_after_them(uneven, after, final):
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    circuit.x(1)
    if after == "delay":
        circuit.delay(5, 0)
    elif after != "nothing":
        getattr(circuit, after)(0)
    circuit.measure(1, 1)
    assert survey(circuit, properties(uneven)).final == final


def one_gate(name, *qubits):
    circuit = QuantumCircuit(30, 1)
    getattr(circuit, name)(*qubits)
    return circuit


@pytest.mark.parametrize(
    ("name", "qubits", "message"),
    [
        ("h", (0,), "no gate 'h' on qubit 0"),
        ("cx", (0, 1), "no gate 'cx' on qubits 0, 1"),
        ("cz", (0, 5), "no gate 'cz' on qubits 0, 5"),
        ("cz", (1, 2), "'cz' on qubits 1, 2 of uneven is dead"),
        ("sx", (4,), "'sx' on qubit 4 of uneven is dead"),
    ],
)
def test_what_the_device_has_not_is_rejected(uneven, name, qubits, message):
    with pytest.raises(Rejected, match=message):
        survey(one_gate(name, *qubits), properties(uneven))


def test_a_symmetric_gate_works_both_ways(uneven):
    assert survey(one_gate("cz", 6, 5), properties(uneven)).qubits == (5, 6)


def test_a_rotation_is_clifford_at_quarter_turns_only():
    circuit = QuantumCircuit(1)
    circuit.rz(3 * pi / 2, 0)
    assert survey(circuit, None).clifford
    circuit.rz(0.1, 0)
    assert not survey(circuit, None).clifford


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 6)), max_size=9),
    st.sampled_from(["cx", "rzz", "swap", "iswap"]),
)
def test_no_cut_is_more_entangled_than_the_bond_bound(pairs, gate):
    circuit = QuantumCircuit(6)
    circuit.h(range(6))
    for a, b, angle in pairs:
        circuit.ry(angle, a)
        if a != b:
            getattr(circuit, gate)(*([angle] if gate == "rzz" else []), a, b)
    state = Statevector(circuit)
    bits = survey(circuit, None).bond_bits
    for cut in range(1, 6):
        rank = sum(value > 1e-9 for value, _, _ in schmidt_decomposition(state, list(range(cut))))
        assert np.log2(rank) <= bits
