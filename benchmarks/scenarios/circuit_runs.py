"""Circuits that can be simulated exactly, and the twins that they run on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import yaml

from benchmarks.scenarios.circuits import circuits
from benchmarks.scenarios.twin_jobs import DEPTH2
from qsched.circuits.profile import profile
from qsched.fleet.fleet_file import DEFAULT_FLEET

if TYPE_CHECKING:
    from pathlib import Path

    from qiskit import QuantumCircuit

QUBITS = range(2, 8)
TWINS = ("lima", "perth", "guadalupe", "garnet", "hanoi", "cambridge", "torino")
"""Backends of the default fleet, from 5 to 129 qubits, old and new, cheap and dear."""


def some_circuits(count: int, *, seed: int) -> list[QuantumCircuit]:
    """Circuits of 2 to 7 qubits, of as many sizes and families as the count allows, in some order.

    None is so deep that it would outlive the qubits of a device where it fits, whoever chooses the device.

    Args:
        count: How many at most; there are some seventy.
        seed: Of the circuits' parameters and of the choice.
    """
    made = [each for each in circuits(QUBITS, seed=seed) if profile(each).depth2 <= DEPTH2]
    choose = random.Random(seed)
    choose.shuffle(made)
    return made[:count]


def write_fleet(path: Path) -> None:
    """A fleet file of the twins only; the ideal simulator of the default fleet would win every circuit."""
    documents = yaml.safe_load_all(DEFAULT_FLEET.read_text())
    path.write_text(yaml.safe_dump_all(each for each in documents if each["metadata"]["name"] in TWINS))
