"""``qsched explain``: what every backend would make of a job, and why."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from qsched.cli.settings import FleetOption, NamespaceOption, OutputOption, StoreOption, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.job import Verdict
    from qsched.cli.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Jobs")(explain)


def explain(
    context: typer.Context,
    *,
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="A stored job's name.")] = None,
    dry_run: Annotated[
        list[Path] | None,
        typer.Option(
            "--dry-run", metavar="FILE", help="Explain a manifest or circuit file instead; stores nothing."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the scores (png, svg, pdf).")
    ] = None,
    store: StoreOption = None,
    fleet: FleetOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
) -> None:
    """Show every backend's score for a job, what it is made of, and who cannot take it."""
    from rich.text import Text

    from qsched.cli.inputs import naming, read_jobs
    from qsched.cli.render_pricing import price_notes
    from qsched.errors import InvalidInput
    from qsched.sdk import Client

    given = settings(context, store=store, fleet=fleet, namespace=namespace, output=output)
    if (job is None) == (dry_run is None):
        raise InvalidInput("name a stored job, or a file with --dry-run FILE")
    declared = (
        read_jobs(dry_run, namespace=given.namespace, shots=None, objective=None, backends=[])
        if dry_run
        else []
    )
    if plot is not None and len(declared) > 1:
        raise InvalidInput("--plot draws one job; these files hold several")
    with Client.local(store=given.store, fleet=given.fleet, engine=False) as client:
        if job is not None:
            found = client.job(job, given.namespace or "default")
            explained = [(found.name, found.explain())]
        else:
            with naming(dry_run or []):
                explained = [(one.metadata.name, client.explain(one)) for one in declared]
        specs = {each.metadata.name: each.spec for each in client.backends()}
    _show(given, explained)
    if not given.machine:
        for line in price_notes(specs):
            given.terminal.out.print(Text(line, style="dim"))
    if plot is not None:
        from qsched.cli.plot import plot_explanation

        plot_explanation(*explained[0], plot)
        given.terminal.note(f"drawn to {plot}")


def _show(given: Settings, explained: Sequence[tuple[str, Sequence[Verdict]]]) -> None:
    from rich.text import Text

    from qsched.cli.objects import write_objects
    from qsched.cli.render_explain import explanation, ranked

    out = given.terminal.out
    for index, (name, verdicts) in enumerate(explained):
        if given.machine:
            order = ranked(verdicts)
            write_objects(given, order, [verdict.backend for verdict in order], one=False)
            continue
        if len(explained) > 1:
            out.print(Text(f"{'' if index == 0 else chr(10)}{name}", style="bold underline"))
        out.print(explanation(verdicts, out.width))
