"""What qsched asks of a store, and the records that cross the line.

The store does not look into a job's lifecycle state: it keeps the bytes that the engine gives it, next to
the few columns that queries need. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from qsched.api.job import Phase, Placement, QuantumCircuitJob, Result  # noqa: TC001

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from qsched.api.backend import QuantumBackend

CommandKind = Literal["Cancel", "Suspend", "Resume", "Priority", "Delete"]


class HistoryEvent(msgspec.Struct, frozen=True, gc=False):
    """One line of a job's history.

    Attributes:
        at: When it happened.
        type: CamelCase, such as ``Placed``.
        message: For people.
    """

    at: float
    type: str
    message: str = ""


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be stored for the first time.

    Attributes:
        uid: Unique for ever.
        job: The declaration; ``metadata.namespace`` None is stored as ``default``.
        phase: The phase in ``state``.
        state: The encoded lifecycle state.
        submitted_at: When the user submitted it.
        history: The first lines of its history.
    """

    uid: str
    job: QuantumCircuitJob
    phase: Phase
    state: bytes
    submitted_at: float
    history: Sequence[HistoryEvent] = ()


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All that is stored of a job but its history.

    Attributes:
        number: Grows with every job added to this store; never reused.
        uid: Unique for ever.
        namespace: Its namespace.
        name: Unique in the namespace.
        job: The declaration, with the changes that its user made since.
        phase: Where it is.
        state: The encoded lifecycle state.
        placement: The choice that was made for it, if one was.
        result: What came out of it, if anything did.
        submitted_at: When the user submitted it.
        finished_at: When it ended.
        seq: The change in which it was last written.
    """

    number: int
    uid: str
    namespace: str
    name: str
    job: QuantumCircuitJob
    phase: Phase
    state: bytes
    placement: Placement | None
    result: Result | None
    submitted_at: float
    finished_at: float | None
    seq: int


class JobSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job's row in a list; nothing has to be decoded to read it.

    Attributes:
        number: As in ``JobRecord``.
        uid: Unique for ever.
        namespace: Its namespace.
        name: Unique in the namespace.
        phase: Where it is.
        reason: Why it is there, CamelCase.
        message: The same for people.
        backend: Where it is placed, runs or ran.
        priority: The declared priority.
        submitted_at: When the user submitted it.
        finished_at: When it ended.
        seq: The change in which it was last written.
    """

    number: int
    uid: str
    namespace: str
    name: str
    phase: Phase
    reason: str
    message: str
    backend: str | None
    priority: int
    submitted_at: float
    finished_at: float | None
    seq: int


class Update(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What changed of one job; everything in it is stored, or nothing.

    Attributes:
        uid: Which job; one that was removed meanwhile is passed over.
        phase: The phase in ``state``.
        state: The encoded lifecycle state.
        settled: The job has ended and no task of it can live; a settled job is not loaded by an engine.
        reason: Why the job is in this phase, CamelCase.
        message: The same for people.
        backend: Where it is placed, runs or ran.
        finished_at: When it ended.
        job: The new declaration; None leaves it as it is.
        placement: The new placement; None leaves it as it is.
        result: The result; None leaves it as it is.
        history: Lines to add.
    """

    uid: str
    phase: Phase
    state: bytes
    settled: bool
    reason: str = ""
    message: str = ""
    backend: str | None = None
    finished_at: float | None = None
    job: QuantumCircuitJob | None = None
    placement: Placement | None = None
    result: Result | None = None
    history: Sequence[HistoryEvent] = ()


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a user asks of a job that an engine may be working on.

    Attributes:
        id: Given by the store; grows.
        uid: Which job.
        kind: What to do.
        value: The new priority, for ``Priority``.
        at: When the user asked.
    """

    id: int
    uid: str
    kind: CommandKind
    value: int | None
    at: float


class Journal(Protocol):
    """What an engine asks of the place where its jobs live. Every method may raise ``StoreError``.

    One engine writes; any number of users add jobs and send commands.
    """

    def unsettled(self, after: int = 0, limit: int = 1000) -> Sequence[JobRecord]:
        """Jobs that an engine must work on, by ``number``, above ``after``.

        With ``after=0`` it pages through everything at an engine's start; with the highest number seen
        it gives the jobs that were added since.
        """
        ...

    def apply(
        self, updates: Sequence[Update], *, done: Sequence[int] = (), forget: Sequence[str] = ()
    ) -> None:
        """Take what changed; ``stored`` tells when it is where no crash can take it.

        Args:
            updates: At most one for each job counts: a later one for the same job wins, histories add up.
            done: Ids of the commands that these updates answer; they leave the inbox.
            forget: Uids of jobs to remove with everything that belongs to them.
        """
        ...

    async def stored(self, uid: str) -> None:
        """Return once everything that was applied of a job so far is where no crash can take it.

        A task's token is stored before a driver sees the task, so the engine waits for this first.
        """
        ...

    def commands(self, limit: int = 1000) -> Sequence[Command]:
        """The inbox, oldest first. A command stays until an ``apply`` names it in ``done``."""
        ...

    def report(self, backends: Sequence[QuantumBackend]) -> None:
        """Keep what was last seen of each backend, for those who ask for the fleet."""
        ...

    def put(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Keep small values, such as wait models."""
        ...

    def values(self, kind: str) -> Mapping[str, bytes]:
        """Every value of a kind, by key."""
        ...

    def purge(self, now: float) -> int:
        """Remove settled jobs whose ``ttlSecondsAfterFinished`` has passed; how many."""
        ...


class Store(Journal, Protocol):
    """Where jobs live on one machine, as clients see it too.

    Every write is one transaction: all of it is on the disk when the method returns, or nothing. Methods
    may be called from any thread.
    """

    def add(self, jobs: Sequence[NewJob]) -> None:
        """Store new jobs.

        Adding a job that is stored already under the same uid, namespace and name does nothing.

        Raises:
            AlreadyExists: If a name is taken by another job; names it. Nothing is stored then.
        """
        ...

    def get(self, name: str, namespace: str = "default") -> JobRecord:
        """One job by its name, or by its uid (in any namespace); raises ``NotFound``."""
        ...

    def list(
        self,
        *,
        phases: Sequence[Phase] = (),
        namespace: str | None = None,
        limit: int = 1000,
    ) -> Sequence[JobSummary]:
        """The newest jobs first; of every phase and namespace unless some are named."""
        ...

    def history(self, uid: str) -> Sequence[HistoryEvent]:
        """What happened to a job, oldest first; empty for an unknown one."""
        ...

    def changes_since(self, seq: int, limit: int = 1000) -> Sequence[JobSummary]:
        """Jobs written after change ``seq``, oldest change first.

        More than ``limit`` are given when one change wrote more, so that the last ``seq`` is complete.
        Removed jobs are not among them.
        """
        ...

    def send(self, uid: str, kind: CommandKind, at: float, value: int | None = None) -> None:
        """Put a command into the engine's inbox; raises ``NotFound`` for an unknown job."""
        ...

    def engine_lock(self) -> AbstractContextManager[None]:
        """Be the only engine of this store while inside; a killed process gives the lock back.

        Raises:
            StoreError: If another engine has it; names its process id.
        """
        ...

    def close(self) -> None:
        """Release every handle."""
        ...
