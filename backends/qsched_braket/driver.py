"""The Amazon Braket driver."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

from qsched.drivers import (
    Calibration,
    DeviceInfo,
    DeviceStatus,
    DriverError,
    NotFound,
    PartlyTaken,
    Rejected,
    RemoteState,
    RemoteTask,
    Task,
    TaskResult,
    TaskStatus,
    Unauthenticated,
    Unavailable,
)
from qsched.drivers.blocking import Blocking
from qsched.drivers.circuits import read
from qsched.drivers.parameters import read_parameters
from qsched_braket import tasks
from qsched_braket.calibration import read_calibration
from qsched_braket.devices import Devices
from qsched_braket.errors import translate
from qsched_braket.parameters import BraketParameters, check, read_credentials
from qsched_braket.programs import native_program, plain_program
from qsched_braket.sessions import Sessions
from qsched_braket.tags import Part, part_of, write_tags
from qsched_braket.together import together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsched_braket.capabilities import Device
    from qsched_braket.programs import Program
    from qsched_braket.tasks import QuantumTask

T = TypeVar("T")

_ENDED: frozenset[RemoteState] = frozenset({"Succeeded", "Failed", "Cancelled"})
_REMEMBERED = 4096
_ID_LENGTH = 36
"""Of the id of a quantum task."""


class BraketDriver:
    """Amazon Braket's gate-based devices: QPUs, and the managed simulators.

    Each circuit of a task is one quantum task of Braket's; ``qsched_braket.tags`` says how they belong
    together. Braket makes one quantum task for a client token, which follows from the task's token.
    """

    def __init__(
        self, parameters: Mapping[str, Any] | None = None, credentials: Mapping[str, str] | None = None
    ) -> None:
        """Connect to nothing yet.

        Args:
            parameters: A backend's ``parameters``: see ``BraketParameters``.
            credentials: What its Secret holds: see ``BraketCredentials``; without one, boto3 looks for some.

        Raises:
            InvalidInput: If either is wrong.
        """
        self._parameters = read_parameters(parameters or {}, BraketParameters, driver="braket")
        check(self._parameters)
        keys = read_credentials(credentials)
        secrets = (
            () if keys is None else (keys.access_key_id, keys.secret_access_key, keys.session_token or "")
        )
        self._sessions = Sessions(self._parameters, keys)
        self._blocking = Blocking(
            "Amazon Braket", limit=self._parameters.connections, translate=translate, secrets=secrets
        )
        self._devices = Devices(self._sessions, self._blocking)
        self._told: OrderedDict[str, TaskStatus] = OrderedDict()
        # By their client tokens. A task of more circuits than Braket takes at once goes on with the others.
        self._taken: OrderedDict[str, str] = OrderedDict()

    async def devices(self) -> Sequence[DeviceInfo]:
        """Every gate-based device that is not retired, in the regions that the account may use."""
        return [
            DeviceInfo(
                device=device.arn,
                qubits=device.qubits,
                simulator=device.simulator,
                description=f"{device.name} of {device.provider}",
                provider=device.provider,
                location=device.arn.split(":")[3],
            )
            for device in await self._devices.all()
        ]

    async def status(self, device: str) -> DeviceStatus:
        """Whether the device is online, the tasks in its queue at least, and its windows."""
        told = await self._devices.get(device)
        online = told.state == "ONLINE"
        return DeviceStatus(
            online=online,
            queue_depth=told.queue_depth,
            message="" if online else f"Braket says that {told.name} is {told.state}",
            windows=told.windows(),
        )

    async def calibration(self, device: str) -> Calibration:
        """The figures of a QPU; raises ``NoCalibration`` for a simulator."""
        return read_calibration(await self._devices.get(device))

    async def submit(self, task: Task, token: str) -> RemoteTask:
        """Create a quantum task for each circuit, the first one's last.

        Raises:
            Rejected: If Braket will not take the task, or it asks for what Braket cannot do.
            NotFound: If there is no such device.
        """
        device = await self._devices.lately(task.device)
        _check(task, device)
        programs = await self._blocking.call(_programs, task, device)
        # The head has the most tags and is created last: what is refused then would have run in part.
        write_tags(part_of(token, 0, "", programs[0], ["0" * _ID_LENGTH] * (len(programs) - 1)), task.tags)
        made: list[str] = []
        try:
            remote = await self._create_all(task, token, programs, made)
        except (Rejected, NotFound):
            # So Braket answers too if the head's client token was used for another program: the same circuit
            # transpiled for a newer calibration, after an answer that never came.
            try:
                found = await self.find(token)
            except PartlyTaken:
                found = None
            # Those that were made for another head, or for none, would run for nothing.
            await self._abandon(made, found)
            if found is None:
                raise
            return found
        except Unauthenticated as error:
            if not made:
                raise
            taken = f"{len(made)} of {len(programs)} circuits were taken"
            raise Unavailable(f"{taken}, submit again for the others: {error}") from error.__cause__
        if remote.remote_id not in self._told:
            self._remember(TaskStatus(remote_id=remote.remote_id, state=remote.state))
        return remote

    async def find(self, token: str) -> RemoteTask | None:
        """The head of the token's quantum tasks, in any region.

        Raises:
            PartlyTaken: If there are others of the token, and no head.
        """
        regions = await self._blocking.call(self._sessions.names)
        found = await asyncio.gather(
            *(self._blocking.call(tasks.find, self._sessions, region, token) for region in regions),
            return_exceptions=True,
        )
        # A region that does not answer matters only if no other one has the task.
        arn = next((each for each in found if isinstance(each, str)), None)
        if arn is None:
            errors = [each for each in found if isinstance(each, BaseException)]
            if errors:
                raise next((each for each in errors if isinstance(each, PartlyTaken)), errors[0])
            return None
        status = await self._status(arn)
        return RemoteTask(remote_id=arn, state=status.state if status is not None else "Queued")

    async def poll(self, ids: Sequence[str]) -> Sequence[TaskStatus]:
        """Where tasks are; a task that cannot be asked for now is where it was last.

        Raises:
            DriverError: If some task cannot be asked for, and was not before.
        """
        outcomes = await asyncio.gather(*(self._status(each) for each in ids), return_exceptions=True)
        errors = [each for each in outcomes if isinstance(each, BaseException)]
        statuses: list[TaskStatus] = []
        for remote_id, outcome in zip(ids, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                if len(errors) == len(ids) or remote_id not in self._told:
                    raise outcome
                statuses.append(self._told[remote_id])
            elif outcome is not None:
                statuses.append(outcome)
        return statuses

    async def result(self, remote_id: str) -> TaskResult:
        """Counts of a task that succeeded.

        Braket does not say what a task costs, nor when a QPU began with it.
        """
        parts = await self._parts(remote_id)
        known = [each for each in parts if each is not None and each.part is not None]
        if len(known) < len(parts) or any(each.state != "Succeeded" for each in known) or not known:
            raise NotFound(f"task {remote_id!r} has no result")
        outcomes = await together(self._blocking.call(tasks.fetch, self._sessions, each) for each in known)
        run_s = [each.run_s for each in outcomes if each.run_s is not None]
        ended = [
            at for each, task in zip(outcomes, known, strict=True) if (at := task.ended_at or each.ended_at)
        ]
        return TaskResult(
            remote_id=remote_id,
            counts=tuple(each.counts for each in outcomes),
            shots=tuple(each.shots for each in outcomes),
            transpiled_hashes=tuple(each.part.digest for each in known if each.part is not None),
            run_s=sum(run_s) if len(run_s) == len(outcomes) else None,
            finished_at=max(ended, default=None),
        )

    async def cancel(self, remote_id: str) -> None:
        """Stop the quantum tasks of all circuits."""
        parts = await self._parts(remote_id)
        await self._stop([each.arn for each in parts if each is not None and each.state not in _ENDED])

    async def aclose(self) -> None:
        """Wait for the calls that run, and close every connection."""
        await self._blocking.aclose()
        self._sessions.close()

    async def _create_all(
        self, task: Task, token: str, programs: Sequence[Program], made: list[str]
    ) -> RemoteTask:
        """Create every circuit's quantum task; the ARNs of those before the head go into ``made``."""
        others = await asyncio.gather(
            *(
                self._create(task, part_of(token, number, _digest(task, number, program), program), program)
                for number, program in enumerate(programs)
                if number > 0
            ),
            return_exceptions=True,
        )
        made += [each for each in others if isinstance(each, str)]
        errors = [each for each in others if isinstance(each, BaseException)]
        if errors:
            # One that leaves a circuit in doubt goes before one that says that it was not taken.
            raise next((each for each in errors if isinstance(each, Unavailable)), errors[0])
        ids = [arn.rsplit("/", 1)[1] for arn in made]
        head = part_of(token, 0, _digest(task, 0, programs[0]), programs[0], ids)
        return RemoteTask(remote_id=await self._create(task, head, programs[0]))

    async def _create(self, task: Task, part: Part, program: Program) -> str:
        client_token = _client_token(part, program)
        if client_token in self._taken:
            return self._taken[client_token]
        request = {
            "clientToken": client_token,
            "deviceArn": task.device,
            "shots": task.shots,
            "tags": write_tags(part, task.tags),
        }
        folder = f"{self._parameters.prefix}/{re.sub('[^A-Za-z0-9_.-]', '_', part.token)}"
        arn = await self._blocking.call(
            tasks.create, self._sessions, request, source=program.source, folder=folder
        )
        if not part.is_head:
            _keep(self._taken, client_token, arn)
        return arn

    async def _parts(self, remote_id: str) -> list[QuantumTask | None]:
        """The quantum tasks of all circuits, in order; empty if there is no such task."""
        if not tasks.is_task_arn(remote_id):
            return []
        head = await self._blocking.call(tasks.get, self._sessions, remote_id)
        if head is None:
            return []
        others = await together(self._blocking.call(tasks.get, self._sessions, arn) for arn in head.arns[1:])
        return [head, *others]

    async def _status(self, remote_id: str) -> TaskStatus | None:
        parts = await self._parts(remote_id)
        if not parts:
            return None
        known = [each for each in parts if each is not None]
        live = [each for each in known if each.state not in _ENDED]
        if live and any(each.state in {"Failed", "Cancelled"} for each in known):
            # The others are of no use any more, and cost. Should this fail, the next poll tries again.
            with contextlib.suppress(DriverError):
                await self._stop([each.arn for each in live])
        status = _joined(remote_id, known, missing=len(parts) - len(known))
        self._remember(status)
        return status

    async def _abandon(self, arns: Sequence[str], head: RemoteTask | None) -> None:
        """Stop quantum tasks that a head does not name; raises ``Unavailable`` if they may live on."""
        try:
            parts = await self._parts(head.remote_id) if head is not None else []
            mine = {arn for each in parts[:1] if each is not None for arn in each.arns}
            await self._stop([arn for arn in arns if arn not in mine])
        except DriverError as error:
            raise Unavailable(f"circuits that were taken cannot be stopped: {error}") from error.__cause__

    async def _stop(self, arns: Sequence[str]) -> None:
        await together(self._blocking.call(tasks.cancel, self._sessions, arn) for arn in arns)

    def _remember(self, status: TaskStatus) -> None:
        # Ended ones too: of many tasks one cannot be asked for each time, and it must not hide the others.
        _keep(self._told, status.remote_id, status)


def _keep(kept: OrderedDict[str, T], name: str, value: T) -> None:
    """Remember a value, and forget the one that was changed longest ago if there are many."""
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _check(task: Task, device: Device) -> None:
    """Refuse what Braket cannot do; raises ``Rejected``."""
    if not task.circuits:
        raise Rejected("the task has no circuit; give it at least one")
    if task.readout_mitigation:
        raise Rejected(
            "Amazon Braket does not mitigate readout errors; leave execution.readoutMitigation away"
        )
    if task.dynamical_decoupling:
        raise Rejected(
            "Amazon Braket's programs have no delays for dynamical decoupling; "
            "leave execution.dynamicalDecoupling away"
        )
    least, most = device.capabilities.service.shots_range or (1, task.shots)
    if not max(least, 1) <= task.shots <= most:
        raise Rejected(f"{device.name} takes {least} to {most} shots, not {task.shots}")


def _programs(task: Task, device: Device) -> list[Program]:
    programs = []
    for each in task.circuits:
        circuit = read(each.name, each.qpy)
        if each.transpiled_hash is not None:
            programs.append(native_program(each.name, circuit, device))
        else:
            programs.append(plain_program(each.name, circuit, device.operations))
    return programs


def _digest(task: Task, number: int, program: Program) -> str:
    return task.circuits[number].transpiled_hash or hashlib.sha256(program.source.encode()).hexdigest()[:16]


def _client_token(part: Part, program: Program) -> str:
    """One for each task, and for each circuit and program of it.

    The head's follows from the token alone, so that a token has one head whatever was transpiled; those of
    the other circuits follow from the program too, since a head names the very programs that belong to it.
    """
    content = "" if part.is_head else program.source
    return hashlib.sha256(f"{part.token}\n{part.number}\n{content}".encode()).hexdigest()[:64]


def _joined(remote_id: str, parts: Sequence[QuantumTask], *, missing: int) -> TaskStatus:
    """The state of a task whose circuits are in these."""
    states = [each.state for each in parts]
    words = "; ".join(
        dict.fromkeys(each.message for each in parts if each.state == "Failed" and each.message)
    )
    positions = [each.position for each in parts if each.position is not None and each.state == "Queued"]
    state: RemoteState
    if any(each not in _ENDED for each in states):
        state = "Queued" if set(states) == {"Queued"} else "Running"
    elif missing or "Failed" in states:
        state = "Failed"
        done = states.count("Succeeded")
        if len(parts) + missing > 1:
            words = f"{done} of {len(parts) + missing} circuits succeeded; {words}".removesuffix("; ")
    else:
        state = "Cancelled" if "Cancelled" in states else "Succeeded"
    return TaskStatus(
        remote_id=remote_id,
        state=state,
        message=words if state == "Failed" else "",
        position=max(positions, default=None) if state == "Queued" else None,
    )
