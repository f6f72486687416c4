from __future__ import annotations

import pytest
from qiskit import QuantumCircuit

from qsched.drivers import Rejected
from qsched_aer.methods import choose_method, qubits_that_fit
from qsched_aer.survey import survey


def chosen(circuit, *, noisy, shots=1000, memory_mb=2048):
    return choose_method("it", survey(circuit, None), shots=shots, noisy=noisy, memory_mb=memory_mb).method


def ghz(n):
    circuit = QuantumCircuit(n, n)
    circuit.h(0)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(n), range(n))
    return circuit


def tangled(n, layers=30):
    """A circuit that no method but a statevector can hold."""
    circuit = QuantumCircuit(n, n)
    for _ in range(layers):
        for qubit in range(n):
            circuit.rx(0.3, qubit)
            circuit.cx(qubit, (qubit + n // 2) % n)
    circuit.measure(range(n), range(n))
    return circuit


def dynamic(n):
    circuit = ghz(n)
    circuit.reset(0)
    circuit.x(0)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "noisy", "method"),
    [
        (ghz(100), False, "stabilizer"),
        (tangled(10), False, "statevector"),
        (tangled(4), True, "density_matrix"),
        (dynamic(4), True, "statevector"),
        (tangled(16), True, "statevector"),
        (ghz(60), True, "matrix_product_state"),
    ],
)
def test_the_method_fits_the_circuit(circuit, noisy, method):
    assert chosen(circuit, noisy=noisy) == method


def test_many_shots_pay_for_a_density_matrix():
    assert chosen(tangled(10), noisy=True, shots=10) == "statevector"
    assert chosen(tangled(10), noisy=True, shots=1_000_000) == "density_matrix"


def test_what_fits_no_memory_is_rejected_with_the_width_that_would():
    with pytest.raises(
        Rejected, match=r"'it' uses 40 qubits .* 16 TiB and memoryMb is 64; .* up to 22 qubits"
    ):
        chosen(tangled(40), noisy=False, memory_mb=64)


def test_the_widest_circuit_that_fits_does():
    assert qubits_that_fit(64) == 22
    assert chosen(tangled(22), noisy=True, memory_mb=64) == "statevector"
    with pytest.raises(Rejected):
        chosen(tangled(23), noisy=True, memory_mb=64)
