"""Circuits read and transpiled in worker processes, each once.

Reading and transpiling take milliseconds to seconds of a processor, and a circuit may be hostile: neither
belongs into the engine's own process. What comes back is kept, up to a number of entries, by the content
that it was made from.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from qsched.engine.once import Once
from qsched.engine.results import read_bytes
from qsched.errors import CircuitError, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qiskit import QuantumCircuit

    from qsched.api.calibration import Calibration
    from qsched.api.job import Circuit, Execution, QuantumCircuitJob
    from qsched.circuits.profile import Profile
    from qsched.circuits.transpile import Transpiled
    from qsched.drivers.workers import WorkerPool

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

    def __init__(self, workers: WorkerPool, *, own: Path) -> None:
        """Read nothing yet.

        Args:
            workers: Where the work is done.
            own: The folder in which qsched itself keeps circuits.
        """
        self._workers = workers
        self._own = own.resolve()
        self._prepared: Once[Prepared] = Once(PREPARED_ENTRIES)
        self._transpiled: Once[Transpiled] = Once(TRANSPILED_ENTRIES)

    async def prepare(self, job: QuantumCircuitJob) -> tuple[Prepared, ...]:
        """Read every circuit of a job.

        Raises:
            CircuitError: If a circuit cannot be read or is larger than a limit.
            ResultError: If its URI cannot be read.
        """
        return tuple(await asyncio.gather(*map(self.prepare_one, job.spec.circuits)))

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

    async def prepare_one(self, circuit: Circuit) -> Prepared:
        """Read one circuit; see ``prepare``."""
        data = b"" if circuit.uri is None else await asyncio.to_thread(read_bytes, circuit.uri)
        read = _read_own if circuit.uri is not None and self._is_own(circuit.uri) else _read
        key = hashlib.sha256(msgspec.json.encode(circuit) + data).digest()
        too_long = f"took longer than {READ_LIMIT_S:g} s to read; make it smaller"
        return await self._prepared.get(
            key,
            lambda: _in_time(
                circuit.name, too_long, self._workers.call_within(READ_LIMIT_S, read, circuit, data)
            ),
        )

    def _is_own(self, uri: str) -> bool:
        """Whether qsched wrote this file itself, so that it need not be vetted."""
        parts = urlsplit(uri)
        return parts.scheme == "file" and Path(unquote(parts.path)).resolve().parent == self._own


async def _in_time(name: str, message: str, work: Awaitable[V]) -> V:
    """The outcome of some work on a circuit, whose time limit is the circuit's fault."""
    try:
        return await work
    except TimeoutError as error:
        raise CircuitError(Problem("", f"circuit {name!r} {message}")) from error


def _read(circuit: Circuit, data: bytes) -> Prepared:
    from qsched.circuits.load import load_circuit

    return _prepared(load_circuit(circuit, lambda _uri: data))


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
