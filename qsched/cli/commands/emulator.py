"""``qsched emulator``: a cloud's stand-in on this machine, to try things without an account."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qsched.cli.settings import Output, OutputOption, settings

if TYPE_CHECKING:
    from qsched.cli.settings import Settings

Name = Literal["ibm", "braket", "azure"]

_TITLES = {"ibm": "IBM Quantum", "braket": "Amazon Braket", "azure": "Azure Quantum"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Fleet")(emulator)


def emulator(
    context: typer.Context,
    *,
    name: Annotated[Name, typer.Argument(help="Whose interface it speaks.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="On loopback; a free one by default.")] = 0,
    pace: Annotated[float, typer.Option(min=0, help="Multiplies how long tasks wait and run.")] = 1.0,
    output: OutputOption = None,
) -> None:
    """Stand in for a cloud, with Aer twins behind its wire format, until Ctrl-C."""
    import asyncio

    from qsched.errors import InvalidInput

    given = settings(context, output=output)
    try:
        from qsched_emulators.serve import serve
    except ImportError as error:
        raise InvalidInput(
            f"the emulators need a package that is missing ({error.name}): pip install 'qsched[emulators]'"
        ) from error
    try:
        asyncio.run(serve(name, port=port, pace=pace, told=lambda what: _tell(given, what)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        given.terminal.note("stopped")
    except OSError as error:
        raise InvalidInput(
            f"cannot listen on port {port}: {error.strerror}; choose another --port"
        ) from error


def _tell(given: Settings, what: dict[str, Any]) -> None:
    """Say where it is and what to do with it; for machines as one object."""
    if given.output is Output.json:
        given.terminal.write(json.dumps(what))
        return
    given.terminal.write("\n".join(_lines(what)))


def _lines(what: dict[str, Any]) -> list[str]:
    name = what["name"]
    options = " ".join(
        f"--parameter {shlex.quote(f'{key}={_given(value)}')}" for key, value in what["parameters"].items()
    )
    return [
        f"{_TITLES[name]} is stood in for at {what['url']}; Ctrl-C ends it.",
        f"Devices: {', '.join(what['devices'])}",
        "",
        "In another terminal:",
        *(f"  export {key}={shlex.quote(value)}" for key, value in what["environment"].items()),
        f"  qsched discover {name} {options} --output {name}.yaml",
        f"  qsched --fleet {name}.yaml backends",
        f"  qsched --fleet {name}.yaml run examples/ghz.yaml",
    ]


def _given(value: object) -> str:
    """A parameter's value as ``qsched discover`` reads it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
