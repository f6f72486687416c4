"""Jobs, one line each: as ``kubectl get`` shows them, while they run, and when they have ended."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from qsched.api.quantities import utc
from qsched.cli import words
from qsched.cli.render_result import top_counts
from qsched.cli.render_style import PHASE_STYLES, bar, grid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from qsched.api.job import JobStatus, Phase, QuantumCircuitJob
    from qsched.store.protocol import JobSummary

FINISHED: frozenset[Phase] = frozenset({"Complete", "Failed", "Cancelled"})
_SHOWN_WHILE_RUNNING = 12
_LONGEST_MESSAGE = 160
REASONS_APART = " | "  # between the reasons of several backends in a message of the engine


@dataclass(frozen=True, slots=True)
class JobRow:
    """What a list says of a job."""

    namespace: str
    name: str
    phase: Phase
    backend: str | None
    message: str
    submitted_at: dt.datetime | None
    finished_at: dt.datetime | None

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.phase in FINISHED


def summary_row(summary: JobSummary) -> JobRow:
    """The row of a job in a list from the store."""
    return JobRow(
        namespace=summary.namespace,
        name=summary.name,
        phase=summary.phase,
        backend=summary.backend,
        message=summary.message,
        submitted_at=utc(summary.submitted_at),
        finished_at=None if summary.finished_at is None else utc(summary.finished_at),
    )


def status_row(namespace: str, name: str, status: JobStatus) -> JobRow:
    """The row of a job whose status is known."""
    return JobRow(
        namespace=namespace,
        name=name,
        phase=status.phase,
        backend=backend(status),
        message=why(status),
        submitted_at=status.submitted_at,
        finished_at=status.finished_at,
    )


def backend(status: JobStatus) -> str | None:
    """Where the job ran, runs or is to run."""
    if status.result is not None:
        return status.result.backend
    if status.phase != "Placed" and status.attempts:
        return status.attempts[-1].backend
    return status.placement.backend if status.placement else None


def why(status: JobStatus) -> str:
    """What the newest condition says, for people; of several as new the last one."""
    if not status.conditions:
        return ""
    newest = max(reversed(status.conditions), key=lambda condition: condition.last_transition_time)
    return newest.message


def shortened(message: str) -> str:
    """A message for a list; ``describe`` shows the whole of it."""
    return textwrap.shorten(message, _LONGEST_MESSAGE, placeholder=" …")


def failure_view(job: QuantumCircuitJob) -> Text:
    """Why a job ended without a result, a line for each backend that refused it."""
    head = Text.assemble((job.metadata.name, "bold"), f" is {job.status.phase}: ")
    return head.append(why(job.status).replace(REASONS_APART, "\n  "), style="red")


def phase_text(phase: Phase) -> Text:
    """A phase in its colour."""
    return Text(phase, style=PHASE_STYLES[phase])


def job_table(rows: Iterable[JobRow], now: dt.datetime, *, namespaces: bool = False) -> Table:
    """One line a job: name, phase, backend, age, how long it took, and why it is not complete."""
    table = grid(header=True)
    if namespaces:
        table.add_column("namespace", overflow="fold")
    table.add_column("name", overflow="fold")
    table.add_column("phase", no_wrap=True)
    table.add_column("backend", overflow="fold")
    for heading in ("age", "took"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("message", overflow="fold", style="dim")
    for row in rows:
        table.add_row(
            *([row.namespace] if namespaces else []),
            row.name,
            phase_text(row.phase),
            row.backend or words.ABSENT,
            words.age(row.submitted_at, now),
            _took(row),
            "" if row.phase == "Complete" else shortened(row.message),
        )
    return table


def _took(row: JobRow) -> str:
    if row.submitted_at is None or row.finished_at is None:
        return words.ABSENT
    return words.duration((row.finished_at - row.submitted_at).total_seconds())


def progress_view(rows: Sequence[JobRow], now: dt.datetime, cells: int = 30) -> RenderableType:
    """A bar of how many jobs have ended, and the jobs that are furthest on their way."""
    ended = sum(row.finished for row in rows)
    failed = sum(row.phase == "Failed" for row in rows)
    head = Text.assemble(
        (bar(ended / len(rows), cells), "green"), f" {ended} of {words.count(len(rows), 'job')} ended"
    )
    if failed:
        head.append(f", {failed} failed", style="red")
    order = list(PHASE_STYLES)
    live = sorted((row for row in rows if not row.finished), key=lambda row: -order.index(row.phase))
    table = grid()
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
    for row in live[:_SHOWN_WHILE_RUNNING]:
        waits = row.message if row.phase == "Pending" else ""
        age = words.age(row.submitted_at, now)
        table.add_row(row.name, phase_text(row.phase), row.backend or "", age, waits)
    more = len(live) - _SHOWN_WHILE_RUNNING
    parts: list[RenderableType] = [head, table]
    if more > 0:
        parts.append(Text(f"and {words.count(more, 'more job')}", style="dim"))
    return Group(*parts)


def outcome_table(jobs: Iterable[QuantumCircuitJob]) -> Table:
    """One line an ended job: where it ran, the success that was estimated, and its most frequent outcome."""
    table = grid(header=True)
    table.add_column("job", overflow="fold")
    table.add_column("phase", no_wrap=True)
    table.add_column("backend", overflow="fold")
    for heading in ("score", "success", "run", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("top outcome", overflow="fold")
    for job in jobs:
        status = job.status
        placement, result = status.placement, status.result
        table.add_row(
            job.metadata.name,
            phase_text(status.phase),
            backend(status) or words.ABSENT,
            words.number(placement.score if placement else None),
            words.percent(placement.estimate.success if placement else None),
            words.duration(result.run_s if result else None),
            words.money(result.cost) if result else words.ABSENT,
            _outcome(job),
        )
    return table


def _outcome(job: QuantumCircuitJob) -> Text:
    """The most frequent outcome of the first circuit, or why there is none."""
    result = job.status.result
    if result is None:
        return Text(shortened(why(job.status)), style="red")
    first = result.circuits[0]
    if not first.counts:
        return Text("counts are in the stored result" if first.counts is None else "no counts", style="dim")
    [(outcome, number)], _, _ = top_counts(first.counts, 1)
    text = Text(f"{outcome}  {words.percent(number / sum(first.counts.values()))}")
    if result.intended_backend is not None:
        text.append(f"  for {result.intended_backend}", style="yellow")
    return text


def tally(jobs: Sequence[QuantumCircuitJob]) -> str:
    """How the jobs ended and where, in one sentence."""
    phases = Counter(job.status.phase.lower() for job in jobs)
    ends = ", ".join(f"{number} {phase}" for phase, number in phases.most_common())
    places = Counter(backend(job.status) for job in jobs if job.status.phase == "Complete")
    on = ", ".join(f"{place} {number}" for place, number in places.most_common())
    where = f", on {words.count(len(places), 'backend')}: {on}" if places else ""
    return f"{words.count(len(jobs), 'job')}: {ends}{where}"
