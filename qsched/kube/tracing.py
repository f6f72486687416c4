"""OpenTelemetry, if the environment asks for it: a trace for each job, exported once the job has ended.

It is off, and nothing of OpenTelemetry is imported, unless its usual variables name an exporter:
``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``, or ``OTEL_TRACES_EXPORTER=otlp``. All
others that its SDK knows hold too, those for headers, samplers and batches among them. Spans go out as OTLP
over HTTP, from a thread of their own; a collector that does not answer costs spans, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qsched.kube.tracer import Tracer

log = structlog.get_logger(__name__)

CLOSE_S = 5.0
"""How long a process that ends waits until the last spans are taken."""

_OFF = "no traces are exported"


@asynccontextmanager
async def tracing() -> AsyncIterator[Tracer | None]:
    """A tracer as the environment asks for it, closed on leaving; None if it asks for none.

    A request that cannot be met is a warning in the log: an operator that sets the variables for every pod of
    a cluster must not keep this one from its work.
    """
    tracer = _tracer() if _wanted() else None
    try:
        yield tracer
    finally:
        if tracer is not None:
            await _close(tracer)


def _wanted() -> bool:
    """Whether the environment asks for traces in a way that is understood."""
    if _said("OTEL_SDK_DISABLED") == "true":
        return False
    exporter = _said("OTEL_TRACES_EXPORTER")
    place = _said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or _said("OTEL_EXPORTER_OTLP_ENDPOINT")
    if exporter == "none" or not (exporter or place):
        return False
    if exporter not in {"", "otlp"}:
        log.warning(_OFF, cause=f"OTEL_TRACES_EXPORTER is {exporter}", remedy="set it to otlp")
        return False
    protocol = _said("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or _said("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in {"", "http/protobuf"}:
        log.warning(
            _OFF,
            cause=f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}",
            remedy="set it to http/protobuf, and the endpoint to the collector's port for that, often 4318",
        )
        return False
    return True


def _said(variable: str) -> str:
    return os.environ.get(variable, "").strip().lower()


def _tracer() -> Tracer | None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from qsched.kube.tracer import Tracer
    except ModuleNotFoundError as error:
        remedy = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        log.warning(_OFF, cause=f"{error.name} is missing", remedy=remedy)
        return None
    return Tracer(BatchSpanProcessor(OTLPSpanExporter()))


async def _close(tracer: Tracer) -> None:
    """Close a tracer beside the loop, in a thread that keeps no process from its end."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        tracer.close()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any longer
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=close, name="close-tracer", daemon=True).start()
    try:
        async with asyncio.timeout(CLOSE_S):
            await closed.wait()
    except TimeoutError:
        log.warning("the last spans were not taken in time", waited_s=CLOSE_S)
