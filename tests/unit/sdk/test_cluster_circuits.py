"""Circuits as text, for engines that do not see this machine's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qsched.api.manifest import validate_job
from qsched.circuits.hashing import circuit_hash
from qsched.circuits.load import load_circuit
from qsched.circuits.qpy import to_qpy
from qsched.errors import InvalidInput
from qsched.sdk.work import declare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qsched.api.job import ConfigMapKey


def no_files(_place: str | ConfigMapKey) -> bytes:
    raise AssertionError("the circuit is to be in the job")


def there_and_back(circuit: QuantumCircuit) -> QuantumCircuit:
    job = declare(circuit, name="x", folder=None, options={})
    assert validate_job(job) == []
    return load_circuit(job.spec.circuits[0], no_files)


def layered() -> QuantumCircuit:
    circuit = QuantumCircuit(3, name="layered")
    circuit.h(0)
    circuit.rzz(0.123456789012345, 0, 1)
    circuit.ecr(1, 2)
    circuit.u(0.1, 0.2, 0.3, 2)
    circuit.measure_all()
    return circuit


def delayed() -> QuantumCircuit:
    circuit = QuantumCircuit(1, name="delayed")
    circuit.h(0)
    circuit.delay(100, 0, unit="ns")
    circuit.measure_all()
    return circuit


def dynamic() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2, name="dynamic")
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    return circuit


@pytest.mark.parametrize("make", [layered, delayed, dynamic])
def test_a_circuit_arrives_as_it_was(make: Callable[[], QuantumCircuit]) -> None:
    circuit = make()
    arrived = there_and_back(circuit)
    assert arrived.name == circuit.name
    assert arrived.count_ops() == circuit.count_ops()
    assert circuit_hash(arrived) == circuit_hash(there_and_back(arrived))
    for sent, got in zip(circuit.data, arrived.data, strict=True):
        assert sent.operation.name == got.operation.name
        if not getattr(sent.operation, "blocks", ()):
            assert got.operation.params == pytest.approx(sent.operation.params)


def test_parameters_are_bound_where_the_job_runs() -> None:
    circuit = QuantumCircuit(1, name="turn")
    circuit.rx(Parameter("theta"), 0)
    circuit.measure_all()
    job = declare(circuit, name="x", folder=None, options={})
    assert "input" in (job.spec.circuits[0].qasm or "")


def test_a_qpy_file_travels_as_text(tmp_path: Path) -> None:
    path = tmp_path / "layered.qpy"
    path.write_bytes(to_qpy(layered()))
    job = declare(path, name="x", folder=None, options={})
    assert job.spec.circuits[0].uri is None
    assert load_circuit(job.spec.circuits[0], no_files).count_ops() == layered().count_ops()
    with pytest.raises(InvalidInput, match=r"cannot read .*missing\.qpy"):
        declare(tmp_path / "missing.qpy", name="x", folder=None, options={})


def test_what_no_text_can_say_is_refused_with_its_name() -> None:
    circuit = QuantumCircuit(1, name="opaque")
    circuit.append(Gate("secret", 1, [Parameter("a") * 1j]), [0])
    with pytest.raises(InvalidInput, match="circuit 'opaque' cannot be written as OpenQASM"):
        declare(circuit, name="x", folder=None, options={})
