from __future__ import annotations

from math import pi

import numpy as np
import pytest
from braket.devices import LocalSimulator
from braket.ir.openqasm import Program as OpenQASM
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Statevector

from qsched.drivers import Rejected
from qsched_braket.capabilities import OPENQASM, Capabilities, Device
from qsched_braket.capabilities import _Action as Action
from qsched_braket.capabilities import _Paradigm as Paradigm
from qsched_braket.capabilities import _Service as Service
from qsched_braket.programs import GATES, native_program, plain_program

EVERYTHING = frozenset(GATES.values())


def device(provider: str, *natives: str, renumbers: bool = False) -> Device:
    return Device(
        arn=f"arn:aws:braket:us-east-1::device/qpu/{provider}/One",
        name="One",
        provider=provider,
        simulator=False,
        state="ONLINE",
        queue_depth=0,
        capabilities=Capabilities(
            service=Service(),
            action={OPENQASM: Action(requires_contiguous_qubit_indices=renumbers)},
            paradigm=Paradigm(qubit_count=3, native_gate_set=list(natives)),
        ),
    )


FORTE = device("ionq", "GPI", "GPI2", "ZZ", renumbers=True)
ARIA = device("ionq", "GPI", "GPI2", "MS", renumbers=True)
GARNET = device("iqm", "prx", "cz")
ANKAA = device("rigetti", "rx", "rz", "iswap")

angles = st.floats(-7, 7, allow_nan=False) | st.sampled_from([0.0, pi / 2, -pi / 2, pi, -pi, 3 * pi / 2])
qubits = st.integers(0, 2)
pairs = st.permutations(range(3)).map(lambda order: order[:2])


def one(name: str, number_of_angles: int = 0):
    return st.tuples(
        st.just(name), st.tuples(*[angles] * number_of_angles), qubits.map(lambda qubit: [qubit])
    )


def two(name: str, number_of_angles: int = 0):
    return st.tuples(st.just(name), st.tuples(*[angles] * number_of_angles), pairs)


virtual = one("sx") | one("x") | one("rz", 1)
SETS = {
    "forte": (FORTE, virtual | two("rzz", 1)),
    "aria": (ARIA, virtual | two("rxx", 1)),
    "garnet": (GARNET, one("r", 2) | two("cz")),
    "ankaa": (ANKAA, virtual | two("iswap")),
}


def circuit(gates) -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    for name, given_angles, given_qubits in gates:
        getattr(circuit, name)(*given_angles, *given_qubits)
    return circuit


def braket_says(source: str) -> np.ndarray:
    """The probabilities of Braket's own simulator, qubit 0 in the lowest bit as in Qiskit."""
    lines = [line for line in source.splitlines() if "measure" not in line and not line.startswith("bit")]
    program = "\n".join([*lines, "#pragma braket result probability", ""])
    values = LocalSimulator("braket_sv").run(OpenQASM(source=program), shots=0).result().values[0]
    size = int(np.log2(len(values)))
    return np.asarray(values).reshape([2] * size).transpose(range(size)[::-1]).reshape(-1)


class TestNative:
    @pytest.mark.parametrize("name", SETS)
    def test_the_program_does_what_the_circuit_does(self, name: str):
        target, gates = SETS[name]

        @settings(max_examples=40, deadline=None)
        @given(st.lists(gates, max_size=12))
        def holds(chosen) -> None:
            # Every qubit has a gate first, since the simulator knows those only that have one.
            first = "r" if name == "garnet" else "sx"
            start = [(first, (1.0, 0.5) if first == "r" else (), [qubit]) for qubit in range(3)]
            wanted = circuit([*start, *chosen])
            measured = wanted.copy()
            measured.measure(range(3), range(3))
            program = native_program("it", measured, target)
            assert np.allclose(braket_says(program.source), Statevector(wanted).probabilities(), atol=1e-9)

        holds()

    def test_gates_are_in_a_verbatim_box_on_the_qubits_of_the_device(self):
        flip = QuantumCircuit(20, 2)
        flip.r(pi, 0.5, 6)
        flip.cz(6, 11)
        flip.delay(100, 6)
        flip.barrier()
        flip.measure([6, 11], [1, 0])
        program = native_program("it", flip, GARNET)
        assert program.source.splitlines() == [
            "OPENQASM 3.0;",
            "bit[2] c;",
            "#pragma braket verbatim",
            "box{",
            f"prx({pi!r}, 0.5) $7;",
            "cz $7, $12;",
            "}",
            "c[0] = measure $7;",
            "c[1] = measure $12;",
        ]
        assert program.measured == ((7, 1), (12, 0))

    def test_a_device_that_chooses_its_qubits_gets_the_first_numbers(self):
        flip = QuantumCircuit(36, 2)
        flip.x(30)
        flip.rzz(0.5, 30, 4)
        flip.measure([30, 4], [0, 1])
        program = native_program("it", flip, FORTE)
        assert "gpi(0.0) $1;\nzz(0.5) $1, $0;" in program.source
        assert program.measured == ((0, 1), (1, 0))

    def test_ms_and_zz_turn_by_a_quarter_at_most(self):
        wide = QuantumCircuit(2, 1)
        wide.rxx(2.0, 0, 1)
        wide.rxx(-0.5, 0, 1)
        wide.measure(0, 0)
        source = native_program("it", wide, ARIA).source
        turns = [
            float(line.split("(")[1].split(")")[0].split(",")[2])
            for line in source.splitlines()
            if "ms" in line
        ]
        assert all(0 < turn <= pi / 2 for turn in turns)
        assert len(turns) == 2

    def test_a_gate_that_is_not_native_is_refused(self):
        plain = QuantumCircuit(1, 1)
        plain.h(0)
        plain.measure(0, 0)
        for target in (FORTE, GARNET, ANKAA):
            with pytest.raises(Rejected, match=r"circuit 'it' has the gate 'h', which is not native to One"):
                native_program("it", plain, target)

    def test_a_device_of_unknown_gates_is_refused(self):
        plain = QuantumCircuit(1, 1)
        plain.measure(0, 0)
        with pytest.raises(Rejected, match="with the gates warp"):
            native_program("it", plain, device("acme", "warp"))


class TestPlain:
    @pytest.mark.parametrize("ours", GATES)
    def test_each_gate_is_brakets_of_the_same_matrix(self, ours: str):
        random = np.random.default_rng(7)
        wanted = QuantumCircuit(3, 3)
        for layer in range(2):
            for qubit in range(3):
                wanted.ry(random.uniform(0, 3), qubit)
                wanted.rz(random.uniform(0, 3), qubit)
            if layer == 0:
                gate = get_standard_gate_name_mapping()[ours]
                turns = random.uniform(0, 3, len(gate.params))
                wanted.append(type(gate)(*turns), [2, 0, 1][: gate.num_qubits])
        for qubit in range(3):
            wanted.ry(random.uniform(0, 3), qubit)
        measured = wanted.copy()
        measured.measure(range(3), range(3))
        source = plain_program("it", measured, EVERYTHING).source
        assert f"\n{GATES[ours]}" in source
        assert np.allclose(braket_says(source), Statevector(wanted).probabilities(), atol=1e-9)

    def test_gates_that_the_device_has_not_are_made_of_others(self):
        wanted = QuantumCircuit(3, 3)
        wanted.ccx(0, 1, 2)
        wanted.unitary(np.array([[0, 1], [1, 0]]), [1])
        wanted.measure(range(3), range(3))
        source = plain_program("it", wanted, frozenset({"h", "rz", "rx", "cnot"})).source
        used = {line.split(" ")[0].split("(")[0] for line in source.splitlines()[3:] if "measure" not in line}
        assert used <= {"h", "rz", "rx", "cnot"}

    def test_qubits_that_nothing_happens_to_are_left_out(self):
        sparse = QuantumCircuit(100, 2)
        sparse.cx(7, 90)
        sparse.measure([90, 7], [0, 1])
        program = plain_program("it", sparse, EVERYTHING)
        assert "qubit[2] q;" in program.source
        assert program.qubits == 2
        assert program.measured == ((0, 1), (1, 0))

    def test_a_bit_that_is_written_twice_holds_the_last_qubit(self):
        twice = QuantumCircuit(2, 1)
        twice.x(1)
        twice.measure(0, 0)
        twice.measure(1, 0)
        assert len(plain_program("it", twice, EVERYTHING).measured) == 1

    def test_registers_are_kept(self):
        wanted = QuantumCircuit(QuantumRegister(2), ClassicalRegister(2, "a"), ClassicalRegister(1, "b"))
        wanted.measure([0, 1], [2, 0])
        assert plain_program("it", wanted, EVERYTHING).registers == (2, 1)


class TestDynamic:
    def again(self) -> QuantumCircuit:
        again = QuantumCircuit(1, 1)
        again.measure(0, 0)
        again.x(0)
        return again

    def controlled(self) -> QuantumCircuit:
        controlled = QuantumCircuit(2, 2)
        controlled.measure(0, 0)
        with controlled.if_test((0, 1)):
            controlled.x(1)
        controlled.measure(1, 1)
        return controlled

    def reset(self) -> QuantumCircuit:
        reset = QuantumCircuit(1, 1)
        reset.reset(0)
        reset.measure(0, 0)
        return reset

    @pytest.mark.parametrize("kind", ["again", "controlled", "reset"])
    def test_a_dynamic_circuit_is_refused(self, kind: str):
        with pytest.raises(Rejected, match="circuit 'it' is dynamic"):
            plain_program("it", getattr(self, kind)(), EVERYTHING)
        with pytest.raises(Rejected, match="circuit 'it' is dynamic"):
            native_program("it", getattr(self, kind)(), ANKAA)

    def test_a_circuit_that_measures_nothing_is_refused(self):
        silent = QuantumCircuit(1, 1)
        silent.x(0)
        with pytest.raises(Rejected, match="measures nothing"):
            plain_program("it", silent, EVERYTHING)
