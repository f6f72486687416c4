"""Every classical bit ends up in the counts."""

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from qsched.api.job import Circuit
from qsched.circuits.load import finish_circuit, load_circuit
from qsched.circuits.registers import in_registers
from qsched.errors import CircuitError

LOOSE = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit a;
bit[2] b;
x q[0];
x q[2];
a = measure q[0];
b[0] = measure q[1];
b[1] = measure q[2];
"""


def loaded(qasm: str) -> QuantumCircuit:
    return load_circuit(Circuit(name="loose", qasm=qasm), lambda _uri: b"")


def test_a_loose_bit_gets_a_register_of_its_own_in_its_place() -> None:
    circuit = loaded(LOOSE)
    assert [register.size for register in circuit.cregs] == [1, 2]
    assert [bit for register in circuit.cregs for bit in register] == circuit.clbits
    assert circuit.count_ops() == {"x": 2, "measure": 3}


def test_no_bit_is_lost_from_the_counts() -> None:
    from qiskit_aer import AerSimulator

    assert AerSimulator().run(loaded(LOOSE), shots=10).result().get_counts() == {"10 1": 10}


def test_a_circuit_with_registers_stays_as_it_is() -> None:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1), ClassicalRegister(1))
    circuit.measure([0, 1], [0, 1])
    assert in_registers(circuit, name="two") is circuit


def test_a_condition_on_a_loose_bit_survives() -> None:
    circuit = loaded(LOOSE + "if (a) { x q[1]; }\n")
    assert circuit.count_ops()["if_else"] == 1


def test_shared_bits_are_refused() -> None:
    bits = ClassicalRegister(2, "first")
    circuit = QuantumCircuit(QuantumRegister(2), bits, ClassicalRegister(name="second", bits=[bits[0]]))
    circuit.measure([0, 1], [0, 1])
    with pytest.raises(CircuitError, match="share bits"):
        finish_circuit(circuit, Circuit(name="shared", qasm=LOOSE))
