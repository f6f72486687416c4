"""What a worker process does: run one task's circuits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from qsched.drivers import DriverError
from qsched.drivers.circuits import read
from qsched_aer.circuits import unroll
from qsched_aer.methods import Method  # noqa: TC001 - msgspec reads it in ``Order``
from qsched_aer.mitigation import BitErrors, mitigate
from qsched_aer.noise import noise

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    from qsched.drivers import Calibration


@dataclass(frozen=True, slots=True)
class Order:
    """One circuit to simulate.

    Attributes:
        name: Its name in the job.
        qpy: The circuit.
        method: How.
        measured: Physical indices of the qubits that it measures.
        mitigate: How likely each classical bit is misread, when the counts are to be corrected for it.
    """

    name: str
    qpy: bytes
    method: Method
    measured: tuple[int, ...]
    mitigate: BitErrors | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use."""

    threads: int
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came out of one circuit: counts, and the seconds that it took to simulate."""

    counts: dict[str, int]
    wall_s: float


def simulate(
    orders: tuple[Order, ...],
    *,
    shots: int,
    seed: int | None,
    calibration: Calibration | None,
    limits: Limits,
) -> list[Simulated]:
    """Simulate circuits one after the other.

    Args:
        orders: The circuits.
        shots: How many of each.
        seed: Circuit i is seeded with seed + i; without one every run differs.
        calibration: Of the device whose twin this is; None for an ideal simulation.
        limits: Of this process.

    Raises:
        DriverError: If Aer fails, with what it says, or there are too many outcomes to mitigate.
    """
    return [
        _simulate(order, shots, None if seed is None else seed + number, calibration, limits)
        for number, order in enumerate(orders)
    ]


def prepare() -> None:
    """Import what ``simulate`` needs, so that the first task does not wait for it."""
    _simulator("density_matrix", Limits(threads=1, memory_mb=1))


def _simulate(
    order: Order, shots: int, seed: int | None, calibration: Calibration | None, limits: Limits
) -> Simulated:
    started_s = time.perf_counter()
    circuit = read(order.name, order.qpy)
    options: dict[str, object] = {"shots": shots, "seed_simulator": seed}
    if calibration is None:
        circuit = unroll(circuit)
    else:
        circuit = noise(calibration).noisy(circuit)
        options["noise_model"] = noise(calibration).readout(order.measured)
    counts = _run(circuit, order, options, limits)
    if order.mitigate is not None:
        counts = mitigate(order.name, counts, order.mitigate)
    return Simulated(counts, time.perf_counter() - started_s)


def _run(circuit: QuantumCircuit, order: Order, options: dict[str, object], limits: Limits) -> dict[str, int]:
    result = _simulator(order.method, limits).run(circuit, **options).result()
    if not result.success:
        reason = result.results[0].status if result.results else result.status
        raise DriverError(f"Aer could not simulate circuit {order.name!r} as {order.method}: {reason}")
    return dict(result.get_counts())


@lru_cache(maxsize=8)
def _simulator(method: Method, limits: Limits) -> AerSimulator:
    from qiskit_aer import AerSimulator

    return AerSimulator(method=method, max_parallel_threads=limits.threads, max_memory_mb=limits.memory_mb)
