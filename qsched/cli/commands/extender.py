"""``qsched extender``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from qsched.cli.settings import settings


class LogFormat(StrEnum):
    """How log lines are written."""

    json = "json"
    console = "console"


TLS = "Transport security"
ANSWERS = "Answers"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Kubernetes")(extender)


def extender(
    context: typer.Context,
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the scheduler finds it.")
    ] = "127.0.0.1:8888",
    health_listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where probes and metrics are answered too, in plain HTTP."),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The cluster.",
            show_default="KUBECONFIG, the pod's service account, or ~/.kube/config",
        ),
    ] = None,
    kube_context: Annotated[
        str | None, typer.Option("--context", metavar="NAME", help="The context in that file.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its certificate, PEM.", rich_help_panel=TLS)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate's key, PEM.", rich_help_panel=TLS)
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who signs the scheduler's certificate, PEM.", rich_help_panel=TLS),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Listen off loopback without all that.", rich_help_panel=TLS),
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="json for machines, console for people.")
    ] = LogFormat.json,
    nodes_min: Annotated[
        int,
        typer.Option(min=1, help="Fill an answer up with worse nodes to this many.", rich_help_panel=ANSWERS),
    ] = 16,
    nodes_max: Annotated[
        int, typer.Option(min=1, help="Answer with at most this many nodes.", rich_help_panel=ANSWERS)
    ] = 32,
    body_limit: Annotated[
        int,
        typer.Option(min=1, metavar="BYTES", help="The longest request to read.", rich_help_panel=ANSWERS),
    ] = 64 * 2**20,
) -> None:
    """Tell kube-scheduler which nodes reach a pod's quantum backend best, until interrupted."""
    from qsched.errors import InvalidInput

    try:
        import uvloop

        from qsched.kube.logs import configure_logs
        from qsched.kube.serving import Address
        from qsched_extender import Limits, Settings, Tls, serve
    except ModuleNotFoundError as error:
        raise InvalidInput(f"{error.name} is missing: pip install 'qsched[kubernetes]'") from error

    if (tls_cert is None) != (tls_key is None):
        raise InvalidInput("--tls-cert and --tls-key belong together: give both, or neither")
    if client_ca is not None and tls_cert is None:
        raise InvalidInput("--client-ca needs TLS: give --tls-cert and --tls-key too")
    if nodes_min > nodes_max:
        raise InvalidInput(
            f"--nodes-min {nodes_min} is above --nodes-max {nodes_max}: lower it, or raise the other"
        )
    given = settings(context)
    chosen = Settings(
        listen=Address.parse(listen),
        health=Address.parse(health_listen) if health_listen else None,
        tls=Tls(tls_cert, tls_key, client_ca) if tls_cert and tls_key else None,
        insecure=insecure,
        kubeconfig=kubeconfig,
        context=kube_context,
        limits=Limits(nodes_min, nodes_max),
        body_limit=body_limit,
    )

    def started(url: str) -> None:
        given.terminal.note(f"answering on {url}; Ctrl-C stops")

    configure_logs(log_format.value, "info")
    uvloop.run(serve(chosen, started))
    given.terminal.note("stopped")
