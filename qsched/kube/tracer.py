"""The traces of jobs, made with OpenTelemetry; ``qsched.kube.tracing`` imports this when it is wanted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from qsched.engine.live import SESSION
from qsched.kube.spans import ROOT, span_id, spans, trace_id
from qsched.lifecycle.codec import decode_state
from qsched.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import SpanProcessor

    from qsched.kube.objects import JobObject
    from qsched.kube.spans import Span
    from qsched.store.protocol import HistoryEvent, Update

TRACEPARENT = "qsched.io/traceparent"
"""The annotation with which a job becomes part of a trace of its user's: a W3C ``traceparent``."""

LINES = 128
"""The newest lines of a job's history that are kept for its trace."""


@dataclass(slots=True)
class _Job:
    """What is remembered of a job until it has ended."""

    namespace: str
    name: str
    traceparent: str | None
    session: str | None
    lines: deque[HistoryEvent] = field(default_factory=lambda: deque(maxlen=LINES))


class Tracer:
    """Exports the traces of jobs. It is told of jobs and of their updates, and keeps no span open."""

    def __init__(self, processor: SpanProcessor) -> None:
        """Export nothing yet.

        Args:
            processor: Takes spans that have ended; it is closed with this tracer.
        """
        self._ids = _ChosenIds()
        said = (
            OTELResourceDetector().detect().attributes
        )  # of the environment, which ``create`` would overrule
        self._provider = TracerProvider(
            resource=Resource.create(
                {"service.name": "qsched-controller", "service.version": VERSION, **said}
            ),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("qsched", VERSION)
        self._jobs: dict[str, _Job] = {}

    def meet(self, job: JobObject) -> None:
        """Take note of a job that has not ended."""
        metadata = job.metadata
        annotations = metadata.annotations or {}
        self._jobs[metadata.uid or ""] = _Job(
            metadata.namespace or "default",
            metadata.name,
            annotations.get(TRACEPARENT),
            annotations.get(SESSION),
        )

    def take(self, update: Update) -> None:
        """Keep what happened to a job; when it has ended, export its spans."""
        job = self._jobs.get(update.uid)
        if job is None:
            return
        job.lines.extend(update.history)
        if update.settled:
            self._export(update.uid, job, spans(decode_state(update.state), tuple(job.lines)))
            del self._jobs[update.uid]

    def close(self) -> None:
        """Export what waits, and stop; this may take as long as the exporter's time limit."""
        self._provider.shutdown()

    def _export(self, uid: str, job: _Job, ended: Sequence[Span]) -> None:
        contexts: dict[str | None, Context] = {None: self._above(uid, job)}
        identity = {"k8s.namespace.name": job.namespace, "qsched.job.name": job.name, "qsched.job.uid": uid}
        for each in ended:
            self._ids.choose(trace_id(uid), span_id(uid, each.key))
            span = self._tracer.start_span(
                each.name,
                context=contexts[each.parent],
                attributes={**identity, **each.attributes},
                start_time=_nanoseconds(each.start),
            )
            contexts[each.key] = set_span_in_context(span, contexts[None])
            if each.failure:
                span.set_status(Status(StatusCode.ERROR, each.failure))
            if each.key == ROOT:
                for line in job.lines:
                    span.add_event(line.type, {"message": line.message}, _nanoseconds(line.at))
            span.end(_nanoseconds(each.end))

    def _above(self, uid: str, job: _Job) -> Context:
        """What a job is a part of: a span of its user's, a hybrid job whose program sent it, or nothing."""
        owner = self._jobs.get(job.session) if job.session is not None and job.session != uid else None
        if job.traceparent is not None or owner is None or owner.namespace != job.namespace:
            return _joined(job)
        assert job.session is not None
        above = _joined(owner)
        outer = get_current_span(above).get_span_context()
        trace = outer.trace_id if outer.is_valid else trace_id(job.session)
        # The owner's own span is made when it ends, and sampled then as this says.
        decision = self._provider.sampler.should_sample(above, trace, ROOT).decision
        flags = TraceFlags(TraceFlags.SAMPLED if decision is Decision.RECORD_AND_SAMPLE else 0)
        root = SpanContext(trace, span_id(job.session, ROOT), is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(root), Context())


class _ChosenIds(IdGenerator):
    """Gives the identifiers that were chosen for the span that comes next."""

    def __init__(self) -> None:
        self._next = (0, 0)

    def choose(self, trace: int, span: int) -> None:
        self._next = trace, span

    def generate_trace_id(self) -> int:
        return self._next[0]

    def generate_span_id(self) -> int:
        return self._next[1]

    def is_trace_id_random(self) -> bool:
        """As good as random: see ``trace_id``."""
        return True


def _joined(job: _Job) -> Context:
    """The context that a job's annotation names; empty if it has none, or one that is wrong."""
    carrier = {"traceparent": job.traceparent or ""}
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _nanoseconds(at: float) -> int:
    return round(at * 1e9)
