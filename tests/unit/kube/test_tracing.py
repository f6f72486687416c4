"""A job's life as a trace: what of it is told, to whom, and what it costs when nobody asks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from qsched.kube.objects import FullMetadata, JobObject
from qsched.kube.spans import span_id, spans, trace_id
from qsched.kube.tracer import TRACEPARENT, Tracer
from qsched.kube.tracing import tracing
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.machine import step
from qsched.lifecycle.types import (
    Accepted,
    CancelRequested,
    Collected,
    Dispatch,
    Placed,
    Policy,
    Record,
    Reported,
    SubmitFailed,
    Submitted,
    Unplaceable,
    Woken,
    new_state,
    settled,
)
from qsched.store.protocol import HistoryEvent, Update

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from qsched.lifecycle.types import Event, State

UID = "3f6c1d9e-6a50-4b39-9d2a-5a1f0c3b7e21"
START = 1_700_000_000.0


class Life:
    """A job that lives through events, a second apart unless told otherwise."""

    def __init__(self, uid: str = UID, **policy: Any) -> None:
        self.now = START
        self.state: State = new_state(uid, Policy(**policy), START)
        self.history: list[HistoryEvent] = []
        self.updates: list[Update] = []
        self.live(Accepted)

    @property
    def token(self) -> str:
        return self.state.attempts[-1].token

    def live(self, event: Callable[..., Event], after_s: float = 1.0, **fields: Any) -> Life:
        self.now += after_s
        self.state, effects = step(self.state, event(at=self.now, **fields))
        lines = [HistoryEvent(e.at, e.type, e.message) for e in effects if isinstance(e, Record)]
        self.history += lines
        self.updates.append(
            Update(
                uid=self.state.uid,
                phase=self.state.phase,
                state=encode_state(self.state),
                settled=settled(self.state),
                finished_at=self.state.finished_at,
                history=lines,
            )
        )
        return self

    def dispatched(self, backend: str = "kyoto") -> Life:
        return self.live(Placed, backend=backend).live(Dispatch)

    def submitted(self, remote_id: str = "remote-1") -> Life:
        return self.live(Submitted, token=self.token, remote_id=remote_id)

    def reported(self, state: str, **more: Any) -> Life:
        return self.live(Reported, token=self.token, state=state, **more)

    def completed(self) -> Life:
        self.dispatched().submitted().reported("Running").reported("Succeeded")
        return self.live(Collected, token=self.token)


def shown(found: list[Any]) -> list[tuple[str, float, float]]:
    return [(each.key, each.start - START, each.end - START) for each in found]


def test_the_stages_of_a_job_follow_each_other_without_a_gap() -> None:
    life = Life().completed()
    assert life.state.phase == "Complete"
    found = spans(life.state, life.history)
    assert shown(found) == [
        ("job", 0, 7),
        ("waiting 1", 0, 3),
        ("attempt 1", 3, 7),
        ("attempt 1 submitting", 3, 4),
        ("attempt 1 queued", 4, 5),
        ("attempt 1 running", 5, 6),
        ("attempt 1 collecting", 6, 7),
    ]
    attempt = found[2]
    assert attempt.attributes["qsched.backend"] == "kyoto"
    assert attempt.attributes["qsched.task.remote_id"] == "remote-1"
    assert not any(each.failure for each in found)


def test_a_controller_that_knows_the_state_alone_tells_the_same_with_less_detail() -> None:
    life = Life().completed()
    assert shown(spans(life.state)) == [
        ("job", 0, 7),
        ("waiting 1", 0, 3),
        ("attempt 1", 3, 7),
        ("attempt 1 queued", 3, 5),
        ("attempt 1 running", 5, 7),
    ]


def test_an_attempt_that_failed_says_why_and_the_wait_after_it_is_told() -> None:
    life = (
        Life().dispatched().submitted().reported("Running").reported("Failed", message="the fridge is warm")
    )
    life.live(Woken, 100.0)
    life.completed()
    found = {each.key: each for each in spans(life.state, life.history)}
    assert found["attempt 1"].failure == "the fridge is warm"
    assert found["attempt 1"].end == found["waiting 2"].start
    assert found["waiting 2"].end == found["attempt 2"].start
    assert found["waiting 2"].end - found["waiting 2"].start > 100
    assert found["attempt 2"].failure == found["job"].failure == ""


def test_a_job_that_fails_before_it_has_a_task_has_waited_all_its_life() -> None:
    life = Life().live(Unplaceable, message="needs 200 qubits", permanent=True)
    found = spans(life.state, life.history)
    assert shown(found) == [("job", 0, 2), ("waiting 1", 0, 2)]
    assert found[0].failure == "needs 200 qubits"


def test_a_cancelled_job_did_not_fail() -> None:
    life = Life().live(CancelRequested)
    assert [each.failure for each in spans(life.state, life.history)] == ["", ""]


def test_a_clock_that_was_set_back_makes_no_span_of_negative_length() -> None:
    life = Life().dispatched().submitted().reported("Running", after_s=-60).reported("Succeeded")
    life.live(Collected, token=life.token)
    for found in (spans(life.state), spans(life.state, life.history)):
        assert all(each.end >= each.start for each in found)


# What is exported.


def declared(uid: str = UID, name: str = "bell", **annotations: str) -> JobObject:
    metadata = FullMetadata(name=name, namespace="lab", uid=uid, annotations=annotations)
    return JobObject(metadata=metadata, spec=msgspec.Raw(b"{}"))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    for name in ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    return InMemorySpanExporter()


def told(exporter: InMemorySpanExporter, life: Life, **annotations: str) -> dict[str, ReadableSpan]:
    """The spans of a job, by name, that a new tracer exports."""
    exporter.clear()
    tracer = Tracer(SimpleSpanProcessor(exporter))
    tracer.meet(declared(life.state.uid, **annotations))
    for update in life.updates:
        tracer.take(update)
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_trace_is_whole_and_names_the_job(exported: InMemorySpanExporter) -> None:
    found = told(exported, Life().completed())
    job, attempt, running = found["job"], found["attempt 1"], found["running"]
    assert {span.context.trace_id for span in found.values()} == {trace_id(UID)}
    assert job.parent is None
    assert attempt.parent == job.context
    assert running.parent == attempt.context
    assert running.start_time == round((START + 5) * 1e9)
    assert running.end_time == round((START + 6) * 1e9)
    assert job.attributes == {
        "k8s.namespace.name": "lab",
        "qsched.job.name": "bell",
        "qsched.job.uid": UID,
        "qsched.job.phase": "Complete",
        "qsched.job.reason": "Completed",
    }
    assert [event.name for event in job.events][:3] == ["Accepted", "Placed", "Submitting"]
    assert job.resource.attributes["service.name"] == "qsched-controller"


def test_two_controllers_tell_of_the_same_spans(exported: InMemorySpanExporter) -> None:
    life = Life().completed()
    first = told(exported, life)
    life.updates = life.updates[-1:]  # the second one took over at the very end
    second = told(exported, life)
    assert second.keys() < first.keys()
    assert all(second[name].context == first[name].context for name in second)


def test_nothing_is_told_before_the_end_and_nothing_twice(exported: InMemorySpanExporter) -> None:
    life = Life().completed()
    tracer = Tracer(SimpleSpanProcessor(exported))
    tracer.meet(declared())
    for update in life.updates[:-1]:
        tracer.take(update)
        assert not exported.get_finished_spans()
    tracer.take(life.updates[-1])
    count = len(exported.get_finished_spans())
    assert count == 7
    tracer.take(life.updates[-1])
    assert len(exported.get_finished_spans()) == count


def test_a_failure_is_an_error_with_its_words(exported: InMemorySpanExporter) -> None:
    life = Life(backoff_limit=0).dispatched()
    life.live(SubmitFailed, token=life.token, kind="Unauthenticated", message="the key has expired")
    found = told(exported, life)
    assert found["job"].status.status_code is StatusCode.ERROR
    assert "the key has expired" in (found["attempt 1"].status.description or "")
    assert found["waiting"].status.status_code is StatusCode.UNSET


def test_a_job_joins_the_trace_of_its_user(exported: InMemorySpanExporter) -> None:
    theirs = {TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    found = told(exported, Life().completed(), **theirs)
    assert {span.context.trace_id for span in found.values()} == {0x0AF7651916CD43DD8448EB211C80319C}
    assert found["job"].parent is not None
    assert found["job"].parent.span_id == 0xB7AD6B7169203331
    unsampled = {TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
    assert told(exported, Life().completed(), **unsampled) == {}
    assert told(exported, Life().completed(), **{TRACEPARENT: "nonsense"})["job"].parent is None


def test_what_the_program_of_a_hybrid_job_submits_is_part_of_its_trace(
    exported: InMemorySpanExporter,
) -> None:
    owner, part, stranger = Life("owner").dispatched(), Life("part").completed(), Life("stranger").completed()
    tracer = Tracer(SimpleSpanProcessor(exported))
    tracer.meet(declared("owner", "qaoa"))
    tracer.meet(declared("part", "step-1", **{"qsched.io/session": "owner"}))
    elsewhere = declared("stranger", "s", **{"qsched.io/session": "owner"})
    tracer.meet(
        msgspec.structs.replace(
            elsewhere, metadata=msgspec.structs.replace(elsewhere.metadata, namespace="other")
        )
    )
    for update in (*owner.updates, *part.updates, *stranger.updates):
        tracer.take(update)
    jobs = {
        span.attributes["qsched.job.uid"]: span
        for span in exported.get_finished_spans()
        if span.attributes is not None and span.name == "job"
    }
    assert jobs["part"].parent is not None
    assert (jobs["part"].parent.trace_id, jobs["part"].parent.span_id) == (
        trace_id("owner"),
        span_id("owner", "job"),
    )
    assert jobs["stranger"].parent is None, "a namespace's traces are its own"


def test_samplers_of_the_environment_hold(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    tracer = Tracer(SimpleSpanProcessor(exported))
    for number in range(400):
        life = Life(f"{number:08x}-6a50-4b39-9d2a-5a1f0c3b7e21").live(CancelRequested)
        tracer.meet(declared(life.state.uid))
        for update in life.updates:
            tracer.take(update)
    kept = [span for span in exported.get_finished_spans() if span.name == "job"]
    assert 60 < len(kept) < 140
    traces = {span.context.trace_id for span in exported.get_finished_spans()}
    assert len(traces) == len(kept), "a trace is told whole or not at all"


# Where it goes.


class Collector:
    """An OTLP collector: keeps what it is sent."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.services: set[str] = set()
        self.headers: list[str | None] = []
        self.hang = False

    async def take(self, request: web.Request) -> web.Response:
        if self.hang:
            await asyncio.Event().wait()
        sent = ExportTraceServiceRequest.FromString(await request.read())
        self.headers.append(request.headers.get("x-key"))
        for each in sent.resource_spans:
            self.services |= {
                it.value.string_value for it in each.resource.attributes if it.key == "service.name"
            }
            self.names += [span.name for scope in each.scope_spans for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    collector = Collector()
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield collector, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def run(tracer: Tracer, life: Life) -> None:
    tracer.meet(declared(life.state.uid))
    for update in life.updates:
        tracer.take(update)


async def test_spans_arrive_at_the_collector_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with collecting() as (collector, url):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=ours")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "qsched-west")
        async with tracing() as tracer:
            assert tracer is not None
            run(tracer, Life().completed())
        # Leaving has sent what waited.
        assert sorted(collector.names) == sorted(
            ["job", "waiting", "attempt 1", "submitting", "queued", "running", "collecting"]
        )
        assert collector.services == {"qsched-west"}
        assert set(collector.headers) == {"ours"}


async def test_a_collector_that_hangs_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qsched.kube.tracing.CLOSE_S", 0.2)
    async with collecting() as (collector, url):
        collector.hang = True
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        with capture_logs() as logs:
            async with asyncio.timeout(10), tracing() as tracer:
                assert tracer is not None
                run(tracer, Life().completed())
        assert [line["event"] for line in logs] == ["the last spans were not taken in time"]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "True"}, ""),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is zipkin"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc",
        ),
    ],
)
async def test_without_an_exporter_that_can_be_used_it_is_off(
    said: dict[str, str], cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as logs:
        async with tracing() as tracer:
            assert tracer is None
    assert [line["cause"] for line in logs] == ([cause] if cause else [])


def python(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


PROGRAM = """
import asyncio, sys
{before}
from qsched.kube.tracing import tracing

async def main():
    async with tracing() as tracer:
        print("on" if tracer else "off")

asyncio.run(main())
print("opentelemetry" in sys.modules)
"""


def test_nobody_pays_for_what_nobody_asked_for() -> None:
    assert python(PROGRAM.format(before="")).split() == ["off", "False"]


def test_without_the_packages_it_is_off_and_says_what_to_install() -> None:
    """They are optional, and an operator may set the variables for every pod of a cluster."""
    missing = "sys.modules['opentelemetry.exporter'] = None"
    out = python(PROGRAM.format(before=missing), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert "off" in out.split()
    assert "opentelemetry-exporter-otlp-proto-http" in out
