"""The Azure driver: tasks as jobs of an Azure Quantum workspace."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import OrderedDict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qsched.drivers import (
    DeviceInfo,
    DeviceStatus,
    NoCalibration,
    NotFound,
    PartlyTaken,
    Rejected,
    RemoteTask,
    TaskStatus,
    Unavailable,
)
from qsched.drivers.blocking import Blocking
from qsched.drivers.parameters import read_parameters
from qsched.presets.published import read_published
from qsched_azure.collect import fetch, note_of, task_result
from qsched_azure.errors import translate
from qsched_azure.jobs import Job, Note, ids_of, job_ids, remote_id, together
from qsched_azure.orders import orders
from qsched_azure.parameters import AzureParameters, check, read_credentials
from qsched_azure.several import all_of, keep
from qsched_azure.submissions import Submissions
from qsched_azure.targets import pick, published_name, refuse_other_paradigm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsched.drivers import Calibration, Task, TaskResult
    from qsched_azure.service import Service
    from qsched_azure.targets import Target


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if not _is_there("azure.quantum"):
    raise ModuleNotFoundError("the package azure-quantum is not installed", name="azure.quantum")


class AzureDriver:
    """Targets of IonQ, Quantinuum and Rigetti in one Azure Quantum workspace.

    Each circuit of a task is a job, whose id is made from the token: nothing about a task lives in this
    driver only. Circuits that qsched transpiled go as native programs, others are compiled by the provider.
    """

    def __init__(
        self, parameters: Mapping[str, Any] | None = None, credentials: Mapping[str, str] | None = None
    ) -> None:
        """Connect to nothing yet.

        Args:
            parameters: A backend's ``parameters``: see ``AzureParameters``.
            credentials: What its Secret holds: see ``Credentials``; the chain of Azure's own client if None.

        Raises:
            InvalidInput: If the parameters, or the keys of the Secret, are wrong.
        """
        self._parameters = read_parameters(parameters or {}, AzureParameters, driver="azure")
        check(self._parameters)
        self._credentials = read_credentials(credentials)
        self._blocking = Blocking(
            "azure",
            limit=self._parameters.concurrency,
            translate=translate,
            secrets=self._credentials.secrets(),
        )
        self._submissions = Submissions(self._blocking)
        self._service: Service | None = None
        self._connecting = asyncio.Lock()
        self._targets: Sequence[Target] = ()
        # Neither is needed: they save requests, and bridge those that fail.
        self._done: OrderedDict[str, Job] = OrderedDict()
        self._told: OrderedDict[str, TaskStatus] = OrderedDict()

    async def devices(self) -> Sequence[DeviceInfo]:
        """The workspace's targets that take gate circuits, those of which nobody tells the width left out."""
        location = (await self._connected()).location
        return [
            DeviceInfo(
                device=target.name,
                qubits=target.qubits,
                simulator=target.simulator,
                description=target.description,
                provider=target.provider,
                location=location,
            )
            for target in await self._ask_targets()
            if target.usable and target.qubits
        ]

    async def status(self, device: str) -> DeviceStatus:
        """A target's availability, and the average wait there; Azure does not tell how many jobs wait."""
        refuse_other_paradigm(device)
        target = pick(await self._ask_targets(), device)
        online = target.availability in {"Available", "Degraded"}
        words = {
            "Available": "",
            "Degraded": "degraded, says Azure",
            "Deleted": "retired; choose another target",
        }
        message = words.get(target.availability, f"Azure calls it {target.availability}")
        return DeviceStatus(online=online, queue_wait_s=target.queue_s, message=message)

    async def calibration(self, device: str) -> Calibration:
        """Figures that the target's maker publishes, as ``qsched.presets`` has them: Azure gives none.

        Raises:
            NoCalibration: If there are none, as for simulators.
        """
        await self._known(device)
        name = published_name(device)
        if name is None:
            raise NoCalibration(
                f"Azure gives no calibration, and qsched has no published figures of {device}"
            )
        return dataclasses.replace(await asyncio.to_thread(read_published, name), device=device)

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Submit a job for each circuit, that of the first one last.

        Raises:
            Rejected: If a circuit cannot run on the target, or the task asks for readout mitigation or
                dynamical decoupling.
            NotFound: If there is no such target.
        """
        target = await self._known(task.device)
        if not target.usable:
            raise Rejected(f"{task.device} is retired; choose another target")
        ordered = await self._blocking.call(orders, task, token, target)
        job = await self._submissions.submit(await self._connected(), task, ordered)
        remote = RemoteTask(remote_id=remote_id([order.id for order in ordered]), state=job.state)
        self._tell(TaskStatus(remote_id=remote.remote_id, state=remote.state))
        return remote

    async def find(self, token: str) -> RemoteTask | None:
        """The task whose first job is there: it was made last, and the second one before all others.

        Raises:
            PartlyTaken: If the second one is there and the first one is not.
        """
        service = await self._connected()
        first, second = job_ids(token, 2)
        job = await self._blocking.call(service.job, first)
        if job is None:
            other = await self._blocking.call(service.job, second)
            if other is None or other.state == "Cancelled":
                return None
            raise PartlyTaken(f"Azure has job {second} of the task, and not yet {first}; submit it again")
        try:
            circuits = Note.read(job.metadata).circuits
        except ValueError as error:
            raise Unavailable(f"job {first} cannot be told for a task: {error}") from error
        return RemoteTask(remote_id=remote_id(job_ids(token, circuits)), state=job.state)

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where tasks are; where one of a task's jobs failed, those that have not ended are stopped.

        A task that cannot be asked about now is where it was last.

        Raises:
            DriverError: If no task can be asked about, or one of which nothing was heard before.
        """
        answers = await asyncio.gather(*(self._poll(each) for each in ids), return_exceptions=True)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        statuses = []
        for remote, answer in zip(ids, answers, strict=True):
            if not isinstance(answer, BaseException):
                statuses.append(answer)
            elif len(errors) < len(ids) and remote in self._told:
                statuses.append(self._told[remote])
            else:
                raise answer
        return [status for status in statuses if status is not None]

    async def result(self, remote_id: str) -> TaskResult:
        """Counts, and what the provider tells of time and cost.

        Raises:
            NotFound: If the task is not known, or has not succeeded.
            Unavailable: If a result is not there yet, or cannot be read.
        """
        ids = ids_of(remote_id)
        service = await self._connected()
        # Asked anew, since what a job cost may be known later than that it has ended.
        jobs = [job for job in await self._jobs(ids, remembered=False) if job is not None]
        if not ids or len(jobs) < len(ids) or not all(job.state == "Succeeded" for job in jobs):
            raise NotFound(f"task {remote_id!r} has no result")
        notes = [note_of(job) for job in jobs]
        counted = await all_of(
            self._blocking.call(fetch, service, job, note) for job, note in zip(jobs, notes, strict=True)
        )
        return task_result(remote_id, jobs, notes, counted)

    async def cancel(self, remote_id: str) -> None:
        """Stop every job of a task."""
        await self._cancel(ids_of(remote_id))

    async def aclose(self) -> None:
        """Wait for the requests that are under way, and close every connection."""
        await self._blocking.aclose()
        service, self._service = self._service, None
        if service is not None:
            service.close()

    async def _connected(self) -> Service:
        async with self._connecting:
            if self._service is None:
                self._service = await self._blocking.call(_connect, self._parameters, self._credentials)
            return self._service

    async def _ask_targets(self) -> Sequence[Target]:
        service = await self._connected()
        self._targets = await self._blocking.call(service.targets)
        return self._targets

    async def _known(self, device: str) -> Target:
        """A target by its name; the workspace is asked only about one that it did not tell of before."""
        refuse_other_paradigm(device)
        for target in self._targets:
            if target.name == device:
                return target
        return pick(await self._ask_targets(), device)

    async def _poll(self, remote: str) -> TaskStatus | None:
        ids = ids_of(remote)
        jobs = await self._jobs(ids)
        known = [job for job in jobs if job is not None]
        if not known:
            return None
        if any(job.state in {"Failed", "Cancelled"} for job in known):
            await self._cancel([job.id for job in known if not job.done])
        state, message = together(jobs)
        return self._tell(TaskStatus(remote_id=remote, state=state, message=self._blocking.clean(message)))

    def _tell(self, status: TaskStatus) -> TaskStatus:
        keep(self._told, status.remote_id, status)
        return status

    async def _jobs(self, ids: Sequence[str], *, remembered: bool = True) -> list[Job | None]:
        service = await self._connected()

        async def ask(job_id: str) -> Job | None:
            if remembered and job_id in self._done:
                return self._done[job_id]
            job = await self._blocking.call(service.job, job_id)
            if job is not None and job.done:
                keep(self._done, job_id, job)
            return job

        return await all_of(ask(job_id) for job_id in ids)

    async def _cancel(self, ids: Sequence[str]) -> None:
        service = await self._connected()
        await all_of(self._blocking.call(service.cancel, job_id) for job_id in ids)


def _connect(parameters: AzureParameters, credentials: Any) -> Service:
    from qsched_azure.service import Service

    return Service(parameters, credentials)
