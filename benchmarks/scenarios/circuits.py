"""Circuits of the MQT Bench family (Quetschlich et al., Quantum 7, 1062 (2023)), the same in every run."""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qiskit import QuantumCircuit

TYPICAL = (
    "ae", "bmw_quark_cardinality", "bmw_quark_copula", "bv", "cdkm_ripple_carry_adder", "dj",
    "full_adder", "ghz", "graphstate", "grover", "hhl", "modular_adder", "qaoa", "qft",
    "qftentangled", "qnn", "qpeexact", "qpeinexact", "randomcircuit", "vqe_real_amp", "vqe_su2",
    "vqe_two_local", "wstate",
)  # fmt: skip
"""Families without mid-circuit measurement; ``qwalk``, with thousands of gates, is not typical."""


def circuits(qubits: Iterable[int], *, seed: int, families: Sequence[str] = TYPICAL) -> list[QuantumCircuit]:
    """One circuit of each family and size, in target-independent gates, free parameters given values.

    Args:
        qubits: The sizes; a family that has none of a size is passed over there.
        seed: Of the parameters' values.
        families: Names as MQT Bench has them.

    Returns:
        The circuits, each with measurements, named ``family-qubits``.
    """
    values = random.Random(seed)
    made = []
    for size in qubits:
        for family in families:
            circuit = _circuit(family, size, values)
            if circuit is not None:
                made.append(circuit)
    return made


def _circuit(family: str, size: int, values: random.Random) -> QuantumCircuit | None:
    from mqt.bench import get_benchmark_indep

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            circuit = get_benchmark_indep(family, size, opt_level=1, random_parameters=False)
        except Exception:  # noqa: BLE001 - each family refuses a size that it has not in its own way
            return None
    if circuit.num_qubits != size:
        return None
    free = sorted(circuit.parameters, key=lambda parameter: parameter.name)
    bound = circuit.assign_parameters({each: values.uniform(-3.0, 3.0) for each in free})
    bound.name = f"{family.replace('_', '-')}-{size}"
    if not bound.num_clbits:  # qaoa leaves the measurements to its user
        bound.measure_all()
    return bound
