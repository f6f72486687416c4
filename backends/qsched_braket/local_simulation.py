"""What a worker process of the local driver does: run programs on one of Braket's local simulators."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from qsched_braket.bits import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched_braket.programs import Program


class Simulated(NamedTuple):
    """What came out of one program: counts in Qiskit's order, and the seconds that it took."""

    counts: dict[str, int]
    wall_s: float


def prepare() -> None:
    """Import what ``simulate`` needs, so that the first task does not wait for it."""
    simulator_class("braket_sv")


def simulate(device: str, programs: Sequence[Program], *, shots: int, seed: int | None) -> list[Simulated]:
    """Simulate programs one after the other.

    Args:
        device: ``braket_sv`` or ``braket_dm``.
        programs: With measurements at the end.
        shots: How many of each.
        seed: Program i is seeded with seed + i; without one every run differs.
    """
    return [
        _simulate(device, program, shots, None if seed is None else seed + number)
        for number, program in enumerate(programs)
    ]


def limits(device: str) -> tuple[int, frozenset[str]]:
    """The most qubits that a simulator takes, and its gates."""
    properties = simulator_class(device)().properties
    action = properties.action["braket.ir.openqasm.program"]
    return properties.paradigm.qubitCount, frozenset(action.supportedOperations)


@cache
def simulator_class(device: str) -> Any:
    """Braket's simulator of that name."""
    from braket.default_simulator import DensityMatrixSimulator, StateVectorSimulator

    return {"braket_sv": StateVectorSimulator, "braket_dm": DensityMatrixSimulator}[device]


def _simulate(device: str, program: Program, shots: int, seed: int | None) -> Simulated:
    from braket.devices import LocalSimulator
    from braket.ir.openqasm import Program as OpenQASM

    started_s = time.perf_counter()
    simulator = LocalSimulator(_seeded(device, seed))
    result = simulator.run(OpenQASM(source=program.source), shots=shots).result()
    rows = Counter("".join(map(str, shot)) for shot in result.measurements.tolist())
    columns = [result.measured_qubits.index(qubit) for qubit, _ in program.measured]
    counts = counted(rows, columns, measured=program.measured, registers=program.registers)
    return Simulated(dict(counts), time.perf_counter() - started_s)


def _seeded(device: str, seed: int | None) -> Any:
    """The simulator; Braket takes no seed, its simulations draw from a generator of their own."""
    simulator = simulator_class(device)()
    if seed is None:
        return simulator
    made = simulator.initialize_simulation

    def initialize_simulation(**given: Any) -> Any:
        import numpy as np

        simulation = made(**given)
        simulation._rng_generator = np.random.default_rng(seed)  # noqa: SLF001 - see above
        return simulation

    simulator.initialize_simulation = initialize_simulation
    return simulator
