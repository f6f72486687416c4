"""``qsched backends`` and ``qsched calibrations show``."""

from __future__ import annotations

from typing import Annotated

import typer

from qsched.cli.settings import FleetOption, Output, OutputOption, StoreOption, settings

calibrations = typer.Typer(help="Measured properties of devices.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel="Fleet")(backends)
    calibrations.command()(show)
    app.add_typer(calibrations, name="calibrations", rich_help_panel="Fleet")


def backends(
    context: typer.Context,
    *,
    names: Annotated[list[str] | None, typer.Argument(metavar="BACKEND", help="Names; all if none.")] = None,
    store: StoreOption = None,
    fleet: FleetOption = None,
    output: OutputOption = None,
) -> None:
    """List backends: size, errors, queue, price, and whether they take tasks."""
    from qsched.cli.calibrations import named
    from qsched.cli.objects import write_objects
    from qsched.cli.progress import now
    from qsched.cli.render_backends import backend_table
    from qsched.sdk import Client

    given = settings(context, store=store, fleet=fleet, output=output)
    with Client.local(store=given.store, fleet=given.fleet, engine=False) as client:
        known = client.backends()
    chosen = [named(known, name) for name in names] if names else known
    if given.machine:
        one = names is not None and len(names) == 1
        write_objects(given, chosen, [backend.metadata.name for backend in chosen], one=one)
    else:
        given.terminal.out.print(backend_table(chosen, now()))


def show(
    context: typer.Context,
    *,
    backend: Annotated[str, typer.Argument(metavar="BACKEND", help="A backend's name.")],
    every_qubit: Annotated[bool, typer.Option("--qubits", help="List each qubit and coupler too.")] = False,
    fleet: FleetOption = None,
    output: OutputOption = None,
) -> None:
    """Show a backend's newest calibration."""
    from qsched.cli.calibrations import calibration_json, calibration_of, named
    from qsched.cli.progress import now
    from qsched.cli.render_calibration import calibration_view
    from qsched.errors import InvalidInput
    from qsched.fleet.fleet_file import load_fleet

    given = settings(context, fleet=fleet, output=output)
    calibration = calibration_of(named(load_fleet(given.fleet), backend))
    if given.output is Output.name:
        given.terminal.write(calibration.id)
    elif given.output is Output.json:
        given.terminal.write(calibration_json(calibration))
    elif given.output is Output.yaml:
        raise InvalidInput("a calibration is written as json: use -o json")
    else:
        given.terminal.out.print(calibration_view(calibration, now(), every_qubit=every_qubit))
