"""Reading the programs that Azure's targets take, and writing their results; nothing is the driver's own.

The three languages are read as their makers document them: IonQ's JSON, Quantinuum's OpenQASM 2 with the
library ``hqslib1.inc``, and Rigetti's Quil.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qiskit.circuit import Clbit

_GATES = get_standard_gate_name_mapping()


class ProgramError(Exception):
    """A program that is not of its language."""


@dataclass(frozen=True)
class Parsed:
    """A program.

    Attributes:
        circuit: What it says.
        native: Whether it is on the device's qubits and in its gates.
        output_format: In which format its result comes.
        qubits: For IonQ, the qubit that each classical bit measures.
    """

    circuit: QuantumCircuit
    native: bool
    output_format: str
    qubits: tuple[int, ...] = ()


def parse(input_format: str, content: bytes, options: Mapping[str, Any]) -> Parsed:
    """Read a program.

    Raises:
        ProgramError: If it cannot be read.
    """
    readers: dict[str, Callable[[str, Mapping[str, Any]], Parsed]] = {
        "ionq.circuit.v1": _ionq,
        "honeywell.openqasm.v1": _qasm,
        "rigetti.quil.v1": _quil,
    }
    try:
        return readers[input_format](content.decode(), options)
    except ProgramError:
        raise
    except Exception as error:
        raise ProgramError(f"the program is not in the format {input_format}: {error!r}") from error


def written(parsed: Parsed, counts: Mapping[str, int], shots: int) -> bytes:
    """The result of a program as its target would store it.

    Args:
        parsed: The program.
        counts: In Qiskit's keys.
        shots: How many were asked for, of which IonQ tells shares.
    """
    if parsed.output_format == "ionq.quantum-results.v1":
        histogram: dict[str, float] = {}
        for key, count in counts.items():
            bits = key[::-1]
            outcome = sum(1 << qubit for qubit, bit in zip(parsed.qubits, bits, strict=True) if bit == "1")
            histogram[str(outcome)] = count / shots
        return json.dumps({"histogram": histogram}).encode()
    every = [key for key, count in counts.items() for _ in range(count)]
    if parsed.output_format == "honeywell.quantum-results.v1":
        names = [register.name for register in parsed.circuit.cregs]
        result = {name: [key.split(" ")[::-1][at] for key in every] for at, name in enumerate(names)}
        return json.dumps(result).encode()
    return json.dumps({"ro": [[int(bit) for bit in key[::-1]] for key in every]}).encode()


def _ionq(text: str, _options: Mapping[str, Any]) -> Parsed:
    content = json.loads(text)
    native = content["gateset"] == "native"
    gates = QuantumCircuit(content["qubits"])
    for gate in content["circuit"]:
        (_ionq_native if native else _ionq_qis)(gates, gate)
    # IonQ measures every qubit. Those that nothing happens to are left out, and read 0.
    busy = tuple(sorted({gates.find_bit(qubit).index for step in gates.data for qubit in step.qubits})) or (
        0,
    )
    circuit = QuantumCircuit(QuantumRegister(content["qubits"], "q"), ClassicalRegister(len(busy), "c"))
    circuit.compose(gates, inplace=True)
    circuit.measure(busy, range(len(busy)))
    return Parsed(circuit, native, "ionq.quantum-results.v1", busy)


def _ionq_native(circuit: QuantumCircuit, gate: Mapping[str, Any]) -> None:
    turn = 2 * math.pi
    if gate["gate"] in {"gpi", "gpi2"}:
        phase, qubit = turn * gate["phase"], gate["target"]
        circuit.rz(-phase, qubit)
        (circuit.x if gate["gate"] == "gpi" else circuit.sx)(qubit)
        circuit.rz(phase, qubit)
    elif gate["gate"] == "ms":
        if not 0 <= gate.get("angle", 0.25) <= 0.25:
            raise ProgramError("the angle of ms must be between 0 and 0.25 turns")
        pairs = list(zip(gate["phases"], gate["targets"], strict=True))
        for phase, qubit in pairs:
            circuit.rz(-turn * phase, qubit)
        circuit.rxx(turn * gate.get("angle", 0.25), *gate["targets"])
        for phase, qubit in pairs:
            circuit.rz(turn * phase, qubit)
    elif gate["gate"] == "zz":
        if abs(gate["angle"]) > 0.25:
            raise ProgramError("the angle of zz must be within 0.25 turns")
        circuit.rzz(turn * gate["angle"], *gate["targets"])
    else:
        raise ProgramError(f"there is no native gate {gate['gate']!r}")


_QIS = {"si": "sdg", "ti": "tdg", "v": "sx", "vi": "sxdg", "not": "x"}


def _ionq_qis(circuit: QuantumCircuit, gate: Mapping[str, Any]) -> None:
    targets = gate.get("targets") or [gate["target"]]
    if gate["gate"] == "cnot":
        circuit.cx(gate["control"], targets[0])
        return
    if gate.get("controls") or "control" in gate:
        raise ProgramError(f"a controlled {gate['gate']!r} is not emulated")
    kind = type(_GATES[_QIS.get(gate["gate"], gate["gate"])])
    angles = [gate["rotation"]] if "rotation" in gate else []
    circuit.append(kind(*angles), targets)


_HQS = {"U1q": "r", "RZZ": "rzz", "Rz": "rz", "CX": "cx"}
_STATEMENT = re.compile(
    r"(?:if\s*\(\s*(?P<bit>\w+\[\d+\])\s*==\s*(?P<value>[01])\s*\)\s*)?"
    r"(?P<gate>\w+)\s*(?:\((?P<angles>[^)]*)\))?\s*(?P<rest>.*)",
    re.DOTALL,
)


def _qasm(text: str, options: Mapping[str, Any]) -> Parsed:
    statements = [each.strip() for each in re.sub(r"//[^\n]*", "", text).split(";") if each.strip()]
    if not statements[0].startswith("OPENQASM 2"):
        raise ProgramError("the first line must say OPENQASM 2.0")
    circuit = QuantumCircuit()
    for statement in statements[1:]:
        if statement.startswith("include"):
            if "hqslib1.inc" not in statement and "qelib1.inc" not in statement:
                raise ProgramError(f"there is no file to {statement}")
        elif match := re.fullmatch(r"([qc])reg (\w+)\[(\d+)\]", statement):
            register = QuantumRegister if match[1] == "q" else ClassicalRegister
            circuit.add_register(register(int(match[3]), match[2]))
        else:
            _qasm_statement(circuit, statement)
    return Parsed(circuit, bool(options.get("no-opt")), "honeywell.quantum-results.v1")


def _qasm_statement(circuit: QuantumCircuit, statement: str) -> None:
    match = _STATEMENT.fullmatch(statement)
    if match is None:
        raise ProgramError(f"cannot read {statement!r}")
    if match["bit"]:
        with circuit.if_test((_bit(circuit, match["bit"]), int(match["value"]))):
            _qasm_gate(circuit, match)
    else:
        _qasm_gate(circuit, match)


def _qasm_gate(circuit: QuantumCircuit, match: re.Match[str]) -> None:
    name = match["gate"]
    if name == "measure":
        source, into = (each.strip() for each in match["rest"].split("->"))
        circuit.measure(_index(source), _bit(circuit, into))
        return
    qubits = [_index(each) for each in match["rest"].split(",")]
    if name == "reset":
        circuit.reset(qubits)
        return
    name = _HQS.get(name, name)
    if name not in _GATES:
        raise ProgramError(f"there is no gate {match['gate']!r}")
    circuit.append(type(_GATES[name])(*_angles(match["angles"])), qubits)


def _index(text: str) -> int:
    match = re.fullmatch(r"\s*q\[(\d+)\]\s*", text)
    if match is None:
        raise ProgramError(f"{text!r} is no qubit")
    return int(match[1])


def _bit(circuit: QuantumCircuit, text: str) -> Clbit:
    name, _, index = text.rstrip("]").partition("[")
    return next(register for register in circuit.cregs if register.name == name)[int(index)]


def _angles(text: str | None) -> list[float]:
    """Angles as decimals, or pi with a factor or divisor."""
    angles = []
    for each in (text or "").split(","):
        if match := re.fullmatch(r"\s*(-?)pi(?:/(\d+))?\s*", each):
            angles.append((-1 if match[1] else 1) * math.pi / int(match[2] or 1))
        elif each.strip():
            angles.append(float(each))
    return angles


_QUIL_NATIVE = {"RZ": "rz", "ISWAP": "iswap"}
_QUIL = {"CNOT": "cx", "CZ": "cz", "SWAP": "swap", "PHASE": "p", "CPHASE": "cp", "I": "id", "XY": ""}


def _quil(text: str, options: Mapping[str, Any]) -> Parsed:
    native = bool(options.get("skipQuilc"))
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("PRAGMA")]
    declared = re.fullmatch(r"DECLARE ro BIT\[(\d+)\]", lines[0])
    if declared is None:
        raise ProgramError("the program declares no readout memory 'ro'")
    read = [
        re.fullmatch(r"(?:(DAGGER) )?(\w+)(?:\(([^)]*)\))?((?: \d+)+)(?: ro\[(\d+)\])?", line)
        for line in lines[1:]
    ]
    width = 1 + max(int(qubit) for match in read if match for qubit in match[4].split())
    circuit = QuantumCircuit(QuantumRegister(width, "q"), ClassicalRegister(int(declared[1]), "ro"))
    for line, match in zip(lines[1:], read, strict=True):
        if match is None:
            raise ProgramError(f"cannot read {line!r}")
        qubits = [int(qubit) for qubit in match[4].split()]
        if match[2] == "MEASURE":
            circuit.measure(qubits[0], int(match[5]))
        elif native:
            _quil_native(circuit, match[2], _angles(match[3]), qubits)
        else:
            gate = type(_GATES[_QUIL.get(match[2], match[2].lower())])(*_angles(match[3]))
            circuit.append(gate.inverse() if match[1] else gate, qubits)
    return Parsed(circuit, native, "rigetti.quil-results.v1")


def _quil_native(circuit: QuantumCircuit, name: str, angles: list[float], qubits: list[int]) -> None:
    """One native gate; RX of a quarter turn is sx, and of a half turn x, up to a phase that nothing sees."""
    if name == "RX":
        quarters = round(angles[0] / (math.pi / 2))
        if abs(angles[0] - quarters * math.pi / 2) > 1e-9 or quarters not in {1, 2}:
            raise ProgramError(f"RX({angles[0]}) is not native")
        circuit.append(type(_GATES["sx" if quarters == 1 else "x"])(), qubits)
    elif name in _QUIL_NATIVE:
        circuit.append(type(_GATES[_QUIL_NATIVE[name]])(*angles), qubits)
    else:
        raise ProgramError(f"{name} is not a native gate")
