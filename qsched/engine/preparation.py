"""Circuits read and transpiled in worker processes, each once.

Reading and transpiling take milliseconds to seconds of a processor, and a circuit may be hostile: neither
belongs into the engine's own process. What comes back is kept, up to a number of entries, by the content
that it was made from.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from qsched.engine.once import Once
from qsched.errors import CircuitError, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qiskit import QuantumCircuit

    from qsched.api.calibration import Calibration
    from qsched.api.job import Circuit, Execution, QuantumCircuitJob
    from qsched.circuits.profile import Profile
    from qsched.circuits.transpile import Transpiled
    from qsched.drivers.workers import WorkerPool
    from qsched.engine.places import Places

V = TypeVar("V")

PREPARED_ENTRIES = 4096
TRANSPILED_ENTRIES = 1024
READ_LIMIT_S = 30.0
MAP_LIMIT_S = 600.0


class Prepared(msgspec.Struct, frozen=True):
    """A circuit that was read: its name in the job, QPY with its parameters bound, and its profile."""

    name: str
    qpy: bytes
    profile: Profile


class Preparation:
    """Reads and transpiles circuits in a worker pool, and remembers what came out."""

    def __init__(self, workers: WorkerPool, places: Places) -> None:
        """Read nothing yet.

        Args:
            workers: Where the work is done.
            places: Where circuits come from.
        """
        self._workers = workers
        self._places = places
        self._prepared: Once[Prepared] = Once(PREPARED_ENTRIES)
        self._transpiled: Once[Transpiled] = Once(TRANSPILED_ENTRIES)

    async def prepare(self, job: QuantumCircuitJob) -> tuple[Prepared, ...]:
        """Read every circuit of a job.

        Raises:
            CircuitError: If a circuit cannot be read or is larger than a limit.
            CircuitMissing: If its ConfigMap is not there yet.
            ResultError: If its URI cannot be read.
        """
        namespace = job.metadata.namespace or "default"
        return tuple(
            await asyncio.gather(*(self.prepare_one(circuit, namespace) for circuit in job.spec.circuits))
        )

    async def transpile(
        self, circuit: Prepared, calibration: Calibration, execution: Execution
    ) -> Transpiled:
        """Map a circuit to a device.

        Raises:
            CircuitError: If the device cannot run it.
        """
        key = circuit.profile.hash, calibration.id, execution
        too_long = f"could not be mapped in {MAP_LIMIT_S:g} s; lower spec.execution.optimizationLevel"

        def work() -> Awaitable[Transpiled]:
            made = self._workers.call_within(
                MAP_LIMIT_S, _transpile, circuit.qpy, circuit.name, calibration, execution
            )
            return _in_time(circuit.name, too_long, made)

        return await self._transpiled.get(key, work)

    async def prepare_one(self, circuit: Circuit, namespace: str) -> Prepared:
        """Read one circuit of a job in a namespace; see ``prepare``."""
        data = await self._places.read(circuit, namespace)
        read = _read_own if circuit.uri is not None and self._places.trusts(circuit.uri) else _read
        key = hashlib.sha256(msgspec.json.encode(circuit) + data).digest()
        too_long = f"took longer than {READ_LIMIT_S:g} s to read; make it smaller"
        return await self._prepared.get(
            key,
            lambda: _in_time(
                circuit.name, too_long, self._workers.call_within(READ_LIMIT_S, read, circuit, data)
            ),
        )


async def _in_time(name: str, message: str, work: Awaitable[V]) -> V:
    """The outcome of some work on a circuit, whose time limit is the circuit's fault."""
    try:
        return await work
    except TimeoutError as error:
        raise CircuitError(Problem("", f"circuit {name!r} {message}")) from error


def _read(circuit: Circuit, data: bytes) -> Prepared:
    from qsched.circuits.load import load_circuit

    return _prepared(load_circuit(circuit, lambda _place: data))


def _read_own(circuit: Circuit, data: bytes) -> Prepared:
    from qsched.circuits.load import finish_circuit
    from qsched.circuits.qpy import from_qpy

    return _prepared(finish_circuit(from_qpy(data, name=circuit.name), circuit))


def _prepared(circuit: QuantumCircuit) -> Prepared:
    from qsched.circuits.profile import profile
    from qsched.circuits.qpy import to_qpy

    return Prepared(circuit.name, to_qpy(circuit), profile(circuit))


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
