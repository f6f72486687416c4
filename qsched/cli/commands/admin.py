"""``qsched serve``, ``qsched crds`` and ``qsched doctor``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from qsched.cli.settings import FleetOption, StoreOption, settings

UNAVAILABLE = 3


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (serve, crds, doctor):
        app.command(rich_help_panel="Administration")(command)


def serve(context: typer.Context, *, store: StoreOption = None, fleet: FleetOption = None) -> None:
    """Run the engine over the store until interrupted; jobs come from 'qsched submit'."""
    from qsched.cli import daemon
    from qsched.cli.stored import store_path

    given = settings(context, store=store, fleet=fleet)
    path = store_path(given.store).absolute()

    def started() -> None:
        given.terminal.note(f"working on {path}; Ctrl-C stops, jobs stay stored")

    daemon.serve(path, given.fleet, started)
    given.terminal.note("stopped")


def crds(
    context: typer.Context,
    *,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FOLDER", help="Write a file each instead of printing.")
    ] = None,
) -> None:
    """Print the custom resource definitions for Kubernetes, or write them to a folder."""
    from qsched.kube.crds import render_crds

    given = settings(context)
    files = render_crds()
    if write is None:
        given.terminal.write("---\n".join(files.values()))
        return
    for name, text in files.items():
        _write(write / name, text)
        given.terminal.note(f"wrote {write / name}")


def _write(path: Path, text: str) -> None:
    from qsched.errors import InvalidInput

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}; name another folder") from error


def doctor(context: typer.Context, *, store: StoreOption = None, fleet: FleetOption = None) -> None:
    """Say what is installed, which drivers load and why others do not, and whether the store is sound."""
    from qsched.cli.doctor import check_table, checks

    given = settings(context, store=store, fleet=fleet)
    found = list(checks(given.store, given.fleet))
    given.terminal.out.print(check_table(found))
    problems = sum(check.verdict == "problem" for check in found)
    if problems:
        given.terminal.note(f"{problems} to mend")
        raise typer.Exit(UNAVAILABLE)
