"""The Aer driver of a cluster: every task is a Kubernetes Job."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from qsched.api.quantities import utc
from qsched.drivers import DeviceStatus, NotFound, RemoteTask, Unavailable
from qsched.drivers.parameters import read_parameters
from qsched.drivers.workers import WorkerDiedError, WorkerPool
from qsched_aer import task_objects as objects
from qsched_aer.catalog import AerDevices, device_calibration
from qsched_aer.parameters import AerParameters, refuse_credentials
from qsched_aer.parcel import Packed, pack, unpack_result
from qsched_aer.simulate import Limits
from qsched_aer.task_pod import task_pod
from qsched_aer.task_states import (
    CANCELLED,
    Job,
    Pod,
    is_owned_by,
    read_job,
    read_jobs,
    read_pods,
    read_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from qsched.drivers import Task, TaskResult, TaskStatus
    from qsched_aer.task_cluster import Kind, TaskCluster

log = structlog.get_logger(__name__)

_PACE_S = 0.5
"""How long an answer of ``poll`` holds: new tasks are asked for far more often, and pods start in seconds."""

_SELECTED = 100
"""Tasks that one selector names: it is part of a URL, and some proxies end those at 8 KiB."""

_START_S = 120.0
"""How long a container may fail to start, while a registry is down for example, before its task fails."""

_LOOK_S = 20.0
"""How often pods that have not started are looked at."""

_ROLE_UNKNOWN_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses while the part of the API server that checks bindings hears of the Role."""

_ABANDONED_S = 900.0
"""No submission takes so long: a Job that is older and was never let go has lost its controller."""


class AerJobsDriver(AerDevices):
    """Twins of calibrated devices and an ideal simulator, each task in a pod of its own.

    Nothing is kept here: what a task is, and whether it was cancelled, is written on its Job, so that any
    controller can take over. A task is there from the moment that its Job is let go; one that was left half
    made is unknown to ``find``, and completed by a second ``submit``.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        *,
        cluster: TaskCluster,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Ask nothing yet.

        Args:
            parameters: A backend's ``parameters``: see ``AerParameters``.
            credentials: Refused: a simulation needs none.
            cluster: Where tasks run. It is not closed with this driver.
            clock: Unix time in seconds.

        Raises:
            InvalidInput: If the parameters are wrong, or name no image and the cluster has none.
        """
        refuse_credentials(credentials)
        it = read_parameters(parameters or {}, AerParameters, driver="aer")
        task_pod("any", 1, it, cluster.image)  # so that a wrong template is refused now
        self._parameters = it
        self._cluster = cluster
        self._clock = clock
        self._limits = Limits(threads=it.pod_threads(), memory_mb=it.memory_mb)
        # Circuits are read in a process of their own: that can take seconds without letting the loop go on.
        self._readers = WorkerPool(1)
        self._polled: dict[str, tuple[float, TaskStatus]] = {}
        self._looked_s = 0.0
        self._closed = False

    async def status(self, device: str) -> DeviceStatus:
        """Always online; the queue is the Jobs for the device that have not ended."""
        await asyncio.to_thread(device_calibration, device)
        labels = f"{objects.TASK_LABEL},{objects.DEVICE_LABEL}={objects.device_label(device)}"
        jobs = read_jobs(await self._cluster.select("jobs", labels, "status.successful=0"))
        await self._sweep(jobs)
        return DeviceStatus(online=True, queue_depth=sum(not (job.ended or job.going) for job in jobs))

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Make a Job, what it owns, and let it go.

        A twin takes circuits that are transpiled for its device. The ideal simulator takes any, and has no
        readout errors to mitigate.

        Raises:
            Rejected: If a circuit uses a gate or coupler that the device has not, or fits no memory, or
                readout mitigation is asked for and impossible, or the task is larger than a Secret, or the
                API server does not take the Job as the backend's ``podTemplate`` makes it.
            NotFound: If there is no such device.
            Unavailable: If the driver is closed, or the cluster does not answer or has no room now.
            Unauthenticated: If the controller may not make such objects.
        """
        if self._closed:
            raise Unavailable("the Aer driver is closed")
        packed = await self._pack(task, objects.remote_id_of(token))
        job = await self._job(task, token, packed)
        if job.half_made and not job.stopped:
            await self._complete(job, packed)
        return RemoteTask(remote_id=job.metadata.name, state=job.state)

    async def find(self, token: str) -> RemoteTask | None:
        """The Job of a token, if its submission came to its end."""
        body = await self._cluster.read("jobs", objects.remote_id_of(token))
        job = read_job(body) if body is not None else None
        if job is None or job.going or job.half_made:
            return None
        return RemoteTask(remote_id=job.metadata.name, state=job.state)

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where tasks are now, or were less than half a second ago."""
        now_s = self._clock()
        held = {each: it[1] for each in ids if (it := self._polled.get(each)) and now_s - it[0] < _PACE_S}
        tokens = [objects.token_of(each) for each in ids if each not in held]
        jobs = [job for job in await self._jobs(list(filter(None, tokens))) if not job.going]
        pods = await self._pods_of(jobs, now_s)
        asked = [job.task_status([pod for pod in pods if job.has(pod)]) for job in jobs]
        self._polled = {each: it for each, it in self._polled.items() if now_s - it[0] < _PACE_S}
        self._polled |= {status.remote_id: (now_s, status) for status in asked}
        return [*held.values(), *asked]

    async def result(self, remote_id: str) -> TaskResult:
        """Counts of a task that succeeded, and the time that the device itself would have taken."""
        token = objects.token_of(remote_id)
        body = await self._cluster.read("secrets", remote_id) if token is not None else None
        data = read_result(body) if body is not None else None
        if data is None:
            raise NotFound(f"task {remote_id!r} has no result")
        return unpack_result(data)

    async def cancel(self, remote_id: str) -> None:
        """End a task's Job, and with it the pod; the Job stays, so that the token stays cancelled."""
        if objects.token_of(remote_id) is None:
            return
        body = await self._cluster.read("jobs", remote_id)
        if body is None or read_job(body).ended:
            return
        await self._stop(remote_id, CANCELLED)

    async def aclose(self) -> None:
        """Release the process that reads circuits; tasks go on without this driver."""
        self._closed = True
        await self._readers.aclose()

    async def _pack(self, task: Task, remote_id: str) -> Packed:
        try:
            return await self._readers.call(pack, task, remote_id, self._limits)
        except WorkerDiedError as error:
            raise Unavailable(f"the task's circuits could not be read: {error}") from error

    async def _job(self, task: Task, token: str, packed: Packed) -> Job:
        """The token's Job, made if it is not there."""
        pod = task_pod(token, packed.memory_mb, self._parameters, self._cluster.image)
        name = objects.remote_id_of(token)
        body = await self._cluster.create("jobs", objects.job(token, task, pod))
        if body is None:
            body = await self._cluster.read("jobs", name)
        if body is None or (job := read_job(body)).going:
            raise Unavailable(f"Job {name!r} of an earlier submission is being deleted")
        return job

    async def _complete(self, job: Job, packed: Packed) -> None:
        """Make what a Job owns, and let it go."""
        name, uid = job.metadata.name, job.metadata.uid
        *owned, (last, binding) = objects.owned(name, uid, self._cluster.namespace, packed.data)
        outcomes = await asyncio.gather(
            *(self._own(kind, name, uid, body) for kind, body in owned), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        for pause_s in _ROLE_UNKNOWN_S:
            with contextlib.suppress(NotFound):
                await self._own(last, name, uid, binding)
                break
            await asyncio.sleep(pause_s)
        else:
            raise Unavailable(f"the API server does not know Role {name!r} yet, which it has just taken")
        if await self._cluster.change("jobs", name, objects.release()) is None:
            raise Unavailable(f"Job {name!r} was deleted while it was being submitted")

    async def _own(self, kind: Kind, name: str, uid: str, body: Mapping[str, Any]) -> None:
        if await self._cluster.create(kind, body) is not None:
            return
        there = await self._cluster.read(kind, name)
        if there is None or not is_owned_by(there, uid):
            raise Unavailable(f"{kind} {name!r} of an earlier Job of that name is about to be deleted")

    async def _jobs(self, tokens: Sequence[str]) -> list[Job]:
        lists = await asyncio.gather(*(self._cluster.select("jobs", each) for each in _selectors(tokens)))
        return [job for body in lists for job in read_jobs(body)]

    async def _pods_of(self, jobs: Sequence[Job], now_s: float) -> list[Pod]:
        """The pods that tell why a task failed; those that cannot start are seen to on the way."""
        failed = [job for job in jobs if job.state == "Failed" and not job.stopped]
        waiting = []
        if now_s - self._looked_s >= _LOOK_S:
            waiting = [job for job in jobs if _started_s(job, now_s) >= _START_S and job.state == "Queued"]
        pods = await self._pods([*failed, *waiting])
        if waiting:
            self._looked_s = now_s
            await self._give_up(waiting, pods)
        return pods

    async def _pods(self, jobs: Sequence[Job]) -> list[Pod]:
        tokens = [job.token for job in jobs]
        lists = await asyncio.gather(*(self._cluster.select("pods", each) for each in _selectors(tokens)))
        return [pod for body in lists for pod in read_pods(body)]

    async def _give_up(self, waiting: Iterable[Job], pods: Iterable[Pod]) -> None:
        """End the tasks whose containers do not start; a pod that waits for a node may wait on."""
        by_token = {pod.token: pod for pod in pods}
        for job in waiting:
            pod = by_token.get(job.token)
            if pod is None:
                name = job.metadata.name
                log.warning("a task's Job has no pod; 'kubectl describe job' tells why", job=name)
            elif (why := pod.why_it_cannot_start()) and not job.stopped:
                await self._stop(job.metadata.name, why)

    async def _sweep(self, jobs: Iterable[Job]) -> None:
        """End what a controller left half made when it died, so that its time runs out."""
        oldest = utc(self._clock()) - timedelta(seconds=_ABANDONED_S)
        for job in jobs:
            created = job.metadata.creation_timestamp
            if job.half_made and not job.stopped and created is not None and created < oldest:
                log.warning("a submission was never completed; it is removed", job=job.metadata.name)
                await self._stop(job.metadata.name, CANCELLED)

    async def _stop(self, remote_id: str, why: str) -> None:
        await self._cluster.change("jobs", remote_id, objects.stop(why))
        self._polled.pop(remote_id, None)


def _selectors(tokens: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(tokens), _SELECTED):
        yield f"{objects.TASK_LABEL} in ({','.join(tokens[start : start + _SELECTED])})"


def _started_s(job: Job, now_s: float) -> float:
    """Seconds since a Job was let go."""
    started = job.status.start_time
    return now_s - started.timestamp() if started is not None else 0.0
