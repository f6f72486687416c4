"""What the makers on Azure bill for a program, by the formulas that they publish."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_IONQ = {
    "aria": (Decimal("0.00022"), Decimal("0.000975"), Decimal("12.4166")),
    "forte": (Decimal("0.0001645"), Decimal("0.001121"), Decimal("25.7899")),
}
"""USD for a one-qubit gate and a two-qubit gate of a shot, and at least; without error mitigation."""

_RIGETTI_SHOT_S = Decimal("0.0002")
_RIGETTI_STEP_S, _RIGETTI_STEP = Decimal("0.01"), Decimal("0.02")


def bill(target: str, circuit: QuantumCircuit, shots: int) -> str:
    """What a program costs in its maker's currency, as a decimal text; empty for a simulator.

    Args:
        target: Azure's name.
        circuit: What runs.
        shots: How often.
    """
    maker, _, device = target.partition(".qpu.")
    if not device:
        return ""
    steps = [step for step in circuit.data if step.name not in {"rz", "barrier", "delay"}]
    measured = sum(step.name == "measure" for step in steps)
    two = sum(len(step.qubits) == 2 for step in steps)
    one = len(steps) - measured - two
    if maker == "ionq":
        per_one, per_two, least = next(prices for model, prices in _IONQ.items() if device.startswith(model))
        total = max(least, shots * (one * per_one + two * per_two))
    elif maker == "quantinuum":
        total = 5 + Decimal(shots * (one + 10 * two + 5 * measured)) / 5000
    else:
        lasts = (shots * _RIGETTI_SHOT_S / _RIGETTI_STEP_S).to_integral_value(ROUND_UP)
        total = lasts * _RIGETTI_STEP
    return f"{total.quantize(Decimal('0.0001')).normalize():f}"
