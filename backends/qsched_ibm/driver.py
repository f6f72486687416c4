"""The IBM driver: tasks as sampler jobs of IBM Quantum."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qsched.drivers import DeviceStatus, DriverError, Unavailable
from qsched.drivers.blocking import Blocking
from qsched.drivers.parameters import read_parameters
from qsched_ibm.devices import calibration, device_info, device_status
from qsched_ibm.link import Link
from qsched_ibm.parameters import IbmParameters, check, read_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsched.drivers import (
        Calibration,
        DeviceInfo,
        RemoteTask,
        Task,
        TaskResult,
        TaskStatus,
    )
    from qsched_ibm.jobs import Jobs

if find_spec("qiskit_ibm_runtime") is None:
    raise ModuleNotFoundError("the package qiskit-ibm-runtime is not installed", name="qiskit_ibm_runtime")

_CONNECTIONS = 8
_ONE_BY_ONE = 2
"""Up to so many jobs are asked for one at a time, more by a list."""

_REPEAT_AFTER_S = 5.0
"""A submission is made a second time, if it proves to have failed within this time."""

_LOOK_AGAIN_S = 0.5
"""How often the list of jobs is read for a job that may be missing from it."""

_GIVEN_UP_S = 5.0
"""How long after its last caller went a submission may still begin to be sent; with the time limits of a
request it ends within the 30 s that a driver has."""


@dataclass(slots=True)
class _Submission:
    """A submission under way, and who waits for it."""

    waiting: int = 0
    given_up_s: float | None = None
    work: asyncio.Task[RemoteTask] | None = None

    def may_still(self) -> bool:
        """Whether somebody waits, or did a moment ago."""
        return self.given_up_s is None or time.monotonic() - self.given_up_s < _GIVEN_UP_S


class IbmDriver:
    """Devices of IBM Quantum.

    Whatever a later process needs of a task is with its job: the token and qsched's mark as tags, hashes and
    registers in the metadata of the circuits, which come back with the result.
    """

    def __init__(self, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None = None) -> None:
        """Connect to nothing yet.

        Args:
            parameters: A backend's ``parameters``: see ``IbmParameters``.
            credentials: Its Secret, with the API key as ``token``; without one the client's own chain
                is used: environment variables, then a saved account.

        Raises:
            InvalidInput: If they are wrong.
        """
        it = read_parameters(parameters, IbmParameters, driver="ibm")
        check(it)
        token = read_credentials(credentials)
        self._mode = it.mode
        self._link = Link(it, token, connections=_CONNECTIONS)
        self._calls = Blocking(
            "ibm", limit=_CONNECTIONS, translate=self._link.translate, secrets=[token] if token else []
        )
        self._made: Jobs | None = None
        self._making = threading.Lock()
        self._submissions: dict[str, _Submission] = {}

    async def devices(self) -> Sequence[DeviceInfo]:
        """Every device of the instance; the mocks that IBM offers for dry runs are none."""

        def listed() -> list[DeviceInfo]:
            entries = self._link.client().list_backends()
            return [device_info(each, self._link.location) for each in entries if each.get("class") != "mock"]

        return await self._calls.call(listed)

    async def status(self, device: str) -> DeviceStatus:
        """Whether a device runs this account's jobs, and how many wait there."""

        def asked() -> DeviceStatus:
            try:
                told = device_status(device, self._link.client().device_status(device))
            except Exception as error:
                raise self._link.missing(device, error) from error
            if told.online and (words := self._link.used_up()):
                return DeviceStatus(online=False, queue_depth=told.queue_depth, message=words)
            return told

        return await self._calls.call(asked)

    async def calibration(self, device: str) -> Calibration:
        """A device's properties as they are now."""

        def asked() -> Calibration:
            configuration = self._link.configuration(device)
            made = calibration(device, configuration, self._link.client().backend_properties(device))
            self._link.forget_if_older(device, made.taken_at)
            return made

        return await self._calls.call(asked)

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Hand over a task, once for its token.

        Raises:
            Rejected: If IBM's sampler does not take the task.
            NotFound: If there is no such device.
        """
        submission = self._submissions.get(token)
        if submission is None:
            submission = self._submissions[token] = _Submission()
            submission.work = asyncio.create_task(self._submit(task, token, submission.may_still))
            submission.work.add_done_callback(lambda work: self._submitted(token, work))
        assert submission.work is not None
        submission.waiting += 1
        submission.given_up_s = None
        try:
            # Shielded, because another caller with the same token may wait for it too.
            return await asyncio.shield(submission.work)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if submission.work.cancelled() and caller is not None and not caller.cancelling():
                raise Unavailable("the ibm driver was closed during the submission") from None
            raise
        finally:
            submission.waiting -= 1
            if not submission.waiting:
                submission.given_up_s = time.monotonic()

    async def find(self, token: str) -> RemoteTask | None:
        """The job with the token's tag, once no submission of it is under way."""
        submission = self._submissions.get(token)
        if submission is not None and submission.work is not None:
            await asyncio.wait([submission.work])
        return await self._find(token)

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where jobs are: many by one list, and those that are not on it one by one."""
        wanted = set(ids)
        found: list[TaskStatus] = []
        if len(wanted) > _ONE_BY_ONE:
            found = await self._calls.call(lambda: self._jobs().newest(wanted))
        rest = sorted(wanted - {each.remote_id for each in found})
        answers = await asyncio.gather(*map(self._status, rest), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            if answer is not None:
                found.append(answer)
        return found

    async def result(self, remote_id: str) -> TaskResult:
        """Counts of a job that succeeded, and the seconds that IBM bills for it."""
        return await self._calls.call(lambda: self._jobs().result(remote_id))

    async def cancel(self, remote_id: str) -> None:
        """Stop a job."""
        await self._calls.call(lambda: self._jobs().cancel(remote_id))

    async def aclose(self) -> None:
        """Wait for the requests that are under way, and close the connections."""
        works = [each.work for each in self._submissions.values() if each.work is not None]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        if self._made is not None:
            with contextlib.suppress(DriverError):  # IBM closes what is idle
                await self._calls.call(self._made.close)
        await self._calls.aclose()
        self._link.close()

    async def _submit(self, task: Task, token: str, may_still: Callable[[], bool]) -> RemoteTask:
        found = await self._find(token)
        if found is not None:
            return found
        try:
            return await self._calls.call(lambda: self._jobs().submit(task, token, may_still))
        except Unavailable:
            if not 0 < self._in_doubt_s(token) <= _REPEAT_AFTER_S:
                raise
        # IBM's own client repeats what such an error ends; here the job is looked for first.
        found = await self._find(token)
        if found is not None:
            return found
        return await self._calls.call(lambda: self._jobs().submit(task, token, may_still))

    async def _status(self, remote_id: str) -> TaskStatus | None:
        return await self._calls.call(lambda: self._jobs().status(remote_id))

    async def _find(self, token: str) -> RemoteTask | None:
        while True:
            left_s = self._in_doubt_s(token)
            found = await self._calls.call(lambda: self._jobs().find(token))
            if found is not None or left_s <= 0:
                return found
            await asyncio.sleep(min(left_s, _LOOK_AGAIN_S))

    def _in_doubt_s(self, token: str) -> float:
        return 0.0 if self._made is None else self._made.in_doubt_s(token)

    def _submitted(self, token: str, work: asyncio.Task[RemoteTask]) -> None:
        del self._submissions[token]
        if not work.cancelled():
            work.exception()  # seen, even if every caller has gone

    def _jobs(self) -> Jobs:
        """The calls about jobs; in a thread, because they import the client."""
        from qsched_ibm.jobs import Jobs

        with self._making:  # two of them would not know of each other's doubts and sessions
            if self._made is None:
                self._made = Jobs(self._link, self._mode)
            return self._made
