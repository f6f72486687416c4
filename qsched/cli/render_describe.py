"""Everything about one job, as ``kubectl describe`` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from qsched.cli import words
from qsched.cli.render_explain import PARTS, placement_sentence
from qsched.cli.render_jobs import REASONS_APART, phase_text, why
from qsched.cli.render_result import cost, origin
from qsched.cli.render_style import grid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from qsched.api.job import Circuit, Estimate, JobSpec, JobStatus, Placement, QuantumCircuitJob, Result

    Event = tuple[dt.datetime, str, str]


def job_detail(job: QuantumCircuitJob, history: Sequence[Event], now: dt.datetime) -> RenderableType:
    """Everything about one job, section by section."""
    status = job.status
    parts: list[RenderableType] = [_facts(_heading(job, now))]
    if status.placement is not None:
        parts += _section("Placement", _facts(_placement(status.placement)))
    if status.attempts:
        parts += _section("Attempts", _attempts(job))
    if status.result is not None:
        parts += _section("Result", _facts(_result(status.result)))
        if status.result.estimate is not None:
            parts += _section("Outcome", _outcome(status.result.estimate, status.result))
    if status.conditions:
        parts += _section("Conditions", _conditions(job, now))
    if history:
        parts += _section("History", _history(history))
    return Group(*parts)


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [Text(f"\n{title}", style="bold"), Padding(body, (0, 0, 0, 2))]


def _facts(facts: Iterable[tuple[str, RenderableType]]) -> Table:
    table = grid()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value)
    return table


def _heading(job: QuantumCircuitJob, now: dt.datetime) -> Iterable[tuple[str, RenderableType]]:
    meta, spec, status = job.metadata, job.spec, job.status
    yield "Name", Text(meta.name, style="bold")
    yield "Namespace", meta.namespace or "default"
    if meta.labels:
        yield "Labels", "\n".join(f"{key}={value}" for key, value in sorted(meta.labels.items()))
    yield "Phase", Text.assemble(phase_text(status.phase), _reason(status))
    yield "Circuits", "\n".join(map(_circuit, spec.circuits))
    yield "Shots", f"{spec.shots:,}"
    yield "Objective", _objective(spec)
    requirements = list(_requirements(spec))
    if requirements:
        yield "Requires", "\n".join(requirements)
    if spec.fallback.policy != "Never":
        after = f" after {spec.fallback.after}" if spec.fallback.after else ""
        yield "Fallback", f"{spec.fallback.policy}{after}"
    if spec.execution.transpile == "Provider":
        yield "Transpiled", "by the provider"
    if spec.priority:
        yield "Priority", str(spec.priority)
    if status.submitted_at is not None:
        yield "Submitted", f"{words.moment(status.submitted_at)} ({words.age(status.submitted_at, now)} ago)"
    if status.finished_at is not None and status.submitted_at is not None:
        took = words.duration((status.finished_at - status.submitted_at).total_seconds())
        yield "Finished", f"{words.moment(status.finished_at)} (after {took})"


def _reason(status: JobStatus) -> str:
    """Why the job is where it is; the reasons of several backends a line each."""
    return f"  {why(status)}".rstrip().replace(REASONS_APART, "\n")


def _circuit(circuit: Circuit) -> str:
    if circuit.qasm is not None:
        return f"{circuit.name} (inline, {words.count(len(circuit.qasm.splitlines()), 'line')})"
    if circuit.config_map_ref is not None:
        return f"{circuit.name} (ConfigMap {circuit.config_map_ref.name}, key {circuit.config_map_ref.key})"
    return f"{circuit.name} ({circuit.uri})"


def _objective(spec: JobSpec) -> str:
    if spec.weights is None:
        return spec.objective
    return "weights " + ", ".join(f"{part} {getattr(spec.weights, part):g}" for part in PARTS)


def _requirements(spec: JobSpec) -> Iterable[str]:
    wanted = spec.requirements
    if wanted.backends:
        yield f"backend {' or '.join(wanted.backends)}"
    for key, value in sorted(wanted.backend_selector.items()):
        yield f"label {key}={value}"
    if wanted.min_fidelity is not None:
        yield f"success of at least {words.percent(wanted.min_fidelity)}"
    if wanted.max_cost is not None:
        yield f"cost of at most {words.money(wanted.max_cost)}"
    if wanted.complete_by is not None:
        yield f"complete by {words.moment(wanted.complete_by)}"
    if wanted.max_queue_time is not None:
        yield f"queue of at most {wanted.max_queue_time}"
    if wanted.max_calibration_age is not None:
        yield f"calibration of at most {wanted.max_calibration_age}"
    if wanted.simulators != "Allowed":
        yield f"simulators {wanted.simulators.lower()}"


def _placement(placement: Placement) -> Iterable[tuple[str, RenderableType]]:
    estimate, breakdown = placement.estimate, placement.breakdown
    yield "Backend", Text(placement.backend, style="bold cyan")
    terms = " + ".join(
        f"{getattr(breakdown.weights, part):.2f} × {getattr(breakdown, part):.2f} {part}" for part in PARTS
    )
    yield "Score", f"{placement.score:.3f} = {terms}"
    yield "Success", f"{words.percent(estimate.success)} estimated{_of_what(estimate)}"
    if estimate.wait_p90_s >= words.NOW_S:
        yield (
            "Start",
            f"in {words.duration(estimate.wait_s)} (P50), {words.duration(estimate.wait_p90_s)} (P90)",
        )
    else:
        yield "Start", "at once"
    yield "Run", words.duration(estimate.run_s)
    yield "Cost", words.money(estimate.cost)
    if placement.calibration_id is not None:
        yield "Calibration", placement.calibration_id
    yield "Why", placement_sentence(placement)
    others = [verdict for verdict in placement.runners_up if verdict.feasible]
    if others:
        yield "Runners-up", ", ".join(f"{verdict.backend} {verdict.score:.3f}" for verdict in others)


def _of_what(estimate: Estimate) -> str:
    return ", of qsched's own transpilation" if estimate.provider_compiles else ""


def _attempts(job: QuantumCircuitJob) -> Table:
    table = grid(header=True)
    table.add_column("no.", justify="right")
    table.add_column("backend", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("started", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("remote id, reason", overflow="fold")
    for attempt in job.status.attempts:
        took = None
        if attempt.started_at and attempt.finished_at:
            took = (attempt.finished_at - attempt.started_at).total_seconds()
        started = f"{attempt.started_at:%H:%M:%S}" if attempt.started_at else words.ABSENT
        note = ", ".join(filter(None, (attempt.remote_id, attempt.reason)))
        table.add_row(
            str(attempt.number), attempt.backend, attempt.state, started, words.duration(took), note
        )
    return table


def _result(result: Result) -> Iterable[tuple[str, RenderableType]]:
    yield "Backend", Text.assemble(result.backend, origin(result))
    yield "Remote id", f"{result.remote_id} ({result.driver})"
    yield (
        "Circuits",
        "\n".join(
            f"{circuit.name}: {words.count(circuit.shots, 'shot')}, transpiled {circuit.transpiled_hash}"
            for circuit in result.circuits
        ),
    )
    if result.calibration_id is not None:
        yield "Calibration", result.calibration_id
    if result.uri is not None:
        yield "Stored at", result.uri
    yield "Made by", f"qsched {result.qsched_version}"


def _outcome(estimate: Estimate, result: Result) -> Table:
    """What was estimated when the job was handed over, and what came."""
    table = grid(header=True)
    for heading in ("", "estimated", "actual"):
        table.add_column(heading, no_wrap=True)
    most = words.duration(estimate.wait_p90_s)
    wait = f"{words.duration(estimate.wait_s)} (P90 {most})" if estimate.wait_p90_s >= words.NOW_S else "none"
    table.add_row("wait", wait, words.duration(result.wait_s))
    table.add_row("run", words.duration(estimate.run_s), words.duration(result.run_s))
    table.add_row("cost", words.money(estimate.cost), cost(result))
    return table


def _conditions(job: QuantumCircuitJob, now: dt.datetime) -> Table:
    table = grid(header=True)
    for heading in ("type", "status", "reason"):
        table.add_column(heading, no_wrap=True)
    table.add_column("since", justify="right", no_wrap=True)
    table.add_column("message", overflow="fold")
    for condition in job.status.conditions:
        since = words.age(condition.last_transition_time, now)
        table.add_row(condition.type, condition.status, condition.reason, since, condition.message)
    return table


def _history(history: Sequence[Event]) -> Table:
    """What happened, each moment as the time of day, and the first one's date."""
    table = grid(header=True)
    table.add_column(f"{history[0][0]:%Y-%m-%d} UTC", no_wrap=True)
    table.add_column("event", no_wrap=True)
    table.add_column("message", overflow="fold")
    for at, kind, message in history:
        table.add_row(f"{at:%H:%M:%S}.{at.microsecond // 1000:03}", kind, message)
    return table
