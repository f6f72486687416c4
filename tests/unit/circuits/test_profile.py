from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import QFTGate

from qsched.circuits.hashing import circuit_hash
from qsched.circuits.profile import profile
from qsched.circuits.qpy import from_qpy, to_qpy


def ghz(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n, n)
    circuit.h(0)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(n), range(n))
    return circuit


@st.composite
def circuits(draw: st.DrawFn) -> QuantumCircuit:
    qubits = draw(st.integers(2, 5))
    circuit = QuantumCircuit(qubits, qubits)
    for _ in range(draw(st.integers(0, 25))):
        a, b = draw(st.permutations(range(qubits)))[:2]
        match draw(
            st.sampled_from(["h", "t", "rx", "cx", "cp", "swap", "barrier", "measure", "reset", "gate"])
        ):
            case "rx":
                circuit.rx(draw(st.floats(-7, 7)), a)
            case "cp":
                circuit.cp(draw(st.floats(-7, 7)), a, b)
            case "barrier":
                circuit.barrier()
            case "measure":
                circuit.measure(a, b)
            case "gate":
                circuit.append(QFTGate(2), [a, b])
            case ("cx" | "swap") as name:
                getattr(circuit, name)(a, b)
            case name:
                getattr(circuit, name)(a)
    return circuit


def test_a_ghz_circuit_is_counted_as_drawn() -> None:
    got = profile(ghz(6))
    assert (got.qubits, got.n2, got.measurements, got.depth2) == (6, 5, 6, 5)
    assert (got.path2, got.path_m, got.dynamic, got.cliffordness) == (5, 1, False, 1.0)
    assert got.density == pytest.approx(5 / 15)


def test_pulses_of_one_qubit_merge_and_turns_about_z_are_free() -> None:
    circuit = QuantumCircuit(1, 1)
    for _ in range(10):
        circuit.h(0)
        circuit.t(0)
    circuit.measure(0, 0)
    assert profile(circuit).n1 == 2
    virtual = QuantumCircuit(1, 1)
    virtual.rz(0.3, 0)
    virtual.s(0)
    virtual.measure(0, 0)
    assert profile(virtual).n1 == 0


@pytest.mark.parametrize(
    ("gate", "entanglers"), [("cx", 1), ("cz", 1), ("swap", 3), ("iswap", 2), ("ccx", 6), ("ecr", 1)]
)
def test_entanglers_are_those_of_a_transpiled_gate(gate: str, entanglers: int) -> None:
    circuit = QuantumCircuit(3, 1)
    getattr(circuit, gate)(*range(3 if gate == "ccx" else 2))
    counted = transpile(circuit, basis_gates=["cx", "u"], optimization_level=1).count_ops()["cx"]
    circuit.measure(0, 0)
    assert profile(circuit).n2 == entanglers == counted


def test_a_definition_counts_as_what_it_is_made_of() -> None:
    whole = QuantumCircuit(6, 6)
    whole.append(QFTGate(6), range(6))
    parts = whole.decompose()
    for circuit in (whole, parts):
        circuit.measure(range(6), range(6))
    a, b = profile(whole), profile(parts)
    assert (a.n1, a.n2, a.depth2, a.density) == (b.n1, b.n2, b.depth2, b.density)
    assert a.hash != b.hash


def test_qubits_that_nothing_happens_to_do_not_count() -> None:
    circuit = QuantumCircuit(50, 2)
    circuit.cx(20, 30)
    circuit.measure([20, 30], [0, 1])
    got = profile(circuit)
    assert (got.qubits, got.density) == (2, 1.0)


def test_idle_time_is_only_what_lies_between_two_operations() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    for _ in range(10):
        circuit.cx(1, 2)
    circuit.measure(range(3), range(3))
    assert profile(circuit).idle == 0
    circuit = QuantumCircuit(3, 3)
    circuit.cx(0, 1)
    for _ in range(10):
        circuit.cx(1, 2)
    circuit.measure(range(3), range(3))
    circuit.cx(0, 1)
    assert profile(circuit).idle > 0


def test_interactions_are_runs_of_gates_on_one_pair() -> None:
    circuit = QuantumCircuit(3, 3)
    for _ in range(4):
        circuit.cp(0.3, 0, 1)
        circuit.cx(1, 0)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    assert profile(circuit).interactions == 3
    apart = QuantumCircuit(4)
    for _ in range(3):
        apart.cx(0, 1)
        apart.cx(2, 3)
    assert profile(apart).interactions == 2


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ([], True),
        ([(0, 1)], True),
        ([(2, 0), (0, 3), (3, 1)], True),
        ([(0, 1), (2, 3), (3, 4)], True),
        ([(0, 1), (1, 2), (2, 0)], False),
        ([(0, 1), (2, 3), (3, 4), (4, 2)], False),
        ([(0, 1), (0, 2), (0, 3)], False),
    ],
)
def test_a_line_is_a_graph_without_forks_and_rings(pairs: list[tuple[int, int]], *, line: bool) -> None:
    circuit = QuantumCircuit(5)
    for pair in pairs:
        circuit.cx(*pair)
    assert profile(circuit).line is line


def test_dynamic_is_control_or_anything_after_a_measurement() -> None:
    circuit = ghz(3)
    assert not profile(circuit).dynamic
    circuit.x(1)
    assert profile(circuit).dynamic
    reset_first = QuantumCircuit(1, 1)
    reset_first.reset(0)
    reset_first.h(0)
    reset_first.measure(0, 0)
    assert not profile(reset_first).dynamic
    controlled = ghz(2)
    with controlled.if_test((controlled.clbits[0], 1)):
        controlled.x(1)
    assert profile(controlled).dynamic


def test_a_decision_waits_for_its_measurement() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    assert profile(circuit).path_m == 2


def test_loops_multiply_and_the_longer_branch_counts() -> None:
    circuit = QuantumCircuit(2, 1)
    with circuit.for_loop(range(7)):
        circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.cx(0, 1)
    with otherwise:
        circuit.swap(0, 1)
    assert profile(circuit).n2 == 7 + 3


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_a_profile_is_consistent(circuit: QuantumCircuit) -> None:
    got = profile(circuit)
    assert got.idle >= 0
    assert (got.n2 == 0) == (got.interactions == 0)
    assert got.interactions <= got.n2
    assert 0 <= got.density <= 1
    assert 0 <= got.cliffordness <= 1
    assert got.path1 <= got.n1
    assert got.path2 <= got.depth2 <= got.n2
    assert got.qubits <= circuit.num_qubits
    assert got.measurements == circuit.count_ops().get("measure", 0)
    assert (got.n2 == 0) == (got.density == 0)


@settings(max_examples=40, deadline=None)
@given(circuits())
def test_the_hash_survives_qpy_and_copies_and_sees_every_change(circuit: QuantumCircuit) -> None:
    content = circuit_hash(circuit)
    copy = circuit.copy(name="another")
    copy.metadata = {"note": 1}
    assert circuit_hash(copy) == content
    assert circuit_hash(from_qpy(to_qpy(circuit), name="a")) == content
    copy.x(0)
    assert circuit_hash(copy) != content


def test_the_hash_tells_definitions_of_one_name_apart() -> None:
    hashes = set()
    for gate in ("x", "y"):
        inner = QuantumCircuit(1, name="mine")
        getattr(inner, gate)(0)
        outer = QuantumCircuit(1, 1)
        outer.append(inner.to_gate(), [0])
        hashes.add(circuit_hash(outer))
    assert len(hashes) == 2


def test_the_profile_module_does_not_import_qiskit() -> None:
    code = "import sys, qsched.circuits.profile, qsched.circuits.load; sys.exit('qiskit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["ghz", "qft", "qaoa", "vqe_real_amp", "wstate", "qpeexact", "ae"])
def test_counts_are_near_those_of_transpiled_benchmarks(name: str) -> None:
    bench = pytest.importorskip("mqt.bench")
    circuit = bench.get_benchmark(name, bench.BenchmarkLevel.ALG, 8)
    real = transpile(circuit, basis_gates=["cx", "rz", "sx", "x"], optimization_level=1, seed_transpiler=0)
    entanglers = real.count_ops()["cx"]
    depth = real.depth(lambda step: step.name == "cx")
    got = profile(circuit)
    assert got.n2 == pytest.approx(entanglers, rel=0.1)
    assert got.depth2 == pytest.approx(depth, rel=0.25)


def test_the_hash_sees_conditions_by_position_and_not_by_name() -> None:
    from qiskit.circuit import ClassicalRegister, Clbit, QuantumRegister
    from qiskit.circuit.classical import expr

    def controlled(name: str, bit: int, *, expression: bool) -> QuantumCircuit:
        circuit = QuantumCircuit(QuantumRegister(1, name + "q"), ClassicalRegister(2, name), [Clbit()])
        wire = circuit.clbits[bit]
        with circuit.if_test(expr.lift(wire) if expression else (wire, 1)):
            circuit.x(0)
        return circuit

    for expression in (False, True):
        hashes = [circuit_hash(controlled(name, 2, expression=expression)) for name in ("a", "b")]
        assert hashes[0] == hashes[1]
        assert circuit_hash(controlled("a", 1, expression=expression)) != hashes[0]
