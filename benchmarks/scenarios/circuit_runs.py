"""Circuits that can be simulated exactly, and the twins that they run on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import yaml

from benchmarks.scenarios.circuits import circuits
from qsched.circuits.profile import profile
from qsched.fleet.fleet_file import DEFAULT_FLEET

if TYPE_CHECKING:
    from pathlib import Path

    from qiskit import QuantumCircuit

QUBITS = range(2, 9)
DEPTH2 = 20
"""Two-qubit gates on the path that has most; most devices hold their qubits that long."""
TWINS = ("lima", "perth", "guadalupe", "garnet", "hanoi", "cambridge", "torino")
"""Backends of the default fleet, from 5 to 129 qubits, old and new, cheap and dear."""


def some_circuits(count: int, versions: int, *, seed: int) -> list[QuantumCircuit]:
    """Circuits of 2 to 8 qubits, of as many sizes and families as the count allows, in some order.

    Args:
        count: How many at most.
        versions: Of each that has free parameters; with four, there are some two hundred circuits.
        seed: Of the circuits' parameters and of the choice.
    """
    made = _shallow(seed)
    first = {each.name: each for each in made}
    for number in range(2, versions + 1):
        others = [each for each in _shallow(seed + number) if each != first.get(each.name)]
        made += [each.copy(name=f"{each.name}-v{number}") for each in others]
    choose = random.Random(seed)
    choose.shuffle(made)
    return made[:count]


def write_fleet(path: Path) -> None:
    """A fleet file of the twins only; the ideal simulator of the default fleet would win every circuit.

    Each runs one task at a time, like the device that it stands for.
    """
    documents = yaml.safe_load_all(DEFAULT_FLEET.read_text())
    twins = [each for each in documents if each["metadata"]["name"] in TWINS]
    for each in twins:
        each["spec"]["maxInFlight"] = 1
    path.write_text(yaml.safe_dump_all(twins))


def _shallow(seed: int) -> list[QuantumCircuit]:
    return [each for each in circuits(QUBITS, seed=seed) if profile(each).depth2 <= DEPTH2]
