"""Circuits in the gates and on the qubits of one device, scheduled, repeatably."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qsched.circuits.hashing import circuit_hash
from qsched.circuits.problems import circuit_error
from qsched.circuits.qpy import to_qpy
from qsched.circuits.schedule import schedule

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target

    from qsched.circuits.usage import Usage


@dataclass(frozen=True, slots=True, eq=False)
class Transpiled:
    """A circuit that is ready for a device.

    Attributes:
        qpy: The circuit as QPY bytes, on the device's qubits, with a delay in seconds in each idle interval.
        hash: Its content hash.
        usage: What it uses of the device.
    """

    qpy: bytes
    hash: str
    usage: Usage


def transpile(
    circuit: QuantumCircuit,
    target: Target,
    *,
    level: int,
    seed: int | None,
    dynamical_decoupling: bool = False,
) -> Transpiled:
    """Map a circuit to a device and schedule it as late as possible.

    The same circuit, target, level and seed give the same result, in any process.

    Args:
        circuit: Parameters bound. Qubits that nothing happens to are dropped.
        target: The device, with errors and durations; it must not be changed afterwards.
        level: 0 to 3, Qiskit's optimisation levels.
        seed: For layout and routing.
        dynamical_decoupling: Whether to fill idle intervals with X pulses.

    Raises:
        CircuitError: If the device has too few qubits, or lacks what the circuit needs.
    """
    from qiskit.transpiler import TranspilerError

    compact = without_idle_qubits(circuit)
    available = len(target["measure"]) if "measure" in target else target.num_qubits
    if available is not None and compact.num_qubits > available:
        message = f"needs {compact.num_qubits} qubits, the device has {available} that can be used"
        raise circuit_error(circuit.name, message)
    try:
        mapped = _pass_manager(target, level, seed).run(compact)
    except TranspilerError as error:
        raise circuit_error(circuit.name, f"cannot be mapped to the device: {error.message}") from error
    mapped.name = circuit.name
    scheduled, usage = schedule(mapped, target, dynamical_decoupling=dynamical_decoupling)
    return Transpiled(qpy=to_qpy(scheduled), hash=circuit_hash(scheduled), usage=usage)


def without_idle_qubits(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without the qubits that nothing happens to, or the circuit itself if there are none."""
    from qiskit import QuantumCircuit

    busy = {qubit for step in circuit.data if step.name not in ("barrier", "delay") for qubit in step.qubits}
    if len(busy) == circuit.num_qubits or circuit.num_identifiers:
        return circuit
    compact = QuantumCircuit(name=circuit.name, global_phase=circuit.global_phase)
    compact.add_bits([qubit for qubit in circuit.qubits if qubit in busy])
    compact.add_bits(circuit.clbits)
    for register in circuit.cregs:
        compact.add_register(register)
    for step in circuit.data:
        if all(qubit in busy for qubit in step.qubits):
            compact.append(step)
        elif step.name == "barrier":
            compact.barrier([qubit for qubit in step.qubits if qubit in busy])
    return compact


@lru_cache(maxsize=32)
def _pass_manager(target: Target, level: int, seed: int | None) -> Any:
    from qiskit.transpiler import generate_preset_pass_manager

    manager = generate_preset_pass_manager(optimization_level=level, target=target, seed_transpiler=seed)
    if level < 2:
        # Levels 0 and 1 would first try qubits 0, 1, 2 ... as they are, even those that the target leaves
        # out, and do not look at errors. The layout of level 2 does, in the same time on small circuits. It
        # goes with its own routing, which moves a routed circuit to the best qubits there are.
        better = generate_preset_pass_manager(optimization_level=2, target=target, seed_transpiler=seed)
        manager.layout = better.layout
        manager.routing = better.routing
    return manager
