"""The inbox: jobs and commands that other processes left in the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from qsched.drivers.workers import WorkerDiedError
from qsched.engine.live import MAX_CRASHES, Live, choice_of
from qsched.engine.patience import patiently
from qsched.engine.places import CircuitMissing
from qsched.errors import QschedError
from qsched.lifecycle.codec import decode_state
from qsched.lifecycle.types import (
    Accepted,
    CancelRequested,
    Deleted,
    Recovered,
    Resumed,
    Suspended,
    Unplaceable,
    Woken,
)

if TYPE_CHECKING:
    from qsched.engine.backends import Backends
    from qsched.engine.clock import Clock
    from qsched.engine.preparation import Preparation
    from qsched.engine.pump import Pump
    from qsched.engine.settings import Settings
    from qsched.lifecycle.types import Event
    from qsched.store.protocol import Command, JobRecord, Journal

log = structlog.get_logger(__name__)


class Inbox:
    """Brings jobs into the engine and hands their users' commands to them."""

    def __init__(
        self,
        store: Journal,
        pump: Pump,
        backends: Backends,
        preparation: Preparation,
        *,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._pump = pump
        self._backends = backends
        self._preparation = preparation
        self._clock = clock
        self._settings = settings
        self._signal = asyncio.Event()
        self._last = 0
        self._last_command = 0
        self._unread: asyncio.Queue[Live] = asyncio.Queue()
        self._later = asyncio.TaskGroup()

    def look(self) -> None:
        """Look now rather than in a moment."""
        self._signal.set()

    async def run(self) -> None:
        """Look for ever."""
        async with self._later:
            while True:
                await self.take()
                try:
                    async with asyncio.timeout(self._settings.inbox_every_s):
                        await self._signal.wait()
                except TimeoutError:
                    continue
                self._signal.clear()

    async def take(self) -> None:
        """Take every job and command that is new."""
        # Commands are read first, so that the job of each of them is among those read then.
        commands = await patiently(self._store.commands, clock=self._clock)
        while records := await patiently(lambda: self._store.unsettled(self._last), clock=self._clock):
            for record in records:
                self._adopt(record)
            self._last = records[-1].number
        for command in commands:
            if command.id > self._last_command:
                self._last_command = command.id
                await self._obey(command)

    def _adopt(self, record: JobRecord) -> None:
        """Take a job: a new one is accepted once its circuits are read, another is recovered."""
        live = Live(record.number, record.job, decode_state(record.state))
        if (placement := record.placement) is not None:
            live.choice = choice_of(placement)
        if live.state.backend is not None:
            try:
                self._backends.restore_twin(live.state.backend)
            except QschedError as error:
                log.warning("a twin cannot be made again", job=live.key, error=str(error))
        self._pump.adopt(live)
        now = self._clock.now()
        if live.state.reason == "Submitted":
            self._pump.post(live.uid, Accepted(at=now, suspend=record.job.spec.suspend))
        else:
            self._pump.post(live.uid, Recovered(at=now))
        if not live.state.terminal:
            self._unread.put_nowait(live)

    async def read(self) -> None:
        """Read the circuits of new jobs for ever; several of these run side by side."""
        while True:
            await self._read(await self._unread.get())

    async def _read(self, live: Live) -> None:
        try:
            live.prepared = await self._preparation.prepare(live.job)
        except WorkerDiedError as error:
            live.crashes += 1
            if live.crashes < MAX_CRASHES:
                self._unread.put_nowait(live)
            else:
                self._give_up(live, f"its circuits cannot be read: {error}, {MAX_CRASHES} times")
        except CircuitMissing as error:
            self._pump.post(
                live.uid,
                Unplaceable(at=self._clock.now(), message=str(error), reason="WaitingForCircuit"),
            )
            self._later.create_task(self._read_later(live))
        except QschedError as error:
            self._give_up(live, str(error))
        except Exception as error:
            log.exception("a circuit cannot be read, and the reader does not say why", job=live.key)
            self._give_up(live, f"its circuits cannot be read: {type(error).__name__}: {error}")
        else:
            self._pump.changed()

    async def _read_later(self, live: Live) -> None:
        await self._clock.sleep(self._settings.missing_every_s)
        if not live.state.terminal:
            self._unread.put_nowait(live)

    def _give_up(self, live: Live, message: str) -> None:
        """End a job that waits; one that is suspended, or has a task, ends when it waits again."""
        live.unreadable = message
        self._pump.post(live.uid, Unplaceable(at=self._clock.now(), message=message, permanent=True))

    async def _obey(self, command: Command) -> None:
        live = self._pump.jobs.get(command.uid)
        if live is None and command.kind == "Delete":  # it is settled, so there is nothing to be stopped
            await patiently(
                lambda: self._store.apply([], done=[command.id], forget=[command.uid]), clock=self._clock
            )
            return
        if live is not None:
            spec = live.job.spec
            event: Event
            match command.kind:
                case "Cancel":
                    event = CancelRequested(at=command.at)
                case "Delete":
                    event = Deleted(at=command.at)
                case "Suspend":
                    event, spec = Suspended(at=command.at), msgspec.structs.replace(spec, suspend=True)
                case "Resume":
                    event, spec = Resumed(at=command.at), msgspec.structs.replace(spec, suspend=False)
                case "Priority":
                    event = Woken(at=command.at)
                    spec = msgspec.structs.replace(spec, priority=command.value or 0)
            if spec is not live.job.spec:
                live.job = msgspec.structs.replace(live.job, spec=spec)
                live.new_declaration = True
            self._pump.post(command.uid, event)
        self._pump.answered(command.id)
