"""Runs a controller until it is told to end, or may not lead any more."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qsched.errors import InvalidInput
from qsched.kube.acceptance import SCHEMES
from qsched.kube.api import Api
from qsched.kube.controller import PACE, Controller, Options, own_identity
from qsched.kube.drivers import ClusterDrivers
from qsched.kube.metrics import Metrics
from qsched.kube.serving import Address, serving
from qsched.kube.task_cluster import ApiTaskCluster
from qsched.kube.tracing import tracing

if TYPE_CHECKING:
    from collections.abc import Sequence


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What ``qsched controller`` was told; None where the default is to be found out."""

    namespace: str | None
    kubeconfig: Path | None
    context: str | None
    listen: str
    work_dir: Path | None
    identity: str | None
    results: str | None
    schemes: Sequence[str]
    pod_lead_s: float
    image: str


async def control(wishes: Wishes) -> None:
    """Run a controller until a signal ends it.

    Raises:
        InvalidInput: If the configuration is wrong.
        LeaseLost: If another controller may lead by now.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    address = Address.parse(wishes.listen)
    async with AsyncExitStack() as stack:
        tracer = await stack.enter_async_context(tracing())
        api = await Api.connect(wishes.kubeconfig, wishes.context, agent="qsched-controller")
        stack.push_async_callback(api.aclose)
        namespace = wishes.namespace or api.namespace
        if namespace is None:
            raise InvalidInput("the controller's namespace is not known; name it with --namespace")
        folder = wishes.work_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qsched-")))
        options = Options(
            namespace=namespace,
            folder=folder,
            identity=wishes.identity or own_identity(),
            results=wishes.results,
            schemes=wishes.schemes or SCHEMES,
            settings=msgspec.structs.replace(PACE, pod_lead_s=wishes.pod_lead_s),
        )
        metrics = Metrics()
        drivers = ClusterDrivers(ApiTaskCluster(api, namespace, image=wishes.image))
        controller = Controller(api, options, drivers, metrics, tracer)
        await stack.enter_async_context(
            serving(
                address,
                health={},
                ready={},
                registry=metrics.registry,
                role=lambda: "leader" if controller.leads() else "standby",
            )
        )
        await controller.run(stop)
