from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qsched.circuits.qpy import from_qpy
from qsched.circuits.transpile import transpile
from qsched.errors import CircuitError

if TYPE_CHECKING:
    from qiskit.transpiler import Target

SX_S, CX_S, MEASURE_S = 50e-9, 400e-9, 1e-6


def ghz(n: int, *, width: int | None = None) -> QuantumCircuit:
    circuit = QuantumCircuit(width or n, n)
    circuit.h(0)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(n), range(n))
    return circuit


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_the_same_seed_gives_the_same_circuit(line_target: Target, level: int) -> None:
    results = [transpile(ghz(5), line_target, level=level, seed=7) for _ in range(2)]
    assert results[0].hash == results[1].hash
    assert np.array_equal(results[0].usage.couplers, results[1].usage.couplers)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_layout_avoids_a_bad_coupler_at_every_level(line_target: Target, level: int) -> None:
    usage = transpile(ghz(4), line_target, level=level, seed=1).usage
    assert [3, 4] not in usage.couplers.tolist()


@pytest.mark.parametrize("level", [0, 1])
def test_a_routed_circuit_avoids_a_bad_coupler_whatever_the_seed(line_target: Target, level: int) -> None:
    triangle = QuantumCircuit(3)
    for pair in ((0, 1), (1, 2), (2, 0)):
        triangle.cx(*pair)
    for seed in range(10):
        usage = transpile(triangle, line_target, level=level, seed=seed).usage
        assert [3, 4] not in usage.couplers.tolist(), f"seed {seed}"


def test_usage_counts_what_the_circuit_does(line_target: Target) -> None:
    done = transpile(ghz(4), line_target, level=1, seed=1)
    usage = done.usage
    assert len(usage.qubits) == 4
    assert usage.coupler_gates.tolist() == [1, 1, 1]
    assert usage.measurements.tolist() == [1, 1, 1, 1]
    assert usage.gates1.sum() == 1
    assert (usage.couplers[:, 0] < usage.couplers[:, 1]).all()
    assert usage.critical_path_s == pytest.approx(SX_S + 3 * CX_S + MEASURE_S)
    with pytest.raises(ValueError, match="read-only"):
        usage.gates1[0] = 5


def test_delays_fill_exactly_the_idle_intervals(line_target: Target) -> None:
    done = transpile(ghz(4), line_target, level=1, seed=1)
    circuit = from_qpy(done.qpy, name="a")
    delays = [
        (circuit.find_bit(step.qubits[0]).index, step.operation.duration)
        for step in circuit.data
        if step.name == "delay"
    ]
    assert sorted(qubit for qubit, _ in delays) == done.usage.idle_qubit.tolist()
    assert sorted(length for _, length in delays) == pytest.approx(sorted(done.usage.idle_s.tolist()))
    # All are measured at the end: the first qubit waits for two gates, the second for one.
    assert sorted(done.usage.idle_s.tolist()) == pytest.approx([CX_S, 2 * CX_S])


def test_idle_qubits_of_the_device_get_no_delay(line_target: Target) -> None:
    circuit = from_qpy(transpile(ghz(2), line_target, level=1, seed=1).qpy, name="a")
    touched = {circuit.find_bit(qubit).index for step in circuit.data for qubit in step.qubits}
    assert len(touched) == 2


def test_qubits_that_nothing_happens_to_need_no_place(line_target: Target) -> None:
    done = transpile(ghz(3, width=20), line_target, level=1, seed=1)
    assert len(done.usage.qubits) == 3


def test_too_many_qubits_are_an_error_with_both_numbers(line_target: Target) -> None:
    with pytest.raises(CircuitError, match="needs 9 qubits, the device has 8"):
        transpile(ghz(9), line_target, level=1, seed=1)


def test_dynamical_decoupling_puts_two_pulses_into_long_waits(line_target: Target) -> None:
    plain = transpile(ghz(4), line_target, level=1, seed=1)
    echoed = transpile(ghz(4), line_target, level=1, seed=1, dynamical_decoupling=True)
    waits = len(plain.usage.idle_s)
    assert echoed.usage.gates1.sum() == plain.usage.gates1.sum() + 2 * waits
    assert echoed.usage.idle_s.sum() == pytest.approx(plain.usage.idle_s.sum() - 2 * waits * SX_S)
    assert echoed.usage.critical_path_s == pytest.approx(plain.usage.critical_path_s)
    assert echoed.hash != plain.hash


@pytest.mark.parametrize("decouple", [False, True])
def test_scheduling_does_not_change_what_a_circuit_does(line_target: Target, *, decouple: bool) -> None:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.ry(0.7, 1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    measured = circuit.copy()
    measured.measure_all()
    done = transpile(measured, line_target, level=1, seed=3, dynamical_decoupling=decouple)
    scheduled = from_qpy(done.qpy, name="a")
    wires = {}
    bare = QuantumCircuit(8)
    for step in scheduled.data:
        on = [scheduled.find_bit(qubit).index for qubit in step.qubits]
        if step.name == "measure":
            wires[scheduled.find_bit(step.clbits[0]).index] = on[0]
        elif step.name not in ("delay", "barrier"):
            bare.append(step.operation, on)
    got = Statevector(bare).probabilities([wires[bit] for bit in range(3)])
    assert got == pytest.approx(Statevector(circuit).probabilities())


def test_a_delay_of_the_user_is_kept_between_two_operations(line_target: Target) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.delay(5e-6, 0, unit="s")
    circuit.x(0)
    circuit.delay(2e-6, 0, unit="s")
    circuit.measure(0, 0)
    usage = transpile(circuit, line_target, level=1, seed=1).usage
    assert usage.idle_s.tolist() == pytest.approx([2e-6])
    assert usage.critical_path_s == pytest.approx(SX_S + 2e-6 + MEASURE_S)


def test_classical_control_is_scheduled_after_its_measurement() -> None:
    from qiskit.providers.fake_provider import GenericBackendV2

    target = GenericBackendV2(5, seed=1, control_flow=True).target
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
        circuit.cx(1, 2)
    circuit.measure([1, 2], [1, 2])
    done = transpile(circuit, target, level=1, seed=1)
    usage = done.usage
    assert usage.measurements.tolist() == [1, 1, 1]
    assert usage.coupler_gates.sum() == 2
    readout_s = min(target["measure"][(int(qubit),)].duration for qubit in usage.qubits)
    assert usage.idle_s.max() >= readout_s
    assert usage.critical_path_s > 2 * readout_s
