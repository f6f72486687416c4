from __future__ import annotations

import io

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Clbit
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeSherbrooke

from qsched.drivers import Rejected, Task, TaskCircuit
from qsched_ibm.submission import MARK, prepare

PS = 1e-12


def as_circuit(circuit: QuantumCircuit, content_hash: str | None = "hash") -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name="mine", qpy=buffer.getvalue(), transpiled_hash=content_hash)


def a_task(*circuits: TaskCircuit, **changes) -> Task:
    return Task(**{"device": "fake_lagos", "circuits": circuits, "shots": 123, **changes})


def native() -> QuantumCircuit:
    native = QuantumCircuit(7, 2)
    native.x(0)
    native.measure(0, 1)
    return native


@pytest.fixture(scope="module")
def lagos():
    return FakeLagosV2()


def sent(request) -> list[QuantumCircuit]:
    return [pub.circuit for pub in request["params"]["pubs"]]


def test_a_native_circuit_is_sent_as_it_is_with_what_its_result_needs(lagos):
    request = prepare(a_task(as_circuit(native())), lagos, "token")
    (circuit,) = sent(request)
    assert circuit == native()
    assert circuit.metadata == {MARK: {"hash": "hash", "registers": ["c"]}}
    assert [pub.shots for pub in request["params"]["pubs"]] == [123]
    assert request["program_id"] == "sampler"
    assert request["backend_name"] == "fake_lagos"


def test_the_token_and_as_many_tags_as_ibm_keeps_are_attached(lagos):
    tags = {f"key-{number}": "x" * 100 for number in range(9)}
    request = prepare(a_task(as_circuit(native()), tags=tags), lagos, "token")
    assert request["job_tags"][:2] == ["qsched", "qsched-token"]
    assert len(request["job_tags"]) == 5
    assert max(map(len, request["job_tags"])) == 86


def test_a_circuit_in_other_gates_is_compiled_here(lagos):
    bell = QuantumCircuit(2, 2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure([0, 1], [1, 0])
    task = a_task(as_circuit(bell, None), seed=3)
    (circuit,) = sent(prepare(task, lagos, "token"))
    assert circuit.num_qubits == 7
    assert set(circuit.count_ops()) <= {"rz", "sx", "x", "cx", "measure"}
    assert len(circuit.metadata[MARK]["hash"]) == 16
    assert sent(prepare(task, lagos, "token"))[0] == circuit


def test_registers_whose_names_the_sampler_refuses_get_others(lagos):
    circuit = QuantumCircuit(
        QuantumRegister(7), ClassicalRegister(1, "lambda"), ClassicalRegister(2, "my bits")
    )
    circuit.x(3)
    circuit.measure(3, circuit.cregs[1][1])
    with circuit.if_test((circuit.cregs[1], 2)):
        circuit.x(0)
    circuit.measure(0, circuit.cregs[0][0])
    (made,) = sent(prepare(a_task(as_circuit(circuit)), lagos, "token"))
    assert [(each.name, each.size) for each in made.cregs] == [("c0", 1), ("c1", 2)]
    assert [made.find_bit(step.clbits[0]).index for step in made.data if step.name == "measure"] == [2, 0]
    branch = next(step for step in made.data if step.name == "if_else")
    assert branch.operation.condition == (made.cregs[1], 2)


@pytest.mark.parametrize("name", ["keys", "values", "items", "shape", "size", "class", "é"])
def test_registers_have_no_names_that_the_result_has_already(lagos, name):
    circuit = QuantumCircuit(QuantumRegister(7), ClassicalRegister(1, name))
    circuit.measure(0, 0)
    (made,) = sent(prepare(a_task(as_circuit(circuit)), lagos, "token"))
    assert [register.name for register in made.cregs] == ["c0"]


def test_delays_are_in_whole_steps_of_the_devices_clock():
    device = FakeSherbrooke()
    step_ps = 16 * device.dt / PS
    circuit = QuantumCircuit(127, 1)
    circuit.x(0)
    for length_ps in (10 * step_ps, 10.9 * step_ps, 0.9 * step_ps):
        circuit.delay(int(length_ps), 0, unit="dt")
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.delay(int(5.5 * step_ps), 0, unit="dt")
    (made,) = sent(prepare(a_task(as_circuit(circuit), device=device.name), device, "token"))
    delays = [step.operation for step in made.data if step.name == "delay"]
    # 10 steps in whole picoseconds are a little less than 10 steps.
    assert [(delay.duration, delay.unit) for delay in delays] == [(10 * 16, "dt")] * 2
    (branch,) = (step.operation.blocks[0] for step in made.data if step.name == "if_else")
    assert branch.data[0].operation.duration == 5 * 16


@pytest.mark.parametrize(("content_hash", "by_ibm"), [(None, True), ("hash", False)])
def test_echo_pulses_are_ibms_matter_only_if_the_circuit_has_none(lagos, content_hash, by_ibm):
    task = a_task(as_circuit(native(), content_hash), dynamical_decoupling=True)
    options = prepare(task, lagos, "token")["params"]["options"]
    assert options["dynamical_decoupling"]["enable"] is by_ibm


def test_nothing_is_asked_of_ibm_that_was_not_asked_for(lagos):
    options = prepare(a_task(as_circuit(native())), lagos, "token")["params"]["options"]
    assert options == {"dynamical_decoupling": {"enable": False}}


def foreign() -> QuantumCircuit:
    foreign = QuantumCircuit(7, 1)
    foreign.iswap(0, 1)
    foreign.measure(0, 0)
    return foreign


def wide() -> QuantumCircuit:
    wide = QuantumCircuit(8, 1)
    wide.measure(7, 0)
    return wide


def loose() -> QuantumCircuit:
    loose = QuantumCircuit(QuantumRegister(7), [Clbit()])
    loose.measure(0, 0)
    return loose


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (a_task(), "no circuit"),
        (a_task(as_circuit(native()), readout_mitigation=True), "readoutMitigation"),
        (a_task(as_circuit(foreign())), "iswap"),
        (a_task(as_circuit(QuantumCircuit(7, 1))), "measures nothing"),
        (a_task(as_circuit(wide())), "8 qubits"),
        (a_task(as_circuit(wide(), None)), "fake_lagos does not take"),
        (a_task(as_circuit(loose())), "outside of registers"),
        (a_task(as_circuit(native()), shots=0), "shots"),
    ],
)
def test_what_the_sampler_would_refuse_is_rejected_here(lagos, task, words):
    with pytest.raises(Rejected, match=words):
        prepare(task, lagos, "token")
