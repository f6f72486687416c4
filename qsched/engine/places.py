"""Where circuits come from and results go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from qsched.engine.results import read_bytes, result_uri, write_result
from qsched.errors import CircuitError, Problem, QschedError

if TYPE_CHECKING:
    from qsched.api.job import Circuit, QuantumCircuitJob, Result


class CircuitMissing(QschedError):
    """A circuit is not there yet, and may come: the job waits for it."""


class Places(Protocol):
    """Where circuits come from and results go."""

    async def read(self, circuit: Circuit, namespace: str) -> bytes:
        """The content behind a circuit's ``uri`` or ``configMapRef``; empty for an inline circuit.

        Raises:
            CircuitError: If it can never be read.
            CircuitMissing: If it is not there yet.
            ResultError: If its URI cannot be read.
        """
        ...

    async def write(self, job: QuantumCircuitJob, result: Result) -> Result:
        """Write a result and return it as a status holds it.

        Raises:
            ResultError: If it cannot be written.
        """
        ...

    def trusts(self, uri: str) -> bool:
        """Whether qsched wrote this circuit itself, so that it need not be vetted."""
        ...


class LocalPlaces:
    """Files of this machine, and whatever fsspec reaches from it."""

    def __init__(self, folder: Path) -> None:
        """Touch nothing yet.

        Args:
            folder: Where qsched keeps files: its own circuits, and results whose jobs name no place.
        """
        self._circuits = (folder / "circuits").resolve()
        self._results = folder / "results"

    async def read(self, circuit: Circuit, namespace: str) -> bytes:  # noqa: ARG002 - there are none here
        """See ``Places.read``."""
        if circuit.config_map_ref is not None:
            message = "a ConfigMap can be read on Kubernetes only; give qasm or uri instead"
            raise CircuitError(Problem("", f"circuit {circuit.name!r}: {message}"))
        return b"" if circuit.uri is None else await asyncio.to_thread(read_bytes, circuit.uri)

    async def write(self, job: QuantumCircuitJob, result: Result) -> Result:
        """See ``Places.write``."""
        return await asyncio.to_thread(write_result, result, result_uri(job, self._results))

    def trusts(self, uri: str) -> bool:
        """See ``Places.trusts``."""
        parts = urlsplit(uri)
        return parts.scheme == "file" and Path(unquote(parts.path)).resolve().parent == self._circuits
