"""Submitting a task: three requests for each circuit, of which any may fail.

What was done of a submission that failed is remembered, so that the next one with its token goes on from
there; where nothing is remembered, as after a restart, Azure is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.drivers import DriverError, RateLimited, Rejected, Unavailable
from qsched_azure.several import all_of, keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.drivers import Task
    from qsched.drivers.blocking import Blocking
    from qsched_azure.jobs import Job
    from qsched_azure.orders import Order
    from qsched_azure.service import Service


@dataclass(slots=True)
class _Progress:
    """How far the submission of a circuit has come.

    Attributes:
        container_uri: The signed address of its container; empty before it is known.
        uploaded: Whether its program is there.
        tried: Whether a job may have been made of it.
        job: The job that was made.
    """

    container_uri: str = ""
    uploaded: bool = False
    tried: bool = False
    job: Job | None = None


class Submissions:
    """Submits tasks through a driver's threads."""

    def __init__(self, blocking: Blocking) -> None:
        self._blocking = blocking
        self._progress: OrderedDict[str, _Progress] = OrderedDict()

    async def submit(self, service: Service, task: Task, ordered: Sequence[Order]) -> Job:
        """Submit every circuit of a task, the second one first and the first one last; return its job.

        Raises:
            Unavailable: If it is in doubt whether the task was taken, or all of it.
            DriverError: Any other says that nothing was taken, or nothing is left of it.
        """
        first, *others = ordered
        try:
            # By the second one alone ``find`` tells a task that was taken in part.
            for group in (others[:1], others[1:]):
                await self._submit_all(service, task, group)
            job = await self._submit(service, task, first)
        except Unavailable:
            raise
        except DriverError as error:
            await self._take_back(service, ordered, error)
            raise
        for order in ordered:
            self._progress.pop(order.id, None)
        return job

    async def _submit_all(self, service: Service, task: Task, group: Sequence[Order]) -> None:
        ends = await asyncio.gather(
            *(self._submit(service, task, order) for order in group), return_exceptions=True
        )
        errors = [end for end in ends if isinstance(end, BaseException)]
        if errors:
            # One that leaves the task in doubt goes before one that says that it was not taken.
            raise next((error for error in errors if isinstance(error, Unavailable)), errors[0])

    async def _take_back(self, service: Service, ordered: Sequence[Order], error: DriverError) -> None:
        """Stop what was taken of a task that is refused: it would run for nothing.

        Raises:
            Unavailable: If the task was taken in part, and may be completed or taken back later.
        """
        progress = [(order.id, self._progress.get(order.id)) for order in ordered]
        taken = [job_id for job_id, each in progress if each is not None and (each.job or each.tried)]
        doubt = f"the task was taken in part, then: {error}"
        if taken and not isinstance(error, Rejected):
            raise Unavailable(doubt) from error
        try:
            await all_of(self._blocking.call(service.cancel, job_id) for job_id in taken)
        except DriverError as again:
            raise Unavailable(f"{doubt}; what was taken cannot be stopped now: {again}") from error
        for order in ordered:
            self._progress.pop(order.id, None)

    async def _submit(self, service: Service, task: Task, order: Order) -> Job:
        """Submit one circuit; each request ends soon, so that a cancelled call stops soon."""
        progress = self._progress.get(order.id) or _Progress()
        keep(self._progress, order.id, progress)
        if progress.job is not None:
            return progress.job
        try:
            progress.job = await self._go_on(service, task, order, progress)
        except Unavailable:
            raise
        except DriverError:
            progress.container_uri = ""  # its signature may be what was refused
            raise
        return progress.job

    async def _go_on(self, service: Service, task: Task, order: Order, progress: _Progress) -> Job:
        if not progress.container_uri:
            progress.container_uri = await self._blocking.call(service.container, order.id)
        if not progress.uploaded and not progress.tried:
            progress.uploaded = await self._upload(service, order, progress, overwrite=False)
            # What is there already was left by a submission of which nothing is remembered here.
            progress.tried = not progress.uploaded
        if progress.tried:
            job = await self._blocking.call(service.job, order.id)
            if job is not None:
                return job
            progress.tried = False
        if not progress.uploaded:
            progress.uploaded = await self._upload(service, order, progress, overwrite=True)
        return await self._create(service, task, order, progress)

    async def _upload(self, service: Service, order: Order, progress: _Progress, *, overwrite: bool) -> bool:
        return await self._blocking.call(
            service.upload, progress.container_uri, order.program, overwrite=overwrite
        )

    async def _create(self, service: Service, task: Task, order: Order, progress: _Progress) -> Job:
        progress.tried = True
        try:
            return await self._blocking.call(
                service.create,
                order.id,
                name=order.name,
                device=task.device,
                program=order.program,
                shots=task.shots,
                container_uri=progress.container_uri,
                metadata=order.note.metadata(),
                tags=[f"{name}={value}" for name, value in task.tags.items()],
            )
        except RateLimited:
            progress.tried = False
            raise
        except Unavailable:
            # The answer may be all that was lost; a task of many circuits would wait for it in halves.
            with contextlib.suppress(DriverError):
                found = await self._blocking.call(service.job, order.id)
                if found is not None:
                    return found
            raise
        except DriverError:
            progress.tried = False
            raise
