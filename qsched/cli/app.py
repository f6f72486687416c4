"""The program: global options, the commands, and how every error becomes a message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from qsched.cli.commands import (
    admin,
    cluster,
    discover,
    emulator,
    explain,
    extender,
    fleet,
    inspect,
    report,
    run,
)
from qsched.cli.settings import (
    FleetOption,
    NamespaceOption,
    OutputOption,
    Settings,
    StoreOption,
)
from qsched.cli.terminal import Terminal, print_error
from qsched.errors import QschedError

INTERRUPTED = 130
BROKEN_PIPE = 141  # what a shell reports for a program that a closed pipe ended
UNAVAILABLE = 3
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

EPILOG = "Exit codes: 0 done, 1 a job failed, 2 bad input, 3 something is unavailable."


class _Program(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors that are not ours to fix end in a message, not in a traceback."""
        try:
            try:
                result = super().invoke(ctx)
            finally:
                if isinstance(ctx.obj, Settings):
                    ctx.obj.terminal.close()
            sys.stdout.flush()
        except QschedError as error:
            try:
                print_error(error, Terminal().err)
                sys.stderr.flush()
            except OSError:  # who does not read the message gets the exit code all the same
                _silence(sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            Terminal().note(
                "interrupted; jobs that were submitted stay stored: the next 'qsched run' goes on with them, "
                "'qsched cancel' ends them"
            )
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            _silence(sys.stdout)
            raise typer.Exit(BROKEN_PIPE) from error
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            _silence(sys.stdout)
            with suppress(OSError):
                Terminal().note(f"the output cannot be written: {error.strerror}; make room for it")
            raise typer.Exit(UNAVAILABLE) from error
        return result


def _silence(stream: Any) -> None:
    """Send what is still buffered nowhere, so that Python does not complain when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


app = typer.Typer(
    name="qsched",
    cls=_Program,
    help="Schedule hybrid quantum-classical work, and explain every choice.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        from qsched import __version__

        typer.echo(f"qsched {__version__}")
        raise typer.Exit


@app.callback()
def program(
    context: typer.Context,
    *,
    store: StoreOption = None,
    fleet: FleetOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = None,
    svg: Annotated[Path | None, typer.Option("--svg", hidden=True)] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Schedule hybrid quantum-classical work, and explain every choice."""
    del version
    context.obj = Settings(Terminal(svg), store, fleet, namespace, output)


run.register(app)
inspect.register(app)
explain.register(app)
report.register(app)
fleet.register(app)
discover.register(app)
emulator.register(app)
admin.register(app)
cluster.register(app)
extender.register(app)
