"""OpenQASM 3 programs as Braket takes them, as Qiskit circuits for a twin.

Braket's own interpreter reads the program, from amazon-braket-default-simulator, and calls its context for
each instruction. A verbatim program becomes a circuit in the gates of the twin's calibration, gate by gate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from math import isclose, pi
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.calibration import Calibration

_PLAIN = {
    "h": "h",
    "x": "x",
    "y": "y",
    "z": "z",
    "s": "s",
    "si": "sdg",
    "t": "t",
    "ti": "tdg",
    "v": "sx",
    "vi": "sxdg",
    "phaseshift": "p",
    "rx": "rx",
    "ry": "ry",
    "rz": "rz",
    "prx": "r",
    "cnot": "cx",
    "cy": "cy",
    "cz": "cz",
    "cphaseshift": "cp",
    "swap": "swap",
    "iswap": "iswap",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
    "ccnot": "ccx",
    "cswap": "cswap",
}
"""Qiskit's gate for each of Braket's that is no native gate of ions."""

OPERATIONS = tuple(_PLAIN)
IONS = ("gpi", "gpi2", "ms")


class WrongProgramError(ValueError):
    """Braket would refuse the program."""


@dataclass
class Read:
    """A program that was read.

    Attributes:
        gates: Name, angles and qubits of each gate.
        measured: The qubit that each bit of the register holds.
        verbatim: Whether the gates are in a verbatim box.
    """

    gates: list[tuple[str, list[float], tuple[int, ...]]] = field(default_factory=list)
    measured: dict[int, int] = field(default_factory=dict)
    verbatim: bool = False

    @property
    def qubits(self) -> list[int]:
        """Every qubit that is named."""
        return sorted(
            {qubit for _, _, qubits in self.gates for qubit in qubits} | set(self.measured.values())
        )


def read_program(source: str) -> Read:
    """What a program does.

    Raises:
        WrongProgramError: If Braket's interpreter does not take it, or it measures nothing.
    """
    from braket.default_simulator.openqasm.interpreter import Interpreter

    reader = _reader_class()()
    try:
        Interpreter(reader).run(source)
    except Exception as error:
        raise WrongProgramError(f"the program cannot be read: {error}") from error
    if not reader.read.measured:
        raise WrongProgramError("the program measures nothing")
    return reader.read  # type: ignore[no-any-return]


def plain_circuit(program: Read) -> QuantumCircuit:
    """The circuit of a program that the provider compiles."""
    circuit = QuantumCircuit(max(program.qubits) + 1, len(program.measured))
    for name, angles, qubits in program.gates:
        if name not in _PLAIN:
            raise WrongProgramError(f"the gate {name} is not supported outside a verbatim box")
        getattr(circuit, _PLAIN[name])(*angles, *qubits)
    _measure(circuit, program, 0)
    return circuit


def native_circuit(
    program: Read, natives: Sequence[str], calibration: Calibration, first: int
) -> QuantumCircuit:
    """The circuit of a verbatim program, in the gates of a calibration.

    Args:
        program: What was sent.
        natives: The device's native gates, as Braket lists them.
        calibration: Of the device's twin.
        first: Braket's number of the calibration's qubit 0.

    Raises:
        WrongProgramError: If it uses a gate, qubit or coupler that the device has not.
    """
    couplers = {frozenset(pair) for pair in calibration.couplers.tolist()}
    known = {gate.lower() for gate in natives}
    circuit = QuantumCircuit(calibration.qubits, len(program.measured))
    for name, angles, labels in program.gates:
        qubits = [label - first for label in labels]
        if name not in known:
            raise WrongProgramError(f"the gate {name} is not native to the device")
        if any(not 0 <= qubit < calibration.qubits for qubit in qubits):
            raise WrongProgramError(f"the device has not all qubits of {labels}")
        if len(qubits) == 2 and frozenset(qubits) not in couplers:
            raise WrongProgramError(f"the qubits {labels} are not coupled")
        _append(circuit, name, angles, qubits)
    _measure(circuit, program, first)
    return circuit


def _append(circuit: QuantumCircuit, name: str, angles: Sequence[float], qubits: Sequence[int]) -> None:
    match name:
        case "gpi" | "gpi2":
            circuit.rz(-angles[0], qubits[0])
            getattr(circuit, "x" if name == "gpi" else "sx")(qubits[0])
            circuit.rz(angles[0], qubits[0])
        case "ms":
            first, second, *rest = angles
            for sign in (-1, 1):
                circuit.rz(sign * first, qubits[0])
                circuit.rz(sign * second, qubits[1])
                if sign < 0:
                    circuit.rxx(rest[0] if rest else pi / 2, *qubits)
        case "rx":
            _quarter_turns(circuit, angles[0], qubits[0])
        case _:
            getattr(circuit, _PLAIN[name])(*angles, *qubits)


def _quarter_turns(circuit: QuantumCircuit, angle: float, qubit: int) -> None:
    """Rigetti's rx: a quarter or half turn, either way."""
    if isclose(abs(angle), pi, abs_tol=1e-9):
        circuit.x(qubit)
    elif isclose(abs(angle), pi / 2, abs_tol=1e-9):
        if angle < 0:
            circuit.rz(pi, qubit)
        circuit.sx(qubit)
        if angle < 0:
            circuit.rz(pi, qubit)
    else:
        raise WrongProgramError(f"rx({angle}) is not native: the device turns by pi/2 and pi only")


def _measure(circuit: QuantumCircuit, program: Read, first: int) -> None:
    if sorted(program.measured) != list(range(len(program.measured))):
        raise WrongProgramError("the bits of the register are not measured one after the other")
    for bit, label in program.measured.items():
        circuit.measure(label - first, bit)


@cache
def _reader_class() -> Any:
    """The interpreter's context; made when first needed, since Braket's package takes a while to import."""
    from braket.default_simulator.openqasm.circuit import Circuit
    from braket.default_simulator.openqasm.program_context import AbstractProgramContext

    class Reader(AbstractProgramContext):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.read = Read()
            self._circuit = Circuit()

        @property
        def circuit(self) -> Circuit:
            return self._circuit

        def is_builtin_gate(self, name: str) -> bool:
            return name in OPERATIONS or name in IONS

        def add_phase_instruction(self, target: Any, phase_value: float) -> None:
            """A global phase."""

        def add_gate_instruction(
            self,
            gate_name: str,
            target: tuple[int, ...],
            params: Any,
            ctrl_modifiers: list[int],
            power: float,
        ) -> None:
            if ctrl_modifiers or power != 1:
                raise WrongProgramError("the device takes no gate modifiers")
            self.read.gates.append((gate_name, [float(angle) for angle in params], tuple(target)))

        def add_measure(self, target: tuple[int, ...], classical_targets: Any = None, **_: Any) -> None:
            bits = range(len(target)) if classical_targets is None else classical_targets
            self.read.measured.update(zip(bits, target, strict=True))

        def add_verbatim_marker(self, marker: Any) -> None:
            self.read.verbatim = True

    return Reader
