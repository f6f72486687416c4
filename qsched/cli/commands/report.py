"""``qsched report accuracy``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from qsched.cli.settings import NamespaceOption, OutputOption, StoreOption, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.job import Result
    from qsched.cli.settings import Settings

reports = typer.Typer(help="What became of estimates.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    reports.command()(accuracy)
    app.add_typer(reports, name="report", rich_help_panel="Jobs")


def accuracy(
    context: typer.Context,
    *,
    backends: Annotated[
        list[str] | None, typer.Argument(metavar="BACKEND", help="Names; all if none.")
    ] = None,
    jobs: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Read jobs with their statuses from a file ('-': standard input), not from the store.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many completed jobs.")] = 10_000,
    store: StoreOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """Hold the estimates of completed jobs against what came: wait, run and cost, a backend each.

    Jobs of every namespace count, unless one is named.

    For a cluster: kubectl get qcj -A -o json | qsched report accuracy --from -
    """
    from qsched.cli.accuracy import report
    from qsched.cli.objects import write_objects
    from qsched.cli.render_accuracy import accuracy_view

    given = settings(context, store=store, namespace=namespace, output=output)
    results = _stored(given, limit) if jobs is None else _of_file(jobs, given.namespace)
    found = report(_on(results, backends) if backends else results)
    if given.machine:
        write_objects(given, [found], [each.backend or "" for each in found.backends], one=True)
    elif not (found.backends or found.fallbacks or found.unrecorded):
        given.terminal.note("no job has completed yet; 'qsched run FILE' makes one")
    else:
        given.terminal.out.print(accuracy_view(found))


def _stored(given: Settings, limit: int) -> list[Result]:
    """The results of the newest completed jobs; of every namespace unless one was named."""
    from qsched.cli import stored

    with stored.reading(given.store) as source:
        rows = source.list(phases=["Complete"], namespace=given.namespace, limit=limit)
        records = [source.get(row.name, row.namespace) for row in rows]
    return [record.result for record in records if record.result is not None]


def _of_file(file: Path, namespace: str | None) -> list[Result]:
    """The results of completed jobs among manifests."""
    from qsched.api.job import QuantumCircuitJob
    from qsched.api.manifest import read_manifest_file

    return [
        each.status.result
        for each in read_manifest_file(file)
        if isinstance(each, QuantumCircuitJob)
        and each.status.phase == "Complete"
        and each.status.result is not None
        and namespace in {None, each.metadata.namespace or "default"}
    ]


def _on(results: Sequence[Result], names: Sequence[str]) -> list[Result]:
    """The results of some backends; those of fallbacks count for the backend that they stand in for.

    Raises:
        NotFound: If no job completed on one of them; names the nearest on which one did.
    """
    from qsched.cli import words
    from qsched.errors import NotFound

    known = {result.intended_backend or result.backend for result in results}
    for name in names:
        if name not in known:
            raise NotFound(f"no job has completed on {name!r}{words.did_you_mean(name, sorted(known))}")
    return [result for result in results if (result.intended_backend or result.backend) in names]
