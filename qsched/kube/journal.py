"""The store of an engine on Kubernetes: jobs are objects, states are statuses, commands are changes.

The engine sees what it sees of SQLite. New jobs and what users ask of them come from a watch; what the
engine applies is kept in memory and written behind it, an object at a time, so that one slow object holds
nobody up. ``stored`` is the barrier: a task's token is on the server before a driver is called.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import structlog

from qsched.api.base import ObjectMeta
from qsched.api.job import JobSpec, QuantumCircuitJob
from qsched.engine.calls import MAX_WORDS
from qsched.errors import InvalidInput, StoreError
from qsched.kube.objects import CANCEL
from qsched.kube.reflector import Deleted, Seen, Undecodable
from qsched.kube.status import decode_lifecycle
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.moves import decide
from qsched.lifecycle.types import State, new_state, policy_of, settled
from qsched.store.protocol import Command, JobRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.kube.objects import JobObject
    from qsched.kube.reflector import Change
    from qsched.kube.writer import Writer
    from qsched.store.protocol import CommandKind, Update

log = structlog.get_logger(__name__)

Accept: TypeAlias = "Callable[[JobObject, float | None], QuantumCircuitJob]"
"""Reads a job's declaration; the time is that of its first acceptance, None for a job accepted before."""

MANAGED_BY = "qsched.io/controller"
"""A job whose ``managedBy`` names somebody else is left to them."""


@dataclass(slots=True)
class _Known:
    """A job that is there, whether it has ended or not."""

    key: str
    number: int
    suspend: bool
    priority: int
    ttl_s: float | None = None
    finished_at: float | None = None
    settled: bool = False
    deleting: bool = False
    cancelled: bool = False

    def is_over(self, now: float) -> bool:
        """Whether its time to live has passed; that may have been set anew since it ended."""
        if not self.settled or self.ttl_s is None or self.finished_at is None:
            return False
        return self.finished_at + self.ttl_s <= now


@dataclass(slots=True)
class Outlets:
    """Where the journal hands on what is not a job's status.

    Attributes:
        look: Wakes the engine: there is something new.
        meet: Learns of each job that the engine gets.
        took: Learns of everything that becomes of one.
        report: Takes what was last seen of each backend.
        keep: Takes small values that the next engine wants.
    """

    look: Callable[[], None] = lambda: None
    meet: Callable[[JobObject], None] = lambda _job: None
    took: Callable[[Update], None] = lambda _update: None
    report: Callable[[Sequence[QuantumBackend]], None] = lambda _backends: None
    keep: Callable[[str, Mapping[str, bytes]], None] = lambda _kind, _values: None


@dataclass(slots=True)
class _Inbox:
    """What came from the watch and the engine has not taken yet."""

    jobs: deque[JobRecord] = field(default_factory=deque)
    commands: dict[int, Command] = field(default_factory=dict)


class Journal:
    """``qsched.store.protocol.Journal`` over the job objects of a cluster."""

    def __init__(
        self,
        writer: Writer,
        *,
        accept: Accept,
        values: Mapping[str, Mapping[str, bytes]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Know of no job yet.

        Args:
            writer: Writes statuses and finalizers.
            accept: Reads a declaration and raises ``InvalidInput`` if it is wrong.
            values: Small values that an earlier engine kept, by kind.
            clock: Unix time in seconds.
        """
        self.outlets = Outlets()
        self._writer = writer
        self._accept = accept
        self._values = dict(values or {})
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._inbox = _Inbox()
        self._numbers = 0
        self._command_ids = 0
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """How many jobs there are."""
        return len(self._known)

    def wants(self, uid: str) -> bool:
        """Whether a job is there and has not ended."""
        known = self._known.get(uid)
        return known is not None and not known.settled

    # What the watch tells.

    def handle(self, change: Change[JobObject]) -> None:
        """Take in what became of a job object."""
        match change:
            case Seen(key=key, object=job):
                self._seen(key, job)
            case Deleted(uid=uid):
                self._vanished(uid)
            case Undecodable(key=key, problem=problem):
                log.error("a job cannot be read; it is left alone", job=key, problem=problem)

    def _seen(self, key: str, job: JobObject) -> None:
        uid = job.metadata.uid or ""
        self._writer.see(uid, job.metadata)
        known = self._known.get(uid)
        if known is None:
            self._meet(key, uid, job)
        else:
            self._compare(known, uid, job)

    def _meet(self, key: str, uid: str, job: JobObject) -> None:
        spec = _mutable(job)
        if spec.managed_by not in {None, MANAGED_BY}:
            return
        self._numbers += 1
        known = _Known(key, self._numbers, spec.suspend, spec.priority, spec.ttl_s)
        self._known[uid] = known
        state: State | None = None
        try:
            state = _stored_state(job)
            if state is not None and settled(state):
                self._settle(known, uid, state.finished_at)
            elif state is None and job.status.finished_at is not None:  # it was refused; that is for good
                self._settle(known, uid, job.status.finished_at.timestamp())
            else:
                self._take_on(known, uid, job, state)
        except InvalidInput as error:
            if state is None or state.attempt is None or state.phase == "Collecting":
                self._refuse(known, uid, error)
            else:
                self._call_off(known, uid, job, state, error)
        except StoreError as error:
            known.settled = True
            log.error("a job's lifecycle cannot be read; it is left alone", job=key, error=str(error))  # noqa: TRY400
        self._notice_end(known, uid, job)
        self.outlets.look()

    def _take_on(self, known: _Known, uid: str, job: JobObject, state: State | None) -> None:
        """Hand a job to the engine."""
        now = self._clock()
        declared = self._accept(job, now if state is None else None)
        if state is None:
            created = job.metadata.creation_timestamp
            # The server's time has whole seconds; a job must not seem to have waited before it was seen.
            at = now if created is None else min(now, created.timestamp() + 1.0)
            state = new_state(uid, policy_of(declared.spec), at)
        else:
            self._catch_up(known, uid, declared.spec, state)
        self._writer.adopt(uid, job.status)
        self.outlets.meet(job)
        self._inbox.jobs.append(_record(known.number, uid, declared, state))

    def _catch_up(self, known: _Known, uid: str, spec: JobSpec, state: State) -> None:
        """Find what a user asked for while no controller ran."""
        stopping = state.phase == "Suspended" or (state.ending is not None and state.ending.kind == "Suspend")
        if spec.suspend != stopping and not state.terminal and state.reason != "Submitted":
            known.suspend = stopping
            self._set_suspend(known, uid, spec)

    def _compare(self, known: _Known, uid: str, job: JobObject) -> None:
        """Make commands of what the user changed since the job was last seen."""
        spec = _mutable(job)
        if spec.ttl_s != known.ttl_s:
            known.ttl_s = spec.ttl_s
            if known.settled:
                self._settle(known, uid, known.finished_at)
        if not known.settled:
            self._set_suspend(known, uid, spec)
            if spec.priority != known.priority:
                known.priority = spec.priority
                self._command(uid, "Priority", spec.priority)
        self._notice_end(known, uid, job)

    def _set_suspend(self, known: _Known, uid: str, spec: JobSpec | _Mutable) -> None:
        if spec.suspend != known.suspend:
            known.suspend = spec.suspend
            self._command(uid, "Suspend" if spec.suspend else "Resume")

    def _notice_end(self, known: _Known, uid: str, job: JobObject) -> None:
        """Cancel or delete a job whose user wants that."""
        if (job.metadata.annotations or {}).get(CANCEL) == "true" and not known.cancelled:
            known.cancelled = True
            if not known.settled:
                self._command(uid, "Cancel")
        if job.metadata.deletion_timestamp is not None and not known.deleting:
            known.deleting = True
            if known.settled:
                self._writer.release(uid)
            else:
                self._command(uid, "Delete")

    def _vanished(self, uid: str) -> None:
        """The object is gone: by our leave, or because somebody removed the finalizer."""
        known = self._known.pop(uid, None)
        self._writer.vanish(uid)
        if known is not None and not known.settled and not known.deleting:
            self._command(uid, "Delete")

    def _refuse(self, known: _Known, uid: str, error: InvalidInput) -> None:
        """Say that a job cannot be accepted."""
        log.info("a job is refused", job=known.key, problems=str(error))
        self._writer.refuse(uid, str(error))
        self._settle(known, uid, self._clock())

    def _call_off(self, known: _Known, uid: str, job: JobObject, state: State, error: InvalidInput) -> None:
        """Have the task cancelled of a job that an earlier controller accepted, and this one cannot."""
        log.warning("a job cannot be accepted any more", job=known.key, problems=str(error))
        if not state.terminal:
            state = decide(state, self._clock(), "Abort", "Invalid", str(error)[:MAX_WORDS])
        meta = ObjectMeta(name=job.metadata.name, namespace=job.metadata.namespace, uid=uid)
        self._writer.adopt(uid, job.status)
        self._inbox.jobs.append(
            _record(known.number, uid, QuantumCircuitJob(metadata=meta, spec=JobSpec(circuits=[])), state)
        )

    def _command(self, uid: str, kind: CommandKind, value: int | None = None) -> None:
        self._command_ids += 1
        number = self._command_ids
        self._inbox.commands[number] = Command(id=number, uid=uid, kind=kind, value=value, at=self._clock())
        self.outlets.look()

    # What the engine asks.

    def unsettled(self, after: int = 0, limit: int = 1000) -> Sequence[JobRecord]:
        """See ``Journal.unsettled``; a job is given once, since the engine keeps it from then on."""
        del after
        jobs = self._inbox.jobs
        return [jobs.popleft() for _ in range(min(limit, len(jobs)))]

    def commands(self, limit: int = 1000) -> Sequence[Command]:
        """See ``Journal.commands``."""
        return [command for command, _ in zip(self._inbox.commands.values(), range(limit), strict=False)]

    def apply(
        self, updates: Sequence[Update], *, done: Sequence[int] = (), forget: Sequence[str] = ()
    ) -> None:
        """See ``Journal.apply``: taken in at once, and written behind."""
        for update in updates:
            known = self._known.get(update.uid)
            self._writer.take(update)
            self.outlets.took(update)
            if known is not None and update.settled:
                self._settle(known, update.uid, update.finished_at)
        for number in done:
            self._inbox.commands.pop(number, None)
        for uid in forget:
            self._writer.release(uid)

    async def stored(self, uid: str) -> None:
        """See ``Journal.stored``.

        Raises:
            NotFound: If the job's object is gone.
        """
        await self._writer.stored(uid)

    def report(self, backends: Sequence[QuantumBackend]) -> None:
        """See ``Journal.report``."""
        self.outlets.report(backends)

    def put(self, kind: str, values: Mapping[str, bytes]) -> None:
        """See ``Journal.put``."""
        self._values[kind] = {**self._values.get(kind, {}), **values}
        self.outlets.keep(kind, self._values[kind])

    def values(self, kind: str) -> Mapping[str, bytes]:
        """See ``Journal.values``."""
        return self._values.get(kind, {})

    def purge(self, now: float) -> int:
        """See ``Journal.purge``."""
        count = 0
        while self._ends and self._ends[0][0] <= now:
            _, uid = heapq.heappop(self._ends)
            known = self._known.get(uid)
            if known is not None and not known.deleting and known.is_over(now):
                self._writer.delete(uid)
                count += 1
        return count

    def _settle(self, known: _Known, uid: str, finished_at: float | None) -> None:
        known.settled = True
        known.finished_at = finished_at
        if known.ttl_s is not None and finished_at is not None:
            heapq.heappush(self._ends, (finished_at + known.ttl_s, uid))


class _Mutable(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What of a spec may change, and whose job it is."""

    managed_by: str | None = None

    suspend: bool = False
    priority: int = 0
    ttl_s: float | None = msgspec.field(name="ttlSecondsAfterFinished", default=None)


def _mutable(job: JobObject) -> _Mutable:
    try:
        return msgspec.json.decode(job.spec, type=_Mutable)
    except msgspec.ValidationError:  # stored under another schema: ``accept`` says what is wrong
        return _Mutable()


def _stored_state(job: JobObject) -> State | None:
    """The state that an earlier controller stored, if there is one; raises ``StoreError`` if it is none."""
    if job.status.lifecycle is None:
        if job.status.phase and job.status.finished_at is None:
            raise StoreError("it was removed, although the job may have a task")
        return None
    state = decode_lifecycle(job.status.lifecycle)
    if state.uid != job.metadata.uid:  # its tokens, and so its tasks, belong to that one
        raise StoreError(f"it is that of another object ({state.uid}): a copy, or restored from a backup")
    return state


def _record(number: int, uid: str, declared: QuantumCircuitJob, state: State) -> JobRecord:
    meta = declared.metadata
    return JobRecord(
        number=number,
        uid=uid,
        namespace=meta.namespace or "default",
        name=meta.name,
        job=declared,
        phase=state.phase,
        state=encode_state(state),
        placement=declared.status.placement,
        result=None,
        submitted_at=state.created_at,
        finished_at=state.finished_at,
        seq=0,
    )
