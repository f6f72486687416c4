"""The calls to drivers that carry out a job's effects; each ends in exactly one event."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from qsched.drivers import (
    Driver,
    DriverError,
    RateLimited,
    Task,
    TaskCircuit,
    TaskResult,
    Unavailable,
)
from qsched.engine.live import Handover
from qsched.engine.outcome import result_of, started_at
from qsched.engine.places import CircuitMissing
from qsched.errors import CircuitError, NotFound, ResultError
from qsched.lifecycle.types import (
    Cancel,
    CancelFailed,
    Collect,
    Collected,
    CollectFailed,
    Find,
    FindFailed,
    Found,
    Submit,
    SubmitFailed,
    Submitted,
)

if TYPE_CHECKING:
    from qsched.api.job import Result
    from qsched.drivers import RemoteState, RemoteTask
    from qsched.engine.backend import Backend
    from qsched.engine.backends import Backends
    from qsched.engine.clock import Clock
    from qsched.engine.live import Live
    from qsched.engine.places import Places
    from qsched.engine.preparation import Preparation
    from qsched.engine.settings import Settings
    from qsched.lifecycle.types import ErrorKind, Event

log = structlog.get_logger(__name__)

MAX_WORDS = 1024
"""What is kept of a provider's message: a state holds one for each of up to a hundred attempts."""

_KINDS: dict[str, ErrorKind] = {
    "Unavailable": "Unavailable",
    "RateLimited": "RateLimited",
    "PartlyTaken": "PartlyTaken",
    "Rejected": "Rejected",
    "Unauthenticated": "Unauthenticated",
    "NotFound": "NotFound",
    "ResultError": "ResultError",
}


class Calls:
    """Carries out submit, find, cancel and collect."""

    def __init__(
        self,
        backends: Backends,
        preparation: Preparation,
        *,
        clock: Clock,
        settings: Settings,
        places: Places,
    ) -> None:
        self._backends = backends
        self._preparation = preparation
        self._clock = clock
        self._settings = settings
        self._places = places

    async def submit(self, live: Live, effect: Submit) -> Event:
        """Hand a task over."""
        try:
            backend = self._backends.get(effect.backend)
            task = await self._task(live, backend)
            driver = _driver(backend)
            live.handover = _handover(backend)
            async with asyncio.timeout(self._settings.call_timeout_s):
                remote = await driver.submit(task, effect.token)
        except Exception as error:  # noqa: BLE001 - every failure of a call is an event
            kind, message, after_s = self._failure(error, "submit", live)
            return SubmitFailed(
                at=self._clock.now(), token=effect.token, kind=kind, message=message, retry_after_s=after_s
            )
        return Submitted(
            at=self._clock.now(), token=effect.token, remote_id=remote.remote_id, state=_known(remote)
        )

    async def find(self, live: Live, effect: Find) -> Event:
        """Look a token up."""
        if self._is_gone(effect.backend):
            return Found(at=self._clock.now(), token=effect.token)
        try:
            driver = _driver(self._backends.get(effect.backend))
            async with asyncio.timeout(self._settings.call_timeout_s):
                remote = await driver.find(effect.token)
        except Exception as error:  # noqa: BLE001 - every failure of a call is an event
            kind, message, after_s = self._failure(error, "find", live)
            return FindFailed(
                at=self._clock.now(), token=effect.token, kind=kind, message=message, retry_after_s=after_s
            )
        if remote is None:
            return Found(at=self._clock.now(), token=effect.token)
        return Found(
            at=self._clock.now(), token=effect.token, remote_id=remote.remote_id, state=_known(remote)
        )

    async def cancel(self, live: Live, effect: Cancel) -> Event | None:
        """Stop a task; success shows in the next poll."""
        if self._is_gone(effect.backend):
            return None
        try:
            driver = _driver(self._backends.get(effect.backend))
            async with asyncio.timeout(self._settings.call_timeout_s):
                await driver.cancel(effect.remote_id)
        except Exception as error:  # noqa: BLE001 - every failure of a call is an event
            kind, message, after_s = self._failure(error, "cancel", live)
            return CancelFailed(
                at=self._clock.now(), token=effect.token, kind=kind, message=message, retry_after_s=after_s
            )
        return None

    async def collect(self, live: Live, effect: Collect) -> Event:
        """Fetch a result and write its file; the result stays with the job until it is stored."""
        try:
            backend = self._backends.get(effect.backend)
            driver = _driver(backend)
            async with asyncio.timeout(self._settings.call_timeout_s):
                got = await driver.result(effect.remote_id)
            result = result_of(live, backend, got)
            live.result = await self._places.write(live.job, result)
        except Exception as error:  # noqa: BLE001 - every failure of a call is an event
            kind, message, after_s = self._failure(error, "collect", live)
            return CollectFailed(
                at=self._clock.now(), token=effect.token, kind=kind, message=message, retry_after_s=after_s
            )
        self._learn(live, backend, result, got)
        return Collected(at=self._clock.now(), token=effect.token)

    def _is_gone(self, backend: str) -> bool:
        return self._settings.unknown_is_gone and not self._backends.knows(backend)

    async def _task(self, live: Live, backend: Backend) -> Task:
        if live.prepared is None:  # a job of an earlier engine
            live.prepared = await self._preparation.prepare(live.job)
        execution = live.job.spec.execution
        calibration = backend.calibration
        live.calibration_id = backend.calibration_id
        by_provider = execution.transpile == "Provider" and backend.compiles  # a twin needs native circuits
        if calibration is None or by_provider:
            circuits = [TaskCircuit(name=each.name, qpy=each.qpy) for each in live.prepared]
        else:
            made = await asyncio.gather(
                *(self._preparation.transpile(each, calibration, execution) for each in live.prepared)
            )
            circuits = [
                TaskCircuit(name=each.name, qpy=fit.qpy, transpiled_hash=fit.hash)
                for each, fit in zip(live.prepared, made, strict=True)
            ]
        return Task(
            device=backend.declared.spec.device,
            circuits=tuple(circuits),
            shots=live.job.spec.shots,
            calibration_id=None if by_provider else live.calibration_id,
            seed=execution.seed,
            optimization_level=execution.optimization_level,
            readout_mitigation=execution.readout_mitigation,
            dynamical_decoupling=execution.dynamical_decoupling,
            tags={"qsched-job": live.key},
        )

    def _learn(self, live: Live, backend: Backend, result: Result, got: TaskResult) -> None:
        """Learn how long the task waited and ran: from the provider if it tells, else from what was seen.

        A run of no length is one that nobody saw between two polls, or the work of a clock that is behind.
        """
        started, now = started_at(live, got), self._clock.now()
        ended = min(got.finished_at.timestamp(), now) if got.finished_at is not None else now
        if started is not None:
            wait_s = max(0.0, started - live.state.attempts[-1].dispatched_at)
            run_s = ended - started if ended > started else None
            depth = live.handover.depth if live.handover is not None else None
            self._backends.observe(backend.name, depth=depth, wait_s=wait_s, run_s=run_s)
        estimate = result.estimate
        if estimate is not None and result.run_s is not None:
            computed_s = estimate.run_s / estimate.run_factor
            self._backends.observe_run(backend.name, computed_s=computed_s, took_s=result.run_s)

    def _failure(self, error: Exception, call: str, live: Live) -> tuple[ErrorKind, str, float]:
        """What an exception means to the lifecycle: its kind, its words, and the wait it asks for."""
        words = str(error)[:MAX_WORDS]
        if isinstance(error, CircuitError):
            return ("Rejected" if call == "submit" else "Invalid"), words, 0.0
        if isinstance(error, RateLimited):
            return "RateLimited", words, error.retry_after_s
        if isinstance(error, TimeoutError):
            return "Unavailable", f"{call} was not answered in {self._settings.call_timeout_s:g} s", 0.0
        if isinstance(error, DriverError | ResultError):
            return _KINDS.get(type(error).__name__, "Unavailable"), words, 0.0
        if isinstance(error, NotFound | CircuitMissing):
            return "Unavailable", words, 0.0
        log.error("a call to a driver failed unexpectedly", call=call, job=live.key, exc_info=error)
        return "Unavailable", f"{type(error).__name__}: {words}", 0.0


def _known(remote: RemoteTask) -> RemoteState:
    """The state of a task; of a failure the next poll tells, since it knows the reason too."""
    return "Queued" if remote.state == "Failed" else remote.state


def _driver(backend: Backend) -> Driver:
    if backend.driver is None:
        raise Unavailable(f"backend {backend.name} has no driver: {backend.status.message}")
    return backend.driver


def _handover(backend: Backend) -> Handover:
    """The queue that a task of ours is about to be put into; it counts as in flight already."""
    depth = backend.depth(len(backend.in_flight) - 1)
    return Handover(depth, *backend.waits.predict(depth, backend.status.queue_wait_s))
