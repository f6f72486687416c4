from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from qiskit.transpiler import Target


@pytest.fixture(scope="session")
def line_target() -> Target:
    """Eight qubits in a line; sx 50 ns, cx 400 ns (qubit pair 3-4 is ten times worse), measurement 1 us."""
    from qiskit.circuit import Delay, Measure, Parameter
    from qiskit.circuit.library import CXGate, RZGate, SXGate, XGate
    from qiskit.transpiler import InstructionProperties, Target

    def everywhere(duration_s: float, error: float) -> dict[tuple[int, ...], InstructionProperties]:
        return {(q,): InstructionProperties(duration=duration_s, error=error) for q in range(8)}

    target = Target(num_qubits=8, dt=1e-12)
    target.add_instruction(SXGate(), everywhere(50e-9, 2e-4))
    target.add_instruction(XGate(), everywhere(50e-9, 2e-4))
    target.add_instruction(RZGate(Parameter("t")), everywhere(0.0, 0.0))
    target.add_instruction(Delay(Parameter("t")), {(q,): None for q in range(8)})
    target.add_instruction(Measure(), everywhere(1e-6, 1e-2))
    pairs = [(a, a + 1) for a in range(7)] + [(a + 1, a) for a in range(7)]
    target.add_instruction(
        CXGate(),
        {pair: InstructionProperties(400e-9, 0.1 if set(pair) == {3, 4} else 1e-2) for pair in pairs},
    )
    return target
