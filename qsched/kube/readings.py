"""What Prometheus is told of the controller's present state: read when it asks, and not before.

A scrape walks through the backends and the unsettled jobs: about 5 ms for 100 of these and 20,000 of those.
Nothing is counted beside the work itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from qsched.api.job import Phase
from qsched.kube.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric

    from qsched.engine.backend import Backend
    from qsched.engine.pump import Pump
    from qsched.kube.clock import Clock
    from qsched.kube.events import Recorder
    from qsched.kube.queue import WorkQueue
    from qsched.kube.reflector import Reflector
    from qsched.kube.writer import Writer

_PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(slots=True, kw_only=True)
class Sources:
    """The parts of a controller that are read. A process that waits to lead has few of them.

    Attributes:
        leads: Whether this process leads, beyond doubt.
        queues: Work queues, by what they order.
        reflectors: What follows the API server, by resource.
        writer: Writes statuses of jobs.
        recorder: Writes Kubernetes Events.
        pump: Has the unsettled jobs.
        backends: The fleet, twins included.
    """

    leads: Callable[[], bool] = lambda: False
    queues: dict[str, WorkQueue[Any]] = field(default_factory=dict)
    reflectors: dict[str, Reflector[Any]] = field(default_factory=dict)
    writer: Writer | None = None
    recorder: Recorder | None = None
    pump: Pump | None = None
    backends: Iterable[Backend] = ()


class Readings(Collector):
    """Reads the sources for Prometheus."""

    def __init__(self, sources: Sources, clock: Clock | None = None) -> None:
        """Read nothing yet.

        Args:
            sources: What is read; it may change at any time.
            clock: Tells how old things are.
        """
        self._sources = sources
        self._clock = clock or SystemClock()

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        yield GaugeMetricFamily("qsched_leader", "Whether this process leads.", self._sources.leads())
        yield from self._jobs()
        yield from self._backends()
        yield from self._queues()
        yield from self._server()

    def _jobs(self) -> Iterator[Metric]:
        pump, writer, recorder = self._sources.pump, self._sources.writer, self._sources.recorder
        if pump is not None:
            yield _gauges(
                "qsched_jobs",
                "Jobs that are not settled yet.",
                "phase",
                ((phase, sum(1 for _ in pump.in_phases(phase))) for phase in _PHASES),
            )
        if writer is not None:
            yield GaugeMetricFamily(
                "qsched_jobs_unwritten",
                "Jobs with a state that the API server does not have yet.",
                writer.unwritten,
            )
            yield CounterMetricFamily(
                "qsched_status_writes", "Statuses of jobs that were written.", writer.writes
            )
        if recorder is not None:
            yield CounterMetricFamily(
                "qsched_events_dropped", "Kubernetes Events that were left out.", recorder.dropped
            )

    def _backends(self) -> Iterator[Metric]:
        pump, now = self._sources.pump, self._clock.now()
        backends = list(self._sources.backends)
        waiting = () if pump is None else pump.in_phases("Placed")
        placed = Counter(live.state.backend for live in waiting)

        def gauges(name: str, says: str, read: Callable[[Backend], float | None]) -> Metric:
            found = ((each.name, read(each)) for each in backends)
            known = ((backend, value) for backend, value in found if value is not None)
            return _gauges(f"qsched_backend_{name}", says, "backend", known)

        yield gauges("online", "Whether it says that it takes tasks.", lambda each: each.status.online)
        yield gauges("placed_jobs", "Jobs that wait for a slot here.", lambda each: placed[each.name])
        yield gauges("in_flight_tasks", "Tasks of ours here.", lambda each: len(each.in_flight))
        yield gauges(
            "slots", "Tasks of ours that may be here.", lambda each: each.declared.spec.max_in_flight
        )
        yield gauges(
            "queue_depth",
            "Tasks of everybody that wait or run here; absent when unknown.",
            lambda each: each.status.queue_depth,
        )
        yield gauges(
            "calibration_age_seconds",
            "Time since its calibration was taken; absent when it has none.",
            lambda each: None if each.calibration is None else now - each.calibration.taken_at.timestamp(),
        )

    def _queues(self) -> Iterator[Metric]:
        queues, name = self._sources.queues.items(), "qsched_work_queue"
        depths = ((key, len(each)) for key, each in queues)
        yield _gauges(f"{name}_depth", "Keys that wait for a worker.", "queue", depths)
        delayed = ((key, each.delayed) for key, each in queues)
        yield _gauges(f"{name}_delayed", "Keys whose time is to come.", "queue", delayed)
        oldest = ((key, each.oldest_s) for key, each in queues)
        yield _gauges(f"{name}_oldest_seconds", "How long the first key has waited.", "queue", oldest)
        retries = ((key, each.retries) for key, each in queues)
        yield _counters(f"{name}_retries", "Keys that were put back after a failure.", "queue", retries)

    def _server(self) -> Iterator[Metric]:
        followed, name = self._sources.reflectors.items(), "qsched_reflector"
        now = self._clock.monotonic()
        sizes = ((key, len(each)) for key, each in followed)
        yield _gauges(f"{name}_objects", "Objects that are known.", "resource", sizes)
        yield _gauges(
            f"{name}_silence_seconds",
            "Time since the API server was last heard; about a minute at most while all is well.",
            "resource",
            ((key, now - each.last_contact) for key, each in followed if each.last_contact is not None),
        )
        lists = ((key, each.lists) for key, each in followed)
        yield _counters(f"{name}_lists", "Lists that were read to their end.", "resource", lists)
        failures = ((key, each.failures) for key, each in followed)
        yield _counters(f"{name}_failures", "Lists and watches that failed.", "resource", failures)


def _gauges(name: str, says: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _counters(name: str, says: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(name, says, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family
