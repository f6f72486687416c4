"""Runs a controller until it is told to end, or may not lead any more."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qsched.drivers.registry import Drivers
from qsched.errors import InvalidInput
from qsched.kube.api import Api
from qsched.kube.controller import PACE, Controller, Options

if TYPE_CHECKING:
    from collections.abc import Sequence


def control(
    *,
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
    listen: str,
    work_dir: Path | None,
    identity: str | None,
    results: str | None,
    schemes: Sequence[str],
    pod_lead_s: float,
    log_format: str,
) -> None:
    """See ``qsched controller``."""
    asyncio.run(
        _control(
            namespace,
            kubeconfig,
            context,
            work_dir,
            identity,
            results=results,
            schemes=schemes,
            lead=pod_lead_s,
        )
    )


async def _control(
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
    work_dir: Path | None,
    identity: str | None,
    *,
    results: str | None,
    schemes: Sequence[str],
    lead: float,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        api = await Api.connect(kubeconfig, context, agent="qsched-controller")
        stack.push_async_callback(api.aclose)
        own = namespace or api.namespace
        if own is None:
            raise InvalidInput("the controller's namespace is not known; name it with --namespace")
        folder = work_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qsched-")))
        given = {"identity": identity, "schemes": tuple(schemes)}
        options = Options(
            namespace=own,
            folder=folder,
            results=results,
            settings=msgspec.structs.replace(PACE, pod_lead_s=lead),
            **{key: value for key, value in given.items() if value},
        )
        controller = Controller(api, options, Drivers())
        await controller.run(stop)
