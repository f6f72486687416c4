"""``qsched discover``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from qsched.cli.settings import Output, settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Fleet")(discover)


def discover(
    context: typer.Context,
    *,
    driver: Annotated[str, typer.Argument(metavar="DRIVER", help="Such as ibm, braket, azure or aer.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="NAME=VALUE",
            help="What the driver wants to know; it is written into the manifests.",
        ),
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML or JSON of what a Secret would hold; never written anywhere.",
            show_default="found in the provider's own way",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|yaml|json|name",
            help="Where to write the manifests, or how to print them.",
            show_default="a table",
        ),
    ] = None,
) -> None:
    """List the devices that a driver's account can reach, and write QuantumBackend manifests for them."""
    from qsched.cli import words
    from qsched.cli.discovery import discover as ask
    from qsched.cli.discovery_inputs import read_credentials, read_output, read_parameter_options
    from qsched.cli.discovery_manifests import backends_of, fleet_file
    from qsched.cli.objects import write_objects
    from qsched.cli.progress import now
    from qsched.cli.render_discovery import discovery_table
    from qsched.errors import NotFound

    form, file = read_output(output)
    given = settings(context, output=form)
    parameters = read_parameter_options(parameter or [])
    secrets = read_credentials(credentials) if credentials is not None else None
    found = ask(driver, parameters, secrets)
    backends = backends_of(driver, parameters, found)
    usable = [backend for device, backend in zip(found, backends, strict=True) if device.usable]
    text = fleet_file(backends, found, command=f"qsched discover {driver}")
    if file is not None or not given.machine:
        given.terminal.out.print(discovery_table(found, backends, now()))
    if not usable:
        raise NotFound(f"driver {driver} reaches no device that takes tasks; look at the account's access")
    if file is not None:
        _write(file, text)
        given.terminal.note(
            f"wrote {words.count(len(usable), 'backend')} to {file}; try: qsched --fleet {file} backends"
        )
    elif given.output is Output.yaml:
        given.terminal.write(text)
    elif given.machine:
        write_objects(given, usable, [backend.metadata.name for backend in usable], one=False)
    else:
        given.terminal.note(f"to write manifests: qsched discover {driver} -o {driver}.yaml")


def _write(path: Path, text: str) -> None:
    from qsched.errors import InvalidInput

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}; name another file") from error
