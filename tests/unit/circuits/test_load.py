from __future__ import annotations

import math

import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Gate, Parameter

from qsched.api.job import Circuit, ConfigMapKey
from qsched.circuits.check import check_circuit
from qsched.circuits.hashing import circuit_hash
from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.load import load_circuit
from qsched.circuits.qpy import from_qpy, to_qpy
from qsched.errors import CircuitError

BELL2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0], q[1]; measure q -> c;'
ANGLES3 = (
    'OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; qubit q; bit c; '
    "rx(a) q; ry(b) q; c = measure q;"
)


def no_uri(uri: str) -> bytes:
    raise AssertionError(uri)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_inline_text_uri_and_config_map_give_the_same_circuit() -> None:
    files = {"mem://a.qasm": BELL2.encode(), "mem://a.qpy": to_qpy(bell())}
    circuits = [
        load_circuit(Circuit(name="bell", qasm=BELL2), no_uri),
        *(load_circuit(Circuit(name="bell", uri=uri), files.__getitem__) for uri in files),
        load_circuit(
            Circuit(name="bell", config_map_ref=ConfigMapKey(name="m", key="k")),
            lambda ref: {"k": BELL2.encode()}[ref.key],
        ),
    ]
    assert len({circuit_hash(circuit) for circuit in circuits}) == 1
    assert {circuit.name for circuit in circuits} == {"bell"}


def test_parameters_are_bound() -> None:
    spec = Circuit(name="a", qasm=ANGLES3, parameters={"a": 0.5, "b": 1.5})
    assert [step.params for step in load_circuit(spec, no_uri).data[:2]] == [[0.5], [1.5]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": 1.0}, "free parameters 'b'"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "no parameter 'c'; it has 'a', 'b'"),
        ({"a": math.nan, "b": 1.0}, "parameter 'a' is nan"),
    ],
)
def test_parameters_that_do_not_fit_are_named(values: dict[str, float], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        load_circuit(Circuit(name="a", qasm=ANGLES3, parameters=values), no_uri)


def test_a_circuit_without_measurement_is_refused_with_the_remedy() -> None:
    circuit = QuantumCircuit(1)
    circuit.h(0)
    with pytest.raises(CircuitError, match=r"no measurement.*measure_all"):
        check_circuit(circuit, name="a")


def test_a_gate_without_a_definition_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.append(Gate("mystery", 1, []), [0])
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match="'mystery' has no definition"):
        check_circuit(circuit, name="a")


def test_an_angle_that_is_not_finite_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(math.inf, 0)
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match=r"'rx'.*finite"):
        check_circuit(circuit, name="a")


def test_a_long_loop_is_refused_by_what_it_writes_out() -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(10**9)):
        circuit.h(0)
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match="operations when written out"):
        check_circuit(circuit, name="a")


def test_a_delay_in_units_of_an_unknown_device_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.delay(100, 0, unit="dt")
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match="'dt' has no length"):
        check_circuit(circuit, name="a")


def test_qpy_keeps_the_length_of_delays() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.delay(1.5, 0, unit="us")
    circuit.delay(100e-9, 0, unit="s")
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.delay(20, 1, unit="ns")
    data = to_qpy(circuit)
    again = from_qpy(data, name="a")
    lengths = [step.operation.duration for step in again.data if step.name == "delay"]
    assert lengths == pytest.approx([1.5e-6, 1e-7])
    assert again.data[2].operation.blocks[0].data[0].operation.duration == pytest.approx(2e-8)
    assert circuit_hash(again) == circuit_hash(circuit) == circuit_hash(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:20], "damaged"),
        (lambda data: data[: len(data) // 2], "damaged"),
        (lambda data: data[:6] + b"\x0c" + data[7:], "QPY version 12 is not read"),
        (lambda data: data[:6] + b"\xff" + data[7:], "damaged, or of a newer Qiskit"),
        (lambda data: data[:8], "not a QPY file"),
        (lambda data: b"\xff\xfe" + data, "neither QPY nor OpenQASM"),
        (lambda data: data + bytes(32_000_000), "bytes of QPY"),
    ],
)
def test_bad_qpy_is_refused(damage: object, message: str) -> None:
    assert callable(damage)
    content = damage(to_qpy(bell()))
    with pytest.raises(CircuitError, match=message):
        load_circuit(Circuit(name="a", uri="mem://a"), lambda _: content)


def test_qpy_of_several_circuits_is_refused(tmp_path: object) -> None:
    import io

    buffer = io.BytesIO()
    qpy.dump([bell(), bell()], buffer)
    with pytest.raises(CircuitError, match="holds 2 circuits"):
        from_qpy(buffer.getvalue(), name="a")


@pytest.mark.slow
def test_qpy_with_absurd_counts_neither_hangs_nor_takes_all_memory() -> None:
    inner = QuantumCircuit(2, name="g")
    inner.h(0)
    circuit = QuantumCircuit(2, 2)
    circuit.append(inner.to_gate(), [0, 1])
    data = bytearray(to_qpy(circuit))
    place = data.rindex(b"g") - 30
    for offset in range(place, place + 28):
        data[offset] = 0xFF
    limits = Limits(qpy_seconds=1)
    with pytest.raises(CircuitError):
        load_circuit(Circuit(name="a", uri="mem://a"), lambda _: bytes(data), limits=limits)


def test_free_parameters_of_a_circuit_object_are_named() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("theta"), 0)
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match="free parameters 'theta'"):
        check_circuit(circuit, name="a")


def test_a_circuit_of_sixty_thousand_gates_survives_qpy() -> None:
    circuit = QuantumCircuit(2, 2)
    for _ in range(60_000):
        circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    data = to_qpy(circuit)
    assert len(data) > DEFAULT_LIMITS.source_bytes
    assert len(from_qpy(data, name="long").data) == 60_002
