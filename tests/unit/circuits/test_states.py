"""What qubits hold while a circuit runs, against Qiskit's state vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Statevector, partial_trace

from qsched.circuits.states import GROUP_LIMIT, MIXED, States

QUBITS = 4
H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
CX = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]], dtype=complex)

gates = st.tuples(
    st.sampled_from(["sx", "rx", "rz", "ecr", "cx", "rzz"]),
    st.permutations(range(QUBITS)),
    st.floats(-3, 3),
)


@settings(max_examples=40)
@given(st.lists(gates, max_size=12))
def test_the_state_of_each_qubit_is_that_of_an_exact_simulation(steps):
    circuit, states = QuantumCircuit(QUBITS), States()
    for name, order, angle in steps:
        angles = [angle] if name.startswith("r") else []
        qubits = order[: 1 if name in ("sx", "rx", "rz") else 2]
        getattr(circuit, name)(*angles, *qubits)
        states.apply(circuit.data[-1].matrix, qubits)
    whole = DensityMatrix(Statevector(circuit))
    for qubit in range(QUBITS):
        alone = partial_trace(whole, [other for other in range(QUBITS) if other != qubit]).data
        found = states.of(qubit)
        assert found.excited == pytest.approx(alone[1, 1].real, abs=1e-9)
        assert found.coherence == pytest.approx(abs(alone[0, 1]), abs=1e-9)


def test_a_group_that_grows_too_large_is_taken_as_mixed_and_others_are_still_known():
    states = States()
    states.apply(H, [0])
    for qubit in range(GROUP_LIMIT - 1):
        states.apply(CX, [qubit, qubit + 1])
    assert states.of(0) == pytest.approx((0.5, 0.0))
    states.apply(CX, [90, 91])
    states.apply(CX, [GROUP_LIMIT - 1, GROUP_LIMIT])
    states.apply(H, [0])
    assert states.of(0) == states.of(GROUP_LIMIT) == MIXED
    assert states.of(91).excited == 0


def test_after_a_measurement_nothing_is_known_of_what_it_was_entangled_with():
    states = States()
    states.apply(CX, [0, 1])
    states.apply(None, [0])
    assert states.of(1) == MIXED
    assert states.of(2).excited == 0
