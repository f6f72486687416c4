"""``Job``: a handle on one submitted job."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from qsched.api.quantities import utc
from qsched.engine.results import read_result
from qsched.errors import JobFailed, NotFound, ResultError
from qsched.lifecycle.codec import decode_state
from qsched.lifecycle.status import status
from qsched.lifecycle.types import TERMINAL
from qsched.sdk.progress import progress

if TYPE_CHECKING:
    import datetime as dt
    from typing import Protocol

    from qsched.api.base import ObjectMeta
    from qsched.api.job import JobStatus, QuantumCircuitJob, Result, Verdict
    from qsched.store.protocol import JobRecord, Store

    class Owner(Protocol):
        """What a job asks of the client that it came from."""

        def explain(self, job: QuantumCircuitJob) -> list[Verdict]:
            """What each backend would make of a job."""
            ...

        def look(self) -> None:
            """Let the engine look for commands."""
            ...

        def check(self) -> None:
            """Raise what ended the engine."""
            ...


_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.01, 0.25


class Job:
    """One submitted job.

    Attributes:
        name: Its name.
        namespace: Its namespace.
        uid: Unique for ever.
    """

    def __init__(self, store: Store, uid: str, metadata: ObjectMeta, owner: Owner) -> None:
        """Made by ``Client``."""
        self.name = metadata.name
        self.namespace = metadata.namespace or "default"
        self.uid = uid
        self._store = store
        self._owner = owner

    def __repr__(self) -> str:
        return f"Job({self.namespace}/{self.name})"

    def _repr_html_(self) -> str:
        state = self.status()
        where = f" on {state.placement.backend}" if state.placement is not None else ""
        return f"<b>{self.name}</b>: {state.phase}{where}"

    def status(self) -> JobStatus:
        """How it is now."""
        record = self._record()
        return status(decode_state(record.state), record.placement, record.result)

    def manifest(self) -> QuantumCircuitJob:
        """Its declaration with its status, as ``qsched get -o yaml`` shows it."""
        record = self._record()
        return msgspec.structs.replace(
            record.job, status=status(decode_state(record.state), record.placement, record.result)
        )

    def history(self) -> list[tuple[dt.datetime, str, str]]:
        """What happened to it, oldest first: when, what, and a message."""
        return [(utc(line.at), line.type, line.message) for line in self._store.history(self.uid)]

    def explain(self) -> list[Verdict]:
        """What each backend would make of it now, best first."""
        return self._owner.explain(self.manifest())

    def result(self, timeout_s: float | None = None, *, show_progress: bool | None = None) -> Result:
        """Wait for the result.

        Args:
            timeout_s: How long to wait at most; for ever by default.
            show_progress: Whether to show what is going on meanwhile; by default on terminals and in
                notebooks.

        Returns:
            The result, with the counts of every circuit.

        Raises:
            JobFailed: If the job failed or was cancelled; says why.
            TimeoutError: If it has not ended in time; it goes on.
            ResultError: If the result's file was removed.
        """
        ends = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = _LEAST_PAUSE_S
        with progress(self, shown=show_progress):
            while not self.done():
                if ends is not None and time.monotonic() >= ends:
                    raise TimeoutError(self._late(timeout_s))
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, _MOST_PAUSE_S)
        return self._outcome()

    async def aresult(self, timeout_s: float | None = None) -> Result:
        """``result`` for asyncio."""
        pause_s = _LEAST_PAUSE_S
        try:
            async with asyncio.timeout(timeout_s):
                while not self.done():
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 1.5, _MOST_PAUSE_S)
        except TimeoutError as error:
            raise TimeoutError(self._late(timeout_s)) from error
        return await asyncio.to_thread(self._outcome)

    def done(self) -> bool:
        """Whether it has ended.

        Raises:
            QschedError: If this client's engine ended, so that nothing would ever change.
        """
        if self._record().phase in TERMINAL:
            return True
        self._owner.check()
        return False

    def cancel(self) -> None:
        """Ask for its end; a task that runs is stopped."""
        self._store.send(self.uid, "Cancel", time.time())
        self._owner.look()

    def _late(self, timeout_s: float | None) -> str:
        return f"job {self.name} has not ended in {timeout_s:g} s; it goes on"

    def delete(self) -> None:
        """Ask for its end, and then for it to be forgotten; its result file stays."""
        self._store.send(self.uid, "Delete", time.time())
        self._owner.look()

    def exists(self) -> bool:
        """Whether it is stored still."""
        try:
            self._record()
        except NotFound:
            return False
        return True

    def _record(self) -> JobRecord:
        return self._store.get(self.uid)

    def _outcome(self) -> Result:
        record = self._record()
        if record.phase != "Complete" or record.result is None:
            state = decode_state(record.state)
            raise JobFailed(f"job {self.name} is {state.phase}: {state.message or state.reason}")
        result = record.result
        if any(circuit.counts is None for circuit in result.circuits):
            if result.uri is None:
                raise ResultError(
                    f"the counts of job {self.name} were too large for its status and have no file"
                )
            return read_result(result.uri)
        return result
