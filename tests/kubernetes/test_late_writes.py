"""What a controller sent just before it was stopped reaches the server after the next one has written."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from qsched.kube.api import Api
from qsched.kube.events import Recorder
from qsched.kube.objects import FINALIZER, JobObject, job_path
from qsched.kube.queue import WorkQueue
from qsched.kube.writer import Writer
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.state import Policy, State
from qsched.store.protocol import Update
from tests.kubernetes.controllers import ACCOUNT, apply, job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.rig import Cluster


async def test_a_write_that_comes_late_undoes_nothing(cluster: Cluster) -> None:
    cluster.install_chart()
    contested = job("contested")
    contested["metadata"]["finalizers"] = [FINALIZER]
    apply(cluster, contested)
    path = job_path("default", "contested")
    api = await Api.connect(cluster.kubeconfig(ACCOUNT))
    try:
        found = msgspec.json.decode(await api.get(path), type=JobObject)
        asked: list[bool] = []

        def led_at_first() -> bool:
            asked.append(not asked)
            return asked[-1]

        old = writer(api, led_at_first, found)
        new = writer(api, lambda: True, found)
        uid = found.metadata.uid or ""
        new.take(Update(uid=uid, phase="Failed", state=state(uid, "Failed"), settled=True, finished_at=1.7e9))
        old.take(Update(uid=uid, phase="Pending", state=state(uid, "Pending"), settled=False))
        old.hurry()
        await work(new, until=lambda: new.writes == 1)
        await work(old, until=lambda: len(asked) > 0)
        left = msgspec.json.decode(await api.get(path), type=JobObject)
    finally:
        await api.aclose()
    assert left.status.phase == "Failed"
    assert old.writes == 0


def writer(api: Api, may_write: Callable[[], bool], found: JobObject) -> Writer:
    recorder = Recorder(api, may_write=may_write, clock=time.time)
    made = Writer(api, WorkQueue(), recorder, may_write=may_write, clock=time.time)
    made.see(found.metadata.uid or "", found.metadata)
    return made


def state(uid: str, phase: str) -> bytes:
    made = State(uid=uid, policy=Policy(), created_at=1.7e9, since=1.7e9, reason=phase, message=phase)
    finished_at = 1.7e9 if phase == "Failed" else None
    return encode_state(msgspec.structs.replace(made, phase=phase, finished_at=finished_at))


async def work(writer: Writer, until: Callable[[], bool]) -> None:
    """Let a writer work until something is so, and what it has begun has ended."""
    running = asyncio.ensure_future(writer.run())
    async with asyncio.timeout(30.0):
        while not until() or writer._queue.busy or len(writer._queue):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
