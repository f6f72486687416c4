"""The jobs of a cluster, as a client sees them: created, followed by one watch, cancelled, deleted."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog

from qsched.api.backend import QuantumBackend  # noqa: TC001 - msgspec reads it
from qsched.errors import AlreadyExists, InvalidInput, NotFound, QschedError, StoreError
from qsched.kube import errors as kube
from qsched.kube.objects import BACKENDS, CANCEL, job_path
from qsched.kube.reflector import Reflector, Seen, Undecodable
from qsched.sdk.cluster_records import JobView, history_of, record_of, views
from qsched.sdk.cluster_thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from qsched.kube.api import Api
    from qsched.kube.changes import Change
    from qsched.store.protocol import CommandKind, HistoryEvent, JobRecord

log = structlog.get_logger(__name__)

T = TypeVar("T")

CLIENT = "qsched.io/client"
"""The label by which a client knows its own jobs."""

MAX_BYTES = 1_400_000
"""The largest job; the API server's store takes 1.5 MiB, and the controller's words are to fit in too."""

PATIENCE_S = 150.0
"""How long a request is tried again while the API server does not answer it."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 3.0
_ACCOUNT = re.compile(r'User "system:serviceaccount:([^:"]+):([^:"]+)"')


class ClusterStore:
    """What ``Client`` and ``Job`` ask of a cluster. Methods may be called from any thread.

    Attributes:
        namespace: Where jobs go that name no namespace.
    """

    def __init__(self, connect: Callable[[], Awaitable[Api]], *, namespace: str | None = None) -> None:
        """Connect; nothing is sent yet.

        Args:
            connect: Makes the connection, in the store's own event loop.
            namespace: Where jobs go that name no namespace; that of the connection by default.

        Raises:
            InvalidInput: If there is no configuration, or it is wrong.
        """
        self._client = secrets.token_hex(8)
        self._jobs: dict[str, JobView] = {}
        self._names: dict[str, tuple[str, str]] = {}  # namespace and name of each job, by its uid
        self._gone: set[str] = set()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._thread = LoopThread("qsched-cluster")
        try:
            self._api = self._thread.call(_awaited(connect()))
        except BaseException:
            self._thread.close()
            raise
        self.namespace = namespace or self._api.namespace or "default"

    def close(self) -> None:
        """End the connection; the jobs go on."""
        try:
            self._thread.call(self._leave())
        finally:
            self._thread.close()

    def create(self, bodies: Sequence[dict[str, Any]]) -> list[JobView]:
        """Create jobs in order; if one is refused, those before it are deleted again.

        Args:
            bodies: Job objects, without status.

        Raises:
            InvalidInput: If the API server refuses one, or it is too large.
            AlreadyExists: If a name is taken.
            StoreError: If the API server cannot be reached, or does not allow it.
        """
        return self._call(self._create_all(bodies))

    def find(self, name: str, namespace: str | None = None) -> JobView:
        """A job by its name, as it is now; raises ``NotFound``."""
        return self._call(self._read(namespace or self.namespace, name))

    def get(self, name: str, namespace: str = "default") -> JobRecord:
        """One job by its name or, for one that this client has seen, by its uid; raises ``NotFound``."""
        followed = self._jobs.get(name)
        if followed is not None:
            return record_of(followed)
        if name in self._gone:
            raise NotFound(f"the job {'/'.join(self._names[name])} was deleted")
        if name not in self._names:
            return record_of(self.find(name, namespace))
        view = self.find(self._names[name][1], self._names[name][0])
        if view.metadata.uid != name:
            raise NotFound(f"the job {'/'.join(self._names[name])} was deleted, and another one has its name")
        return record_of(view)

    def history(self, uid: str) -> Sequence[HistoryEvent]:
        """What a job's conditions tell of its history, oldest first."""
        followed = self._jobs.get(uid)
        if followed is None and uid not in self._names:
            return []
        return history_of(followed or self.find(self._names[uid][1], self._names[uid][0]))

    def send(self, uid: str, kind: CommandKind, at: float, value: int | None = None) -> None:  # noqa: ARG002
        """Ask for a change of a job that this client has seen; raises ``NotFound``."""
        if uid not in self._names:
            raise NotFound(f"there is no job {uid}")
        if kind == "Delete":
            self._call(self._delete(uid))
            return
        path = job_path(*self._names[uid])
        change: dict[str, Any] = {"metadata": {"uid": uid}}
        if kind == "Cancel":
            change["metadata"]["annotations"] = {CANCEL: "true"}
        elif kind == "Priority":
            change["spec"] = {"priority": value}
        else:
            change["spec"] = {"suspend": kind == "Suspend"}
        self._call(self._tried(lambda: self._api.merge(path, change)))

    def backends(self) -> list[QuantumBackend]:
        """The cluster's backends, with what its controller knows of them."""
        body = self._call(self._tried(lambda: self._api.get(BACKENDS)))
        return msgspec.json.decode(body, type=_Backends).items

    def check(self) -> None:
        """Raise what ended the watch, if something did: nothing would be learnt any more."""
        for task in self._following.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise StoreError(f"the jobs cannot be followed any more: {error}") from error

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._thread.call(work)
        except kube.ApiError as error:
            raise _in_words(error) from error

    async def _leave(self) -> None:
        await self._api.aclose()  # before the watches end by themselves: they would take leave of the server
        for task in self._following.values():
            task.cancel()
        await asyncio.gather(*self._following.values(), return_exceptions=True)

    async def _create_all(self, bodies: Sequence[dict[str, Any]]) -> list[JobView]:
        made: list[JobView] = []
        try:
            for body in bodies:
                namespace = body["metadata"].setdefault("namespace", self.namespace)
                await self._follow(namespace)
                made.append(await self._create(namespace, body))
        except BaseException:
            for view in made:
                await self._delete(view.metadata.uid or "")
            raise
        return made

    async def _delete(self, uid: str) -> None:
        path = job_path(*self._names[uid])
        await self._tried(lambda: self._api.delete(path, uid=uid))

    async def _create(self, namespace: str, body: dict[str, Any]) -> JobView:
        meta = body["metadata"]
        meta["labels"] = {**meta.get("labels", {}), CLIENT: self._client}
        data = msgspec.json.encode(body)
        if len(data) > MAX_BYTES:
            raise InvalidInput(
                f"the job {meta['name']} has {len(data):,} bytes, and a cluster takes {MAX_BYTES:,}; submit "
                "fewer circuits at once, or put them where the controller can read them and give their uri"
            )
        tries = 0

        async def create() -> bytes:
            nonlocal tries
            tries += 1
            try:
                return await self._api.create(_jobs_path(namespace), data, fieldValidation="Strict")
            except kube.AlreadyExists:
                found = await self._api.get(job_path(namespace, meta["name"]))
                labels = views.decode(found).metadata.labels or {}
                if tries > 1 and labels.get(CLIENT) == self._client:
                    return found  # the answer of an earlier try was lost
                raise

        view = views.decode(await self._tried(create))
        self._note(view)
        uid = view.metadata.uid or ""
        if uid not in self._gone:
            self._jobs.setdefault(uid, view)
        return view

    async def _follow(self, namespace: str) -> None:
        """Watch this client's jobs of a namespace; seen first is whether that is allowed."""
        task = self._following.get(namespace)
        if task is not None:
            return
        path, selector = _jobs_path(namespace), f"{CLIENT}={self._client}"
        await self._tried(lambda: self._api.get(path, labelSelector=selector, limit=1))
        reflector = Reflector(self._api, path, JobView, self._take, params={"labelSelector": selector})
        self._following[namespace] = asyncio.create_task(reflector.run())

    def _take(self, change: Change[JobView]) -> None:
        match change:
            case Seen(object=view):
                self._note(view)
                self._jobs[view.metadata.uid or ""] = view
            case Undecodable(key=key, problem=problem):
                log.error("a job cannot be read", job=key, problem=problem)
            case _:
                self._jobs.pop(change.uid, None)
                self._gone.add(change.uid)

    async def _read(self, namespace: str, name: str) -> JobView:
        view = views.decode(await self._tried(lambda: self._api.get(job_path(namespace, name))))
        self._note(view)
        return view

    def _note(self, view: JobView) -> None:
        meta = view.metadata
        self._names[meta.uid or ""] = meta.namespace or "default", meta.name

    async def _tried(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again while the API server does not answer, for a while."""
        loop = asyncio.get_running_loop()
        end, pause_s = loop.time() + PATIENCE_S, _FIRST_PAUSE_S
        while True:
            try:
                return await ask()
            except kube.Unreachable as error:
                pause_s = max(pause_s, error.retry_after_s or 0.0)
                if loop.time() + pause_s > end:
                    raise
                log.info("the API server does not answer; asks again", error=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


class _Backends(msgspec.Struct):
    items: list[QuantumBackend]


def _jobs_path(namespace: str) -> str:
    return job_path(namespace, "").rstrip("/")


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _in_words(error: kube.ApiError) -> QschedError:
    """What an API server's refusal means to the user of a client."""
    words = str(error)
    if isinstance(error, kube.Absent):
        return NotFound(words)
    if isinstance(error, kube.AlreadyExists):
        return AlreadyExists(words)
    if error.status == 403 and (account := _ACCOUNT.search(words)) is not None and " cannot " in words:
        namespace, name = account.groups()
        return StoreError(
            f"{words}; allow it: kubectl create rolebinding {name}-hybrid --clusterrole=qsched-hybrid "
            f"--serviceaccount={namespace}:{name} --namespace={namespace}",
            lasting=True,
        )
    if error.status in {400, 413, 422}:
        return InvalidInput(words)
    return StoreError(words, lasting=isinstance(error, kube.Refused))
