"""Circuits read and transpiled in worker processes, each once.

Reading and transpiling take milliseconds to seconds of a processor, and a circuit may be hostile: neither
belongs into the engine's own process. What comes back is kept, up to a number of entries, by the content
that it was made from.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import msgspec

from qsched.engine.once import Once
from qsched.engine.results import read_bytes
from qsched.errors import CircuitError, Problem

if TYPE_CHECKING:
    from qsched.api.calibration import Calibration
    from qsched.api.job import Circuit, Execution, QuantumCircuitJob
    from qsched.circuits.profile import Profile
    from qsched.circuits.transpile import Transpiled
    from qsched.drivers.workers import WorkerPool

PREPARED_ENTRIES = 4096
TRANSPILED_ENTRIES = 1024


class Prepared(msgspec.Struct, frozen=True):
    """A circuit that was read: its name in the job, QPY with its parameters bound, and its profile."""

    name: str
    qpy: bytes
    profile: Profile


class Preparation:
    """Reads and transpiles circuits in a worker pool, and remembers what came out."""

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._prepared: Once[Prepared] = Once(PREPARED_ENTRIES)
        self._transpiled: Once[Transpiled] = Once(TRANSPILED_ENTRIES)

    async def prepare(self, job: QuantumCircuitJob) -> tuple[Prepared, ...]:
        """Read every circuit of a job.

        Raises:
            CircuitError: If a circuit cannot be read or is larger than a limit.
            ResultError: If its URI cannot be read.
        """
        return tuple(await asyncio.gather(*map(self._prepare, job.spec.circuits)))

    async def transpile(
        self, circuit: Prepared, calibration: Calibration, execution: Execution
    ) -> Transpiled:
        """Map a circuit to a device.

        Raises:
            CircuitError: If the device cannot run it.
        """
        key = circuit.profile.hash, calibration.id, execution
        return await self._transpiled.get(
            key, lambda: self._workers.call(_transpile, circuit.qpy, circuit.name, calibration, execution)
        )

    async def _prepare(self, circuit: Circuit) -> Prepared:
        data = b"" if circuit.uri is None else await asyncio.to_thread(read_bytes, circuit.uri)
        key = hashlib.sha256(msgspec.json.encode(circuit) + data).digest()
        return await self._prepared.get(key, lambda: self._workers.call(read_circuit, circuit, data))


def read_circuit(circuit: Circuit, data: bytes) -> Prepared:
    """Read one circuit.

    Args:
        circuit: As the job declares it.
        data: What its URI holds, if it has one.

    Raises:
        CircuitError: If it cannot be read or is larger than a limit.
    """
    from qsched.circuits.load import load_circuit
    from qsched.circuits.profile import profile
    from qsched.circuits.qpy import to_qpy

    if circuit.config_map_ref is not None:
        raise CircuitError(
            Problem(
                "", f"circuit {circuit.name!r} is in a ConfigMap, which only a cluster has; use qasm or uri"
            )
        )
    loaded = load_circuit(circuit, lambda _uri: data)
    return Prepared(circuit.name, to_qpy(loaded), profile(loaded))


def _transpile(qpy: bytes, name: str, calibration: Calibration, execution: Execution) -> Transpiled:
    from qsched.circuits.qpy import from_qpy
    from qsched.circuits.transpile import transpile
    from qsched.fleet.target import to_target

    return transpile(
        from_qpy(qpy, name=name),
        to_target(calibration),
        level=execution.optimization_level,
        seed=execution.seed or 0,
        dynamical_decoupling=execution.dynamical_decoupling,
    )
