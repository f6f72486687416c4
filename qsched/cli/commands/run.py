"""``qsched run`` and ``qsched submit``: hand jobs over, and for ``run`` see them through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qsched.cli.settings import (
    FleetOption,
    NamespaceOption,
    OutputOption,
    Settings,
    StoreOption,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.job import QuantumCircuitJob, Result
    from qsched.cli.render_jobs import JobRow

FilesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="Manifests (- is standard input), .qasm or .qpy files."),
]
ShotsOption = Annotated[int | None, typer.Option("--shots", help="Shots of a circuit file.")]
ObjectiveOption = Annotated[
    str | None,
    typer.Option("--objective", metavar="NAME", help="balanced, fidelity, speed or cost, of a circuit file."),
]
BackendOption = Annotated[
    list[str] | None,
    typer.Option("--backend", metavar="NAME", help="Run a circuit file here only; may be repeated."),
]

JOB_FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel="Jobs")(run)
    app.command(rich_help_panel="Jobs")(submit)


def run(
    context: typer.Context,
    *,
    files: FilesArgument,
    shots: ShotsOption = None,
    objective: ObjectiveOption = None,
    backend: BackendOption = None,
    top: Annotated[int, typer.Option(min=1, help="Outcomes to show of each circuit.")] = 12,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the counts (one job).")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Stop following after this long.")
    ] = None,
    store: StoreOption = None,
    fleet: FleetOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """Submit jobs, follow them, and show where they ran and what came out."""
    from qsched.cli.inputs import naming, read_jobs
    from qsched.cli.plot import plot_counts
    from qsched.cli.progress import follow
    from qsched.cli.render_jobs import status_row
    from qsched.errors import InvalidInput, JobFailed
    from qsched.sdk import Client

    given = settings(context, store=store, fleet=fleet, namespace=namespace, output=output)
    declared = read_jobs(
        files, namespace=given.namespace, shots=shots, objective=objective, backends=backend or []
    )
    if plot is not None and len(declared) > 1:
        raise InvalidInput(
            "--plot draws the counts of one job; 'qsched result NAME --plot FILE' draws each later"
        )
    with Client.local(store=given.store, fleet=given.fleet) as client:
        with naming(files):
            jobs = client.submit_all(declared)

        def rows() -> list[JobRow]:
            client.check()
            return [status_row(job.namespace, job.name, job.status()) for job in jobs]

        ended = follow(rows, given.terminal.err, timeout_s=timeout)
        manifests = [job.manifest() for job in jobs]
        only = jobs[0].result(show_progress=False) if _one_complete(manifests) else None
    _show(given, manifests, only, top)
    if plot is not None and only is not None:
        plot_counts(jobs[0].name, only, plot)
        given.terminal.note(f"drawn to {plot}")
    if not ended:
        raise JobFailed(f"not every job ended within {timeout:g} s; they stay stored: see 'qsched watch'")
    if any(job.status.phase != "Complete" for job in manifests):
        raise typer.Exit(JOB_FAILED)


def submit(
    context: typer.Context,
    *,
    files: FilesArgument,
    shots: ShotsOption = None,
    objective: ObjectiveOption = None,
    backend: BackendOption = None,
    store: StoreOption = None,
    fleet: FleetOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """Store jobs for a running engine (qsched serve) and return at once."""
    from qsched.cli import stored
    from qsched.cli.inputs import naming, read_jobs
    from qsched.cli.objects import write_objects
    from qsched.sdk import Client
    from qsched.store import has_engine

    given = settings(context, store=store, fleet=fleet, namespace=namespace, output=output)
    declared = read_jobs(
        files, namespace=given.namespace, shots=shots, objective=objective, backends=backend or []
    )
    with Client.local(store=given.store, fleet=given.fleet, engine=False) as client:
        with naming(files):
            jobs = client.submit_all(declared)
        manifests = [job.manifest() for job in jobs] if given.machine else []
    if given.machine:
        write_objects(given, manifests, [job.name for job in jobs], one=len(jobs) == 1)
        return
    for job in jobs:
        given.terminal.out.print(f"job {job.name} submitted")
    with stored.reading(given.store) as source:
        if not has_engine(source):
            given.terminal.note("no engine works on this store: 'qsched serve' starts one")


def _one_complete(manifests: Sequence[QuantumCircuitJob]) -> bool:
    return len(manifests) == 1 and manifests[0].status.phase == "Complete"


def _show(given: Settings, manifests: Sequence[QuantumCircuitJob], only: Result | None, top: int) -> None:
    """One job in full, with the whole of its result; several as a table."""
    from rich.text import Text

    from qsched.cli.objects import write_objects
    from qsched.cli.render_explain import placement_sentence
    from qsched.cli.render_jobs import failure_view, outcome_table, tally
    from qsched.cli.render_result import result_view

    out = given.terminal.out
    if given.machine:
        names = [job.metadata.name for job in manifests]
        write_objects(given, manifests, names, one=len(manifests) == 1)
        return
    if only is not None:
        placement = manifests[0].status.placement
        if placement is not None:
            out.print(Text(f"{placement_sentence(placement)}\n"))
        out.print(result_view(manifests[0].metadata.name, only, top=top))
    elif len(manifests) == 1 and manifests[0].status.phase in {"Failed", "Cancelled"}:
        out.print(failure_view(manifests[0]))
    else:
        out.print(outcome_table(manifests))
        out.print(Text(f"\n{tally(manifests)}", style="bold"))
