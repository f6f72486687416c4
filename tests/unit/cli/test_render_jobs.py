from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from qsched.api.base import Condition, ObjectMeta
from qsched.api.job import JobStatus, Phase, QuantumCircuitJob
from qsched.cli.render_describe import job_detail
from qsched.cli.render_jobs import JobRow, job_table, outcome_table, progress_view, status_row, tally

Show = Callable[..., str]


def row(
    name: str, phase: Phase, now: dt.datetime, *, message: str = "", backend: str | None = "kyoto"
) -> JobRow:
    return JobRow("default", name, phase, backend, message, now - dt.timedelta(minutes=3), None)


def failed(job: QuantumCircuitJob, name: str, now: dt.datetime) -> QuantumCircuitJob:
    condition = Condition(
        type="Failed", status="True", reason="Rejected", message="no such gate", last_transition_time=now
    )
    status = JobStatus(phase="Failed", conditions=[condition])
    return msgspec.structs.replace(job, metadata=ObjectMeta(name=name), status=status)


def test_the_list_says_where_a_job_is_and_why_it_is_not_complete(show: Show, now: dt.datetime) -> None:
    rows = [
        row("ghz", "Complete", now, message="done"),
        row("qft", "Pending", now, message="offline", backend=None),
    ]
    lines = show(job_table(rows, now)).splitlines()
    assert lines[2].split() == ["ghz", "Complete", "kyoto", "3m", "-"]
    assert lines[3].split() == ["qft", "Pending", "-", "3m", "-", "offline"]


def test_namespaces_are_listed_when_there_are_several(show: Show, now: dt.datetime) -> None:
    assert (
        show(job_table([row("ghz", "Running", now)], now, namespaces=True))
        .splitlines()[2]
        .startswith("default ")
    )


def test_long_names_and_messages_are_folded_and_not_cut(show: Show, now: dt.datetime) -> None:
    rows = [row("a" * 70, "Failed", now, message="b" * 90)]
    shown = show(job_table(rows, now))
    assert shown.count("a") >= 70
    assert shown.count("b") >= 90
    assert "…" not in shown


def test_progress_shows_the_furthest_jobs_and_counts_the_rest(show: Show, now: dt.datetime) -> None:
    rows = [row(f"wait-{n}", "Pending", now) for n in range(20)]
    rows += [row("busy", "Running", now), row("done", "Complete", now), row("lost", "Failed", now)]
    shown = show(progress_view(rows, now))
    lines = shown.splitlines()
    assert lines[0].endswith("2 of 23 jobs ended, 1 failed")
    assert lines[1].startswith("busy")
    assert "and 9 more jobs" in shown


def test_the_outcomes_show_success_cost_and_the_top_outcome(
    show: Show, now: dt.datetime, complete_job: QuantumCircuitJob
) -> None:
    jobs = [complete_job, failed(complete_job, "bad", now)]
    lines = show(outcome_table(jobs)).splitlines()
    assert "80.0 %" in lines[2]
    assert "0.12 USD" in lines[2]
    assert "00  50.8 %" in lines[2]
    assert lines[3].split()[:3] == ["bad", "Failed", "-"]
    assert "no such gate" in lines[3]
    assert tally(jobs) == "2 jobs: 1 complete, 1 failed, on 1 backend: kyoto 1"


def test_a_job_that_is_placed_anew_is_shown_on_its_new_backend(complete_job: QuantumCircuitJob) -> None:
    status = msgspec.structs.replace(complete_job.status, phase="Placed", result=None)
    assert status.placement is not None
    moved = msgspec.structs.replace(
        status, placement=msgspec.structs.replace(status.placement, backend="osaka")
    )
    assert status_row("default", "ghz", moved).backend == "osaka"


def test_describe_tells_the_whole_story(
    show: Show, now: dt.datetime, complete_job: QuantumCircuitJob
) -> None:
    history = [(now - dt.timedelta(seconds=58), "Placed", "on kyoto, score 0.838")]
    shown = show(job_detail(complete_job, history, now))
    for needed in (
        "ghz", "team=chem", "Complete", "ghz-0 (inline, 2 lines)", "balanced", "1,024",
        "0.838 = 0.40 × 0.80 fidelity", "kyoto wins", "osaka 0.797", "Succeeded", "task-1",
        "9f86d081884c7d65", "transpiled ab12", "file:///results/ghz.json", "2026-03-01", "11:59:02.000",
        "on kyoto, score 0.838", "Finished", "(60s ago)", "(after 10 s)",
    ):  # fmt: skip
        assert needed in shown, needed
    assert "…" not in shown
