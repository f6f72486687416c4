"""Stage 2 on real calibrations."""

import math

import pytest
from qiskit import QuantumCircuit

from qsched.circuits.transpile import transpile
from qsched.fleet.quality import quality
from qsched.fleet.target import to_target
from qsched.scoring import refined_log_success
from qsched_aer.snapshots import load_snapshot


def ghz(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits, qubits)
    circuit.h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def test_a_coupler_that_is_dead_one_way_is_judged_by_the_way_it_is_used() -> None:
    hanoi = load_snapshot("hanoi")  # its cx from 5 to 8 has error 1.0, from 8 to 5 it has 0.009
    dead = [
        tuple(pair)
        for pair, error in zip(hanoi.couplers.tolist(), hanoi.gate2_error, strict=True)
        if error == 1
    ]
    assert (5, 8) in dead
    usage = transpile(ghz(7), to_target(hanoi), level=2, seed=0).usage
    assert not {tuple(pair) for pair in usage.couplers.tolist()} & set(dead)
    assert math.exp(refined_log_success(usage, quality(hanoi))) > 0.7


@pytest.mark.parametrize("device", ["boston", "torino", "brisbane", "hanoi", "perth"])
def test_the_default_level_finds_good_qubits_whatever_the_seed(device: str) -> None:
    calibration = load_snapshot(device)
    success = [
        math.exp(
            refined_log_success(
                transpile(ghz(5), to_target(calibration), level=2, seed=seed).usage, quality(calibration)
            )
        )
        for seed in range(3)
    ]
    assert min(success) > 0.75 * max(success)
