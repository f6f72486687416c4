"""``get``, ``describe``, ``result``, ``watch``, ``cancel`` and ``delete``: jobs that are stored already.

Those that only read open the store and nothing else, neither engine nor numpy nor Qiskit.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads annotations
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
    from collections.abc import Iterator, Sequence

    from qsched.cli.render_jobs import JobRow
    from qsched.sdk import Client, Job

POLL_S = 0.05
CANCEL_TIMEOUT_S = 15.0
MOST_LISTED = 10_000_000
NameArgument = Annotated[str, typer.Argument(metavar="JOB", help="A job's name.")]
NamesArgument = Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Names; all jobs if none.")]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs of every namespace.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (get, describe, result, watch, cancel, delete):
        app.command(rich_help_panel="Jobs")(command)


def get(
    context: typer.Context,
    *,
    jobs: NamesArgument = None,
    phase: Annotated[list[str] | None, typer.Option(metavar="PHASE", help="Only jobs in this phase.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The newest so many.")] = 1000,
    everywhere: AllNamespaces = False,
    store: StoreOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """List jobs, the newest first."""
    from qsched.cli import stored
    from qsched.cli.objects import write_objects
    from qsched.cli.progress import now
    from qsched.cli.render_jobs import job_table

    given = settings(context, store=store, namespace=namespace, output=output)
    where = None if everywhere else given.namespace or "default"
    with stored.reading(given.store) as source:
        if jobs:
            named_in = given.namespace or "default"
            manifests = [stored.manifest(stored.find(source, name, named_in)) for name in jobs]
            rows = [stored.manifest_row(job) for job in manifests]
        else:
            rows = stored.rows(source, where, phases=phase or [], limit=limit)
            whole = given.machine and given.output != "name"
            manifests = (
                [stored.manifest(source.get(row.name, row.namespace)) for row in rows] if whole else []
            )
    if given.machine:
        one = jobs is not None and len(jobs) == 1
        write_objects(given, manifests, [row.name for row in rows], one=one)
    elif not rows:
        given.terminal.note(_nothing(where))
    else:
        given.terminal.out.print(job_table(rows, now(), namespaces=everywhere))
        if len(rows) == limit:
            given.terminal.note(f"the newest {limit:,} jobs; --limit shows more")


def _nothing(namespace: str | None) -> str:
    where = "" if namespace is None else f" in namespace {namespace}"
    return f"no jobs{where}; 'qsched run FILE' makes one"


def describe(
    context: typer.Context,
    *,
    job: NameArgument,
    store: StoreOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """Show everything about a job: conditions, placement, attempts, history."""
    from qsched.cli import stored
    from qsched.cli.objects import write_objects
    from qsched.cli.progress import now
    from qsched.cli.render_describe import job_detail

    given = settings(context, store=store, namespace=namespace, output=output)
    with stored.reading(given.store) as source:
        record = stored.find(source, job, given.namespace or "default")
        history = stored.history(source, record)
    manifest = stored.manifest(record)
    if given.machine:
        write_objects(given, [manifest], [manifest.metadata.name], one=True)
    else:
        given.terminal.out.print(job_detail(manifest, history, now()))


def result(
    context: typer.Context,
    *,
    job: NameArgument,
    top: Annotated[int, typer.Option(min=1, help="Outcomes to show of each circuit.")] = 12,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the counts (png, svg, pdf).")
    ] = None,
    store: StoreOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """Show what came out of a job, and where it came from."""
    from qsched.cli import stored
    from qsched.cli.objects import write_objects
    from qsched.cli.plot import plot_counts
    from qsched.cli.render_result import result_view

    given = settings(context, store=store, namespace=namespace, output=output)
    with stored.reading(given.store) as source:
        manifest = stored.manifest(stored.find(source, job, given.namespace or "default"))
    outcome = stored.whole_result(manifest)
    if plot is not None:
        plot_counts(manifest.metadata.name, outcome, plot)
        given.terminal.note(f"drawn to {plot}")
    if given.machine:
        write_objects(given, [outcome], [manifest.metadata.name], one=True)
    else:
        given.terminal.out.print(result_view(manifest.metadata.name, outcome, top=top))


def watch(
    context: typer.Context,
    *,
    jobs: NamesArgument = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Stop watching after this long.")
    ] = None,
    store: StoreOption = None,
    namespace: NamespaceOption = None,
) -> None:
    """Follow jobs until they have ended; all unfinished ones if none is named."""
    from qsched.cli import stored
    from qsched.cli.progress import follow, now
    from qsched.cli.render_jobs import job_table
    from qsched.errors import JobFailed

    given = settings(context, store=store, namespace=namespace)
    where = given.namespace or "default"
    with stored.reading(given.store) as source:
        if jobs:
            names = [stored.find(source, name, where).name for name in jobs]
        else:
            names = [
                row.name for row in stored.rows(source, where, phases=[], limit=1000) if not row.finished
            ]
        if not names:
            given.terminal.note("nothing to watch: every job has ended")
            return
        ended = follow(
            lambda: [stored.manifest_row(stored.manifest(source.get(name, where))) for name in names],
            given.terminal.err,
            timeout_s=timeout,
        )
        manifests = [stored.manifest(source.get(name, where)) for name in names]
    given.terminal.out.print(job_table([stored.manifest_row(job) for job in manifests], now()))
    if not ended:
        raise JobFailed(f"not every job ended within {timeout:g} s; 'qsched serve' works on the others")
    if any(job.status.phase != "Complete" for job in manifests):
        raise typer.Exit(1)


def cancel(
    context: typer.Context,
    *,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB", help="Names.")],
    store: StoreOption = None,
    fleet: FleetOption = None,
    namespace: NamespaceOption = None,
) -> None:
    """Cancel jobs; those that have ended are left as they are."""
    from qsched.cli.progress import follow
    from qsched.cli.render_jobs import status_row

    given = settings(context, store=store, fleet=fleet, namespace=namespace)
    with _engine_for(given, jobs) as (client, handles):
        for handle in handles:
            handle.cancel()

        def rows() -> list[JobRow]:
            client.check()
            return [status_row(handle.namespace, handle.name, handle.status()) for handle in handles]

        follow(rows, given.terminal.err, timeout_s=CANCEL_TIMEOUT_S)
        for row in rows():
            waits = (
                "" if row.finished else "; its task is not gone yet, the next engine (qsched serve) goes on"
            )
            given.terminal.out.print(f"job {row.name}: {row.phase}{waits}")


def delete(
    context: typer.Context,
    *,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB", help="Names.")],
    store: StoreOption = None,
    fleet: FleetOption = None,
    namespace: NamespaceOption = None,
) -> None:
    """Cancel jobs and forget them, so that their names are free again; result files stay."""
    given = settings(context, store=store, fleet=fleet, namespace=namespace)
    with _engine_for(given, jobs) as (client, handles):
        for handle in handles:
            handle.delete()
        ends = time.monotonic() + CANCEL_TIMEOUT_S
        left = handles
        while left and time.monotonic() < ends:
            client.check()
            time.sleep(POLL_S)
            left = [handle for handle in left if handle.exists()]
        for handle in handles:
            waits = "; its task is not gone yet, the next engine (qsched serve) goes on"
            given.terminal.out.print(f"job {handle.name}: deleted{waits if handle in left else ''}")


@contextmanager
def _engine_for(given: Settings, names: Sequence[str]) -> Iterator[tuple[Client, list[Job]]]:
    """The jobs of these names with an engine that heeds what is asked of them; all must be there."""
    from qsched.cli import stored
    from qsched.sdk import Client

    where = given.namespace or "default"
    with stored.reading(given.store) as source:
        for name in names:
            stored.find(source, name, where)
    with Client.local(store=given.store, fleet=given.fleet) as client:
        yield client, [client.job(name, where) for name in names]
