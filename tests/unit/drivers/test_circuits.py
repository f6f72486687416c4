from __future__ import annotations

import io

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Clbit

from qsched.drivers import Rejected
from qsched.drivers.circuits import read, register_sizes

TWO = ClassicalRegister(2, "two")


def as_qpy(circuit: QuantumCircuit) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return buffer.getvalue()


def test_a_circuit_that_measures_nothing_is_refused() -> None:
    with pytest.raises(Rejected, match="measures nothing"):
        read("it", as_qpy(QuantumCircuit(2, 2)))


@pytest.mark.parametrize(
    "bits",
    [
        ([Clbit()],),
        (TWO, ClassicalRegister(bits=[TWO[1]], name="again")),
        ([TWO[0], TWO[1]], ClassicalRegister(bits=[TWO[1], TWO[0]], name="turned")),
    ],
    ids=["in none", "in two", "in another order"],
)
def test_counts_that_could_not_be_told_apart_by_registers_are_not_paid_for(bits) -> None:
    circuit = QuantumCircuit(QuantumRegister(2), *bits)
    circuit.measure(0, 0)
    with pytest.raises(Rejected, match="bits of its own"):
        register_sizes(circuit)


def test_registers_may_be_empty() -> None:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(0, "none"), ClassicalRegister(2, "two"))
    assert register_sizes(circuit) == (0, 2)
