"""Writes what becomes of jobs to the API server: behind the engine, an object at a time, and seldom.

Each write names the version of the object that it replaces. So what a controller sent before it was stopped,
and what arrives after another began to lead, cannot undo what that one wrote.

A status is written when something waits for it (a token, before a driver is called), when the job has ended,
soon after it went to its provider, and otherwise at intervals that grow: a job that waits for hours is placed
anew many times, and each write costs the whole cluster. In between, a later state simply replaces one that
was not written yet.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from qsched.api.quantities import utc
from qsched.errors import NotFound
from qsched.kube.errors import Conflict
from qsched.kube.objects import FINALIZER, FullMetadata, job_path
from qsched.kube.status import (
    Transitions,
    job_conditions,
    kept_transitions,
    refusal_patch,
    status_patch,
)
from qsched.lifecycle.codec import decode_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.api.job import Phase
    from qsched.kube.api import Api
    from qsched.kube.events import Recorder
    from qsched.kube.objects import SeenStatus
    from qsched.kube.queue import WorkQueue
    from qsched.store.protocol import Update

log = structlog.get_logger(__name__)

SOON_S = 1.0
"""A job that went to its provider, and the first word of a new one, are written this long after."""

LATER_S, LATEST_S = 60.0, 1800.0
"""The next words of a job that waits are written after at least this time; it doubles up to the longest."""

WORKERS = 32
_SCORE_DECIMALS = 4  # of the score that a column of ``kubectl get`` shows: it cannot round by itself
_AT_PROVIDER: frozenset[Phase] = frozenset({"Queued", "Running", "Collecting"})


class _Headed(msgspec.Struct, frozen=True):
    metadata: FullMetadata


_heads = msgspec.json.Decoder(_Headed)


@dataclass(slots=True)
class _Entry:
    """What is to be written of a job.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        generation: The generation of its spec, as last seen.
        finalizers: Its finalizers, as last seen.
        version: The resource version of that.
        update: The newest state; None when there is nothing to write.
        newest: Counts the states.
        written: The count of the state that the server has.
        placement: Encoded, as long as the job is not settled: server-side apply removes what is left out.
        result: Likewise.
        transitions: When each condition last changed.
        phase: The phase that the server has.
        words: How often a waiting job's news were written.
        told: The newest line of its history.
        waiting: Those who wait until a count is written.
        refusal: Why the job is not accepted.
        release: Take the finalizer off.
        delete: Delete the object: its time to live has passed.
        gone: The object is not there any more.
    """

    namespace: str
    name: str
    generation: int | None = None
    finalizers: list[str] = field(default_factory=list)
    version: str | None = None
    update: Update | None = None
    newest: int = 0
    written: int = 0
    placement: bytes | None = None
    result: bytes | None = None
    transitions: Transitions | None = None
    phase: str = ""
    words: int = 0
    told: tuple[str, str] = ("", "")
    waiting: list[tuple[int, asyncio.Future[None]]] | None = None
    refusal: str = ""
    release: bool = False
    delete: bool = False
    gone: bool = False


class Writer:
    """Writes statuses and finalizers of jobs.

    Attributes:
        writes: How many statuses were written.
    """

    def __init__(
        self,
        api: Api,
        queue: WorkQueue[str],
        recorder: Recorder,
        *,
        may_write: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """Write nothing yet; ``run`` does.

        Args:
            api: The server.
            queue: Orders the writes by uid, and paces those that failed.
            recorder: Takes the lines of jobs' histories as Kubernetes Events.
            may_write: Whether this process is the leader, beyond doubt.
            clock: Unix time in seconds.
        """
        self.writes = 0
        self._api = api
        self._queue = queue
        self._recorder = recorder
        self._may_write = may_write
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    async def run(self) -> None:
        """Write until cancelled."""
        await self._queue.run(WORKERS, self._write)

    @property
    def unwritten(self) -> int:
        """How many jobs have a state that the server does not have yet."""
        return sum(each.written < each.newest for each in self._entries.values())

    def hurry(self) -> None:
        """Write everything that is not written yet as soon as possible."""
        for uid, entry in self._entries.items():
            if entry.written < entry.newest:
                self._queue.add(uid)

    # What there is to write.

    def see(self, uid: str, metadata: FullMetadata) -> None:
        """Take note of an object's present metadata."""
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = _Entry(metadata.namespace or "default", metadata.name)
        if _is_older(metadata.resource_version, entry.version):
            return  # than what we wrote ourselves meanwhile
        changed = entry.generation is not None and entry.generation != metadata.generation
        entry.generation = metadata.generation
        entry.finalizers = metadata.finalizers or []
        entry.version = metadata.resource_version
        if changed and entry.update is not None:
            self._queue.add_after(uid, SOON_S)

    def adopt(self, uid: str, status: SeenStatus) -> None:
        """Go on from the status that an earlier controller wrote."""
        entry = self._entries[uid]
        entry.phase = status.phase or ""
        entry.placement = bytes(status.placement) or None
        entry.result = bytes(status.result) or None
        entry.transitions = {
            each.type: (each.status, each.last_transition_time) for each in status.conditions
        }

    def take(self, update: Update) -> None:
        """Take a job's new state; it is written in due time, or when somebody waits for it."""
        entry = self._entries.get(update.uid)
        if entry is None or entry.gone:
            return
        before, entry.update = entry.update, update
        entry.newest += 1
        if update.placement is not None:
            rounded = round(update.placement.score, _SCORE_DECIMALS)
            entry.placement = msgspec.json.encode(msgspec.structs.replace(update.placement, score=rounded))
        if update.result is not None:
            entry.result = msgspec.json.encode(update.result)
        for line in update.history:
            if (line.type, line.message) != entry.told:  # an end is decided first, and then comes about
                self._recorder.tell(entry.namespace, entry.name, update.uid, line)
            entry.told = line.type, line.message
        self._queue.add_after(update.uid, self._due_in_s(entry, update, before))

    def _due_in_s(self, entry: _Entry, update: Update, before: Update | None) -> float:
        """How long a new state may wait to be written."""
        if update.finished_at is not None:
            return 0.0
        if update.phase in _AT_PROVIDER or entry.phase in _AT_PROVIDER or not entry.phase:
            return SOON_S
        if update.phase == "Suspended" or update.reason == "Resumed":  # somebody waits to see it
            return SOON_S
        if before is not None and entry.written < entry.newest - 1:
            return LATEST_S  # it is due already
        return min(LATER_S * 2.0 ** min(entry.words, 10), LATEST_S)

    def refuse(self, uid: str, message: str) -> None:
        """Say in a job's status that it is not accepted."""
        self._entries[uid].refusal = message
        self._queue.add(uid)

    def release(self, uid: str) -> None:
        """Let a deleted job go: take our finalizer off."""
        entry = self._entries.get(uid)
        if entry is not None:
            entry.release = True
            self._queue.add(uid)

    def delete(self, uid: str) -> None:
        """Delete a job whose time to live has passed."""
        entry = self._entries.get(uid)
        if entry is not None:
            entry.delete = True
            self._queue.add(uid)

    def vanish(self, uid: str) -> None:
        """The object is gone: whoever waits for it learns so."""
        entry = self._entries.pop(uid, None)
        if entry is not None:
            self._lose(entry)

    async def stored(self, uid: str) -> None:
        """Return once the newest state of a job is on the server.

        Raises:
            NotFound: If the object is gone.
        """
        entry = self._entries.get(uid)
        if entry is None or entry.gone:
            raise NotFound(f"the job {uid} was deleted")
        if entry.written >= entry.newest:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry.waiting = [*(entry.waiting or ()), (entry.newest, future)]
        self._queue.add(uid)
        await future

    # Writing.

    async def _write(self, uid: str) -> None:
        entry = self._entries.get(uid)
        if entry is None or entry.gone or not self._may_write():
            return  # if this is not the leader, the next one reads what the server has
        try:
            await self._bring_up_to_date(uid, entry)
        except Conflict:
            await self._look_again(uid, entry)

    async def _bring_up_to_date(self, uid: str, entry: _Entry) -> None:
        path = job_path(entry.namespace, entry.name)
        if entry.refusal:
            await self._say_refusal(uid, entry, path)
        update, count = entry.update, entry.newest
        if update is not None and entry.written < count and not entry.release:
            if update.finished_at is None and FINALIZER not in entry.finalizers:
                await self._set_finalizers(entry, path, [*entry.finalizers, FINALIZER])
            await self._write_status(uid, entry, path, update)
            self._note_written(uid, entry, update, count)
        if entry.release and FINALIZER in entry.finalizers:
            await self._set_finalizers(entry, path, [each for each in entry.finalizers if each != FINALIZER])
        if entry.delete:
            await self._api.delete(path, uid=uid)

    async def _write_status(self, uid: str, entry: _Entry, path: str, update: Update) -> None:
        state = decode_state(update.state)
        shown = job_conditions(state, entry.generation)
        kept = kept_transitions(shown, entry.transitions or {})
        body = status_patch(
            entry.namespace,
            entry.name,
            uid,
            state,
            [msgspec.structs.replace(each, last_transition_time=kept[each.type][1]) for each in shown],
            version=entry.version,
            generation=entry.generation,
            placement=entry.placement,
            result=entry.result,
        )
        written = _heads.decode(await self._api.apply(f"{path}/status", body))
        self.writes += 1
        entry.version = written.metadata.resource_version
        entry.transitions = kept

    def _note_written(self, uid: str, entry: _Entry, update: Update, count: int) -> None:
        entry.written = count
        entry.words += update.phase not in _AT_PROVIDER
        entry.phase = update.phase
        for wanted, future in entry.waiting or ():
            if wanted <= count and not future.done():
                future.set_result(None)
        entry.waiting = [each for each in entry.waiting or () if not each[1].done()] or None
        if count < entry.newest:
            self._queue.add_after(uid, 0.0 if entry.waiting else SOON_S)
        elif update.settled:  # nothing of it is written again
            entry.update = entry.placement = entry.result = entry.transitions = None

    async def _say_refusal(self, uid: str, entry: _Entry, path: str) -> None:
        body = refusal_patch(
            entry.namespace,
            entry.name,
            uid,
            entry.refusal,
            version=entry.version,
            generation=entry.generation,
            at=utc(self._clock()),
        )
        written = _heads.decode(await self._api.apply(f"{path}/status", body))
        entry.version = written.metadata.resource_version
        entry.refusal = ""

    async def _set_finalizers(self, entry: _Entry, path: str, finalizers: list[str]) -> None:
        """Replace the finalizers, if they are still those that we saw."""
        metadata = {"resourceVersion": entry.version, "finalizers": finalizers}
        written = _heads.decode(await self._api.merge(path, {"metadata": metadata}))
        entry.finalizers = written.metadata.finalizers or []
        entry.version = written.metadata.resource_version

    async def _look_again(self, uid: str, entry: _Entry) -> None:
        """After a conflict: read the object, and try again if it is still ours."""
        found = _heads.decode(await self._api.get(job_path(entry.namespace, entry.name)))
        if found.metadata.uid != uid:
            self._lose(entry)
            return
        entry.finalizers = found.metadata.finalizers or []
        entry.version = found.metadata.resource_version
        self._queue.add(uid)

    def _lose(self, entry: _Entry) -> None:
        entry.gone = True
        for _, future in entry.waiting or ():
            if not future.done():
                future.set_exception(NotFound(f"the job {entry.namespace}/{entry.name} was deleted"))
        entry.waiting = None


def _is_older(version: str | None, than: str | None) -> bool:
    """Whether a resource version came before another one; they are numbers that grow."""
    return bool(version and than and version.isdigit() and than.isdigit() and int(version) < int(than))
