from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.providers.fake_provider import GenericBackendV2

from qsched.errors import InvalidInput
from qsched.fleet.quality import quality
from qsched.fleet.target import from_target, to_target
from qsched_aer.snapshots import load_snapshot
from tests.unit.fleet.builders import TAKEN_AT, complete, device, line, replaced

# The trivial layout of levels 0 and 1 does not look at the target: see to_target.
LAYOUT = {0: "sabre", 1: "sabre", 2: None, 3: None}


def chain(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.rz(0.3, 0)
    circuit.measure_all()
    return circuit


def separate(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(range(qubits))
    circuit.measure_all()
    return circuit


def used(circuit: QuantumCircuit) -> set[int]:
    """Physical qubits of real operations."""
    idle = {"delay", "barrier"}
    return {
        circuit.find_bit(qubit).index
        for instruction in circuit.data
        if instruction.operation.name not in idle
        for qubit in instruction.qubits
    }


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["manhattan", "cusco", "brussels", "cairo", "cambridge", "kingston"])
def test_qiskit_avoids_the_dead_qubits_of_real_devices(name, level):
    calibration = load_snapshot(name)
    usable = set(np.flatnonzero(quality(calibration).usable).tolist())
    assert len(usable) < calibration.qubits
    for circuit in (chain(5), separate(4), separate(1)):
        mapped = transpile(
            circuit,
            target=to_target(calibration),
            optimization_level=level,
            seed_transpiler=1,
            scheduling_method="alap",
            layout_method=LAYOUT[level],
        )
        assert used(mapped) <= usable


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "gates",
    [
        (("sx", "x"), ("rz",), "cx"),
        (("sx", "x"), ("rz",), "ecr"),
        (("sx", "x"), ("rz",), "cz"),
        (("u2", "u3"), ("u1",), "cx"),
        (("sx", "x"), ("rz",), "rzz"),
        (("sx", "x"), ("rz",), "rxx"),
        (("sx", "x"), ("rz",), "iswap"),
        (("rx", "ry"), ("rz",), "rxx"),
        (("r",), (), "cz"),
        (("r",), ("rz",), "rzz"),
    ],
)
def test_qiskit_maps_and_schedules_for_every_set_of_native_gates(gates, level):
    one_qubit, virtual, two_qubit = gates
    calibration = line(4, one_qubit_gates=one_qubit, virtual_gates=virtual, two_qubit_gate=two_qubit)
    mapped = transpile(
        chain(4),
        target=to_target(calibration),
        optimization_level=level,
        seed_transpiler=1,
        scheduling_method="alap",
        layout_method=LAYOUT[level],
    )
    native = {*one_qubit, *virtual, two_qubit, "measure", "delay", "barrier"}
    assert set(mapped.count_ops()) <= native
    assert two_qubit in mapped.count_ops()


def test_a_dead_qubit_has_neither_gate_nor_measurement():
    calibration = line(4, t1_s=replaced(np.full(4, 1e-4), 0, np.nan))
    target = to_target(calibration)
    assert target.num_qubits == 4
    for name in ("sx", "rz", "measure"):
        assert set(target[name]) == {(1,), (2,), (3,)}
    assert set(target["cz"]) == {(1, 2), (2, 1), (2, 3), (3, 2)}


def test_a_directed_gate_keeps_its_direction():
    assert set(to_target(line(3, two_qubit_gate="ecr"))["ecr"]) == {(0, 1), (1, 2)}


def test_the_target_has_the_calibrations_figures_in_whole_units_of_time():
    calibration = line(2, gate1_s=[35.5555555555e-9] * 2, gate2_error=[0.0123])
    target = to_target(calibration)
    sx = target["sx"][(0,)]
    assert sx.error == pytest.approx(1e-4)
    assert sx.duration == pytest.approx(35.5555555555e-9, rel=1e-4)
    assert (sx.duration / target.dt) == pytest.approx(round(sx.duration / target.dt), abs=1e-6)
    assert target["cz"][0, 1].error == pytest.approx(0.0123)
    assert target["measure"][(1,)].error == pytest.approx(0.015)
    assert target["rz"][(0,)].duration == 0
    assert target.qubit_properties[0].t1 == pytest.approx(100e-6)


def test_u3_is_two_pulses():
    target = to_target(line(2, one_qubit_gates=("u2", "u3"), virtual_gates=("u1",), gate1_error=[0.01] * 2))
    assert target["u3"][(0,)].error == pytest.approx(1 - 0.99**2)
    assert target["u3"][(0,)].duration == pytest.approx(2 * target["u2"][(0,)].duration)


def test_reset_and_control_flow_are_for_dynamic_devices():
    names = {"reset", "if_else", "while_loop"}
    assert names <= set(to_target(line(2)).operation_names)
    assert not names & set(to_target(line(2, dynamic=False)).operation_names)


def test_a_single_qubit_and_a_device_without_couplers_have_a_target():
    assert "cz" not in to_target(device(1, [], two_qubit_gate="")).operation_names


def test_a_gate_that_qiskit_does_not_have_is_named():
    with pytest.raises(InvalidInput, match="no standard gate 'ms'"):
        to_target(complete(3, two_qubit_gate="ms"))


def test_the_target_is_made_once():
    assert to_target(line(6)) is to_target(line(6))


@pytest.mark.parametrize("gates", [("cz", ("sx", "x")), ("ecr", ("sx", "x")), ("cx", ("u2", "u3"))])
def test_a_calibration_survives_the_way_through_a_target(gates):
    two_qubit, one_qubit = gates
    virtual = ("u1",) if "u2" in one_qubit else ("rz",)
    original = line(
        5,
        two_qubit_gate=two_qubit,
        one_qubit_gates=one_qubit,
        virtual_gates=virtual,
        readout_p10=[0.02] * 5,
        gate2_error=[0.01, 0.02, 0.03, 0.04],
    )
    back = from_target(to_target(original), device="test", taken_at=TAKEN_AT, reset_s=250e-6)
    assert back.one_qubit_gates == original.one_qubit_gates
    assert back.two_qubit_gate == two_qubit
    assert back.virtual_gates == virtual
    assert back.dynamic
    np.testing.assert_array_equal(back.couplers, original.couplers)
    for name in (
        "t1_s",
        "t2_s",
        "readout_p10",
        "readout_s",
        "gate1_error",
        "gate1_s",
        "gate2_error",
        "gate2_s",
    ):
        np.testing.assert_allclose(getattr(back, name), getattr(original, name), rtol=1e-6, err_msg=name)


def test_a_backend_of_qiskits_own_becomes_a_usable_calibration():
    target = GenericBackendV2(5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=1).target
    calibration = from_target(target, device="generic", taken_at=TAKEN_AT, reset_s=1e-4)
    worth = quality(calibration)
    assert worth.qubits == 5
    assert (worth.e2[:, 2:] > 0).all()
    assert (worth.e2 < 0.1).all()


def test_a_target_without_a_pulse_gate_is_refused():
    from qiskit.circuit.library import HGate
    from qiskit.transpiler import Target

    target = Target(num_qubits=1)
    target.add_instruction(HGate(), {(0,): None})
    with pytest.raises(InvalidInput, match="no one-qubit gate of sx"):
        from_target(target, device="x", taken_at=TAKEN_AT, reset_s=1e-4)
    with pytest.raises(InvalidInput, match="num_qubits"):
        from_target(Target(), device="x", taken_at=TAKEN_AT, reset_s=1e-4)
