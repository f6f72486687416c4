"""``qsched controller``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated, Literal

import typer

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel="Kubernetes")(controller)


def controller(
    *,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The controller's own; that of the context.")
    ] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="By default as kubectl, or the pod's own.")] = None,
    context: Annotated[str | None, typer.Option(help="The context in the kubeconfig.")] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /healthz, /readyz and /metrics are.")
    ] = "127.0.0.1:8080",
    work_dir: Annotated[
        Path | None, typer.Option(help="For files while it runs; a temporary folder.")
    ] = None,
    identity: Annotated[str | None, typer.Option(help="Its name in the lease; the pod's name.")] = None,
    results: Annotated[
        str | None, typer.Option(metavar="URI", help="Where results go whose jobs name no place.")
    ] = None,
    uri_schemes: Annotated[str, typer.Option(help="The kinds of URI that jobs may name, with commas.")] = "",
    pod_lead: Annotated[
        float, typer.Option(help="Seconds before its slot opens at which a hybrid job's pods may start.")
    ] = 30.0,
    task_image: Annotated[
        str,
        typer.Option(envvar="QSCHED_IMAGE", help="Runs simulators whose backend names no image."),
    ] = "",
    log_format: Annotated[LogFormat, typer.Option(help="For machines or for people.")] = "json",
    log_level: Annotated[LogLevel, typer.Option(help="From which on lines are written.")] = "info",
) -> None:
    """Schedule the QuantumCircuitJobs of a cluster; of several controllers, one leads."""
    import asyncio

    from qsched.cli.controlling import Wishes, control
    from qsched.kube.logs import configure_logs

    wishes = Wishes(
        namespace=namespace,
        kubeconfig=kubeconfig,
        context=context,
        listen=listen,
        work_dir=work_dir,
        identity=identity,
        results=results,
        schemes=[each.strip() for each in uri_schemes.split(",") if each.strip()],
        pod_lead_s=pod_lead,
        image=task_image,
    )
    configure_logs(log_format, log_level)
    asyncio.run(control(wishes))
