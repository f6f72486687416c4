"""Programs say what the circuit says: they are read again, by the emulator's readers, and compared."""

from __future__ import annotations

import json
from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import Operator

from qsched.drivers import Rejected
from qsched_azure import ionq, quantinuum, rigetti
from qsched_emulators.azure_programs import parse

ANGLES = st.one_of(
    st.sampled_from([0.0, pi / 2, -pi / 2, pi, -pi, 3 * pi / 2, 2 * pi, 5.0, -4.0]),
    st.floats(-7, 7, allow_nan=False),
)
WRITERS = {"ionq": ionq, "quantinuum": quantinuum, "rigetti": rigetti}
NATIVE = [
    (ionq, "ionq.qpu.aria-1", ("sx", "x", "rz"), "rxx"),
    (ionq, "ionq.qpu.forte-1", ("sx", "x", "rz"), "rzz"),
    (quantinuum, "quantinuum.qpu.h2-1", ("r", "rz"), "rzz"),
    (rigetti, "rigetti.qpu.ankaa-3", ("sx", "x", "rz"), "iswap"),
]


@st.composite
def circuits(draw, one: tuple[str, ...], two: str) -> QuantumCircuit:
    """Up to twelve native gates on three qubits, all of them used."""
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        getattr(circuit, one[0])(*[draw(ANGLES) for _ in range(2 if one[0] == "r" else 0)], qubit)
    for _ in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from([*one, two]))
        qubits = draw(st.permutations(range(3)))[: 2 if name == two else 1]
        angles = {"r": 2, "rz": 1, "rxx": 1, "rzz": 1}.get(name, 0)
        getattr(circuit, name)(*[draw(ANGLES) for _ in range(angles)], *qubits)
    return circuit


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    whole = QuantumCircuit(3, 3)
    whole.compose(circuit, inplace=True)
    whole.measure(range(3), range(3))
    return whole


def read_again(program) -> QuantumCircuit:
    read = parse(program.input_format, program.content, program.options)
    return read.circuit.remove_final_measurements(inplace=False) or read.circuit


def probabilities(circuit: QuantumCircuit) -> np.ndarray:
    """(8, 8) of each outcome for each basis state that goes in; phases that no measurement sees are gone."""
    return np.abs(Operator(circuit).data) ** 2


@pytest.mark.parametrize(("writer", "device", "one", "two"), NATIVE)
@given(data=st.data())
def test_a_native_program_gives_what_the_circuit_gives(writer, device, one, two, data) -> None:
    circuit = data.draw(circuits(one, two))
    program = writer.program(measured(circuit), name="c", device=device, native=True)
    assert program.width == 3
    again = read_again(program)
    assert np.allclose(probabilities(again), probabilities(circuit), atol=1e-6)


@pytest.mark.parametrize("provider", list(WRITERS))
def test_a_circuit_in_any_gates_is_written_in_gates_the_provider_compiles(provider) -> None:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cp(0.3, 0, 1)
    circuit.u(0.1, 0.2, 0.3, 2)
    circuit.ccx(0, 1, 2)
    circuit.sxdg(1)
    circuit.tdg(0)
    circuit.sdg(2)
    circuit.rxx(0.4, 0, 2)
    circuit.swap(0, 1)
    program = WRITERS[provider].program(measured(circuit), name="c", device=provider, native=False)
    assert Operator(read_again(program)).equiv(Operator(circuit))


@pytest.mark.parametrize("native", [True, False])
def test_ionq_runs_the_circuit_itself_and_bills_no_variants_of_it(native) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    on_device = ionq.program(circuit, name="c", device="ionq.qpu.aria-1", native=native)
    assert on_device.options == {"error-mitigation": {"debias": False}}
    if not native:
        assert ionq.program(circuit, name="c", device="ionq.simulator", native=False).options == {}


def test_gates_of_ionq_are_in_turns_and_in_the_frame_that_z_rotations_left() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.rz(pi / 2, 0)
    circuit.sx(0)
    circuit.rxx(pi / 2, 0, 1)
    circuit.measure(0, 0)
    program = ionq.program(circuit, name="c", device="ionq.qpu.aria-1", native=True)
    assert json.loads(program.content) == {
        "gateset": "native",
        "qubits": 2,
        "circuit": [
            {"gate": "gpi2", "target": 0, "phase": -0.25},
            {"gate": "ms", "targets": [0, 1], "phases": [-0.25, 0.0], "angle": 0.25},
        ],
    }


@pytest.mark.parametrize(
    ("angle", "names"),
    [
        (pi / 2, ["ms"]),
        (0.7 * pi, ["gpi", "gpi", "ms"]),
        (-0.7 * pi, ["gpi", "gpi", "ms"]),
        (pi, ["gpi", "gpi"]),
    ],
)
def test_a_large_angle_costs_ionq_no_second_gate_of_two_qubits(angle: float, names: list[str]) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.rxx(angle, 0, 1)
    circuit.measure(0, 0)
    program = ionq.program(circuit, name="c", device="ionq.qpu.aria-1", native=True)
    assert [gate["gate"] for gate in json.loads(program.content)["circuit"]] == names


def test_a_native_program_for_quantinuum_is_not_compiled_again() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.r(pi, 0.5, 1)
    circuit.rz(0.25, 0)
    circuit.rzz(0.125, 0, 1)
    circuit.delay(100, 0)
    circuit.barrier()
    circuit.measure([0, 1], [1, 0])
    program = quantinuum.program(circuit, name="c", device="quantinuum.qpu.h2-1", native=True)
    assert program.content.decode().splitlines() == [
        "OPENQASM 2.0;",
        'include "hqslib1.inc";',
        "qreg q[2];",
        "creg c0[2];",
        f"U1q({pi},0.5) q[1];",
        "Rz(0.25) q[0];",
        "RZZ(0.125) q[0],q[1];",
        "measure q[0] -> c0[1];",
        "measure q[1] -> c0[0];",
    ]
    assert program.options == {"no-opt": True, "no-reduce": True}


def test_a_native_program_for_rigetti_skips_its_compiler() -> None:
    circuit = QuantumCircuit(9, 5)
    circuit.sx(8)
    circuit.iswap(8, 1)
    circuit.measure(1, 4)
    circuit.measure(8, 2)
    program = rigetti.program(circuit, name="c", device="rigetti.qpu.ankaa-3", native=True)
    assert program.content.decode().splitlines() == [
        "DECLARE ro BIT[2]",
        "RX(pi/2) 8",
        "ISWAP 8 1",
        "MEASURE 8 ro[0]",
        "MEASURE 1 ro[1]",
    ]
    assert program.layout == ((2, 0), (4, 1))
    assert program.options == {"skipQuilc": True}


def test_many_classical_bits_are_in_registers_of_32() -> None:
    circuit = QuantumCircuit(1, 40)
    circuit.measure(0, 39)
    lines = quantinuum.program(circuit, name="c", device="quantinuum.qpu.h2-1", native=True).content.decode()
    assert "creg c0[32];\ncreg c1[8];\nmeasure q[0] -> c1[7];" in lines


def branching() -> QuantumCircuit:
    register = ClassicalRegister(2, "c")
    circuit = QuantumCircuit(QuantumRegister(2), register)
    circuit.r(pi, 0, 0)
    circuit.measure(0, 0)
    with circuit.if_test((register[0], 1)) as otherwise:
        circuit.r(pi, 0, 1)
    with otherwise:
        circuit.rz(1.0, 1)
    circuit.measure(1, 1)
    return circuit


def test_quantinuum_branches_on_single_bits() -> None:
    program = quantinuum.program(branching(), name="c", device="quantinuum.qpu.h2-1", native=True)
    lines = program.content.decode().splitlines()
    assert f"if(c0[0]==1) U1q({pi},0.0) q[1];" in lines
    assert "if(c0[0]==0) Rz(1.0) q[1];" in lines


@pytest.mark.parametrize(("writer", "device"), [(ionq, "ionq.qpu.aria-1"), (rigetti, "rigetti.qpu.ankaa-3")])
def test_others_measure_at_the_end_only(writer, device) -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    with pytest.raises(Rejected, match="after measuring it"):
        writer.program(circuit, name="c", device=device, native=True)


def test_a_branch_on_a_whole_register_is_refused() -> None:
    register = ClassicalRegister(2, "c")
    circuit = QuantumCircuit(QuantumRegister(1), register)
    circuit.measure(0, 0)
    with circuit.if_test((register, 3)):
        circuit.r(pi, 0, 0)
    with pytest.raises(Rejected, match="single bits"):
        quantinuum.program(circuit, name="c", device="quantinuum.qpu.h2-1", native=True)


@pytest.mark.parametrize(("writer", "device", "one", "two"), NATIVE)
def test_a_gate_that_is_not_native_is_refused_by_its_name(writer, device, one, two) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with pytest.raises(Rejected, match="'h' on qubit 0"):
        writer.program(circuit, name="c", device=device, native=True)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("writer", "device"), [(ionq, "ionq.qpu.forte-1"), (rigetti, "rigetti.qpu.ankaa-3")])
def test_a_branch_is_refused_where_the_format_has_none(writer, device: str, native: bool) -> None:  # noqa: FBT001 - pytest gives it
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 0)):
        circuit.x(1)
    circuit.measure(1, 1)
    with pytest.raises(Rejected, match="in a branch"):
        writer.program(circuit, name="it", device=device, native=native)
