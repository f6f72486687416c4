"""The global options, which may stand before or after the command's name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qsched.cli.terminal import Terminal


class Output(StrEnum):
    """How objects are written."""

    table = "table"
    json = "json"
    yaml = "yaml"
    name = "name"


StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="The database of jobs.", show_default="in your data folder"),
]
FleetOption = Annotated[
    Path | None,
    typer.Option("--fleet", metavar="FILE", help="A YAML file of QuantumBackends.", show_default="built in"),
]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The jobs' namespace, or 'default'."),
]
OutputOption = Annotated[
    Output | None,
    typer.Option("--output", "-o", help="How to write what was asked for.", show_default="table"),
]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the global options say.

    Attributes:
        terminal: Where output goes.
        store: The database, or None for the user's own.
        fleet: The file of backends, or None for the built-in fleet.
        namespace: The namespace that was named, or None.
        output: How objects are written, or None for people.
    """

    terminal: Terminal
    store: Path | None = None
    fleet: Path | None = None
    namespace: str | None = None
    output: Output | None = None

    @property
    def machine(self) -> bool:
        """Whether the output is for a program."""
        return self.output not in {None, Output.table}


def settings(
    context: typer.Context,
    *,
    store: Path | None = None,
    fleet: Path | None = None,
    namespace: str | None = None,
    output: Output | None = None,
) -> Settings:
    """The global options of this call; those after the command's name win over those before it."""
    base = context.find_object(Settings)
    assert base is not None
    return Settings(
        terminal=base.terminal,
        store=store or base.store,
        fleet=fleet or base.fleet,
        namespace=namespace or base.namespace,
        output=output or base.output,
    )
