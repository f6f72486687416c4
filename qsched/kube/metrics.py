"""What the controller tells Prometheus: what happened is counted here, what is so is in ``readings``.

Whatever has to be counted is counted once a cycle, a call of a driver or the end of a job; for the steps in
between there is nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from qsched.kube.readings import Readings, Sources
from qsched.lifecycle.codec import decode_state
from qsched.version import VERSION

if TYPE_CHECKING:
    from qsched.kube.clock import Clock
    from qsched.kube.guard import Call
    from qsched.store.protocol import Update

_CYCLE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_CALL_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_JOB_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


class Metrics:
    """The controller's metrics. It meters the engine's cycles (``cycle``) and drivers (``CallMeter``).

    Attributes:
        registry: Everything.
        sources: What is read at each scrape; the controller fills it in as it makes its parts.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        """Count from zero.

        Args:
            clock: Tells how old things are.
        """
        self.registry = CollectorRegistry()
        self.sources = Sources()
        self.registry.register(Readings(self.sources, clock))
        ProcessCollector(registry=self.registry)
        build = Gauge("qsched_build_info", "The version, always 1.", ["version"], registry=self.registry)
        build.labels(VERSION).set(1)
        self._cycle_s = self._histogram("qsched_cycle_seconds", "Time that a schedule cycle took.", _CYCLE_S)
        self._heads = self._counter("qsched_cycle_heads", "Jobs that cycles looked at.")
        self._placements = self._counter("qsched_cycle_placements", "Jobs that cycles placed or moved.")
        self._call_s = self._histogram(
            "qsched_driver_call_seconds", "Time that a call of a driver took.", _CALL_S, "driver", "call"
        )
        self._call_errors = self._counter(
            "qsched_driver_errors", "Calls of drivers that failed.", "driver", "call", "error"
        )
        self._jobs = self._counter("qsched_jobs_ended", "Jobs that ended.", "phase", "reason")
        self._job_s = self._histogram(
            "qsched_job_seconds", "Time from a job's submission to its end.", _JOB_S, "phase"
        )
        self._wait_s = self._histogram(
            "qsched_job_wait_seconds", "Time from a job's submission until its first task ran.", _JOB_S
        )
        self._attempts = self._counter(
            "qsched_attempts_ended", "Attempts of jobs that ended.", "backend", "state"
        )

    def cycle(self, seconds: float, heads: int, placements: int) -> None:
        """A schedule cycle has ended.

        Args:
            seconds: How long it took.
            heads: How many jobs it looked at.
            placements: How many of them it placed, or moved.
        """
        self._cycle_s.observe(seconds)
        self._heads.inc(heads)
        self._placements.inc(placements)

    def called(self, driver: str, call: Call, seconds: float, error: str) -> None:
        """See ``CallMeter.called``."""
        self._call_s.labels(driver, call).observe(seconds)
        if error:
            self._call_errors.labels(driver, call, error).inc()

    def take(self, update: Update) -> None:
        """Count a job that has ended, and its attempts; other updates change nothing."""
        if not update.settled or update.finished_at is None:
            return
        state = decode_state(update.state)
        self._jobs.labels(state.phase, state.reason).inc()
        self._job_s.labels(state.phase).observe(max(0.0, update.finished_at - state.created_at))
        if state.started_at is not None:
            self._wait_s.observe(max(0.0, state.started_at - state.created_at))
        for attempt in state.attempts:
            self._attempts.labels(attempt.backend, attempt.state).inc()

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, says, labels, buckets=buckets, registry=self.registry)
