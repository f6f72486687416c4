"""``qsched backends``, ``qsched backends pricing`` and ``qsched calibrations show``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from qsched.cli.settings import FleetOption, Output, OutputOption, StoreOption, settings

LIST = "list"
TOO_OLD = 1


class _ListByDefault(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take whatever is neither a command nor a plea for help as the arguments of ``list``."""
        if not args or (args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx)):
            args = [LIST, *args]
        return super().parse_args(ctx, args)


backends = typer.Typer(
    cls=_ListByDefault,
    help="List backends: size, errors, queue, price, and whether they take tasks; or the price presets.",
    epilog="'qsched backends [BACKEND]...' is short for 'qsched backends list [BACKEND]...'.",
)
calibrations = typer.Typer(help="Measured properties of devices.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    backends.command(LIST)(listing)
    backends.command()(pricing)
    app.add_typer(backends, name="backends", rich_help_panel="Fleet")
    calibrations.command()(show)
    app.add_typer(calibrations, name="calibrations", rich_help_panel="Fleet")


def listing(
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


def pricing(
    context: typer.Context,
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say how old they are; exit with 1 if one should be looked up again."),
    ] = False,
    output: OutputOption = None,
) -> None:
    """List the price presets, which hold for backends whose manifest has no pricing of its own."""
    import msgspec

    from qsched.api.yaml_text import yaml_text
    from qsched.cli import words
    from qsched.cli.progress import now
    from qsched.cli.render_pricing import age_table, is_old, preset_table
    from qsched.presets.pricing import OLD_AFTER_DAYS, price_presets, priced_drivers

    given = settings(context, output=output)
    known = [(driver, preset) for driver in priced_drivers() for preset in price_presets(driver)]
    today = now().date()
    if given.output is Output.name:
        given.terminal.write("\n".join(f"{driver}/{preset.name}" for driver, preset in known))
    elif given.machine:
        plain = [{"driver": driver, **msgspec.to_builtins(preset)} for driver, preset in known]
        as_json = msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
        given.terminal.write(yaml_text(plain) if given.output is Output.yaml else as_json)
    else:
        given.terminal.out.print(age_table(known, today) if check else preset_table(known))
    old = sum(is_old(preset, today) for _, preset in known)
    if check and old:
        given.terminal.note(
            f"{words.count(old, 'price')} older than {OLD_AFTER_DAYS} days: look them up, and write what has "
            "changed as spec.pricing into your manifests"
        )
        raise typer.Exit(TOO_OLD)


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
