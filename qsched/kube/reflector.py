"""A collection of the API server, followed for ever: list once, then watch.

What a handler is told is the server's truth as of some moment, in order for each object, and complete in the
end: a change that an outage hid is found again by the list that follows. It is *not* every state that an
object went through.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

import msgspec
import structlog

from qsched.kube.changes import Change, Deleted, Metadata, Object, Seen, Undecodable
from qsched.kube.clock import SystemClock
from qsched.kube.errors import ApiError, Status, Unreachable, error_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from qsched.kube.api import Api
    from qsched.kube.changes import Handler, Identified
    from qsched.kube.clock import Clock

__all__ = ["Change", "Deleted", "Metadata", "Pace", "Reflector", "Seen", "Undecodable"]

log = structlog.get_logger(__name__)

T = TypeVar("T", bound=Object)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a reflector asks.

    Attributes:
        page: Objects a page of a list.
        watch_s: How long a watch lasts at most; the next one goes on where it ended.
        margin_s: How much longer it may last before the connection is held to be dead. A dead connection
            is noticed after ``watch_s + margin_s`` at the latest, so ``watch_s`` is short.
        least_s: The first wait after a failure,
        most_s: and the longest.
        healthy_s: A watch that lasted this long begins the waits anew.
        short_s: A watch that ended by itself before this is a failure too.
    """

    page: int = 500
    watch_s: int = 120
    margin_s: float = 10.0
    least_s: float = 0.8
    most_s: float = 30.0
    healthy_s: float = 10.0
    short_s: float = 1.0


class Reflector(Generic[T]):
    """Follows one collection.

    Attributes:
        synced: Set when the first list is complete; from then on the handler knows of every object.
        last_contact: When the server was last heard, on the clock's ``monotonic``; None before the first
            time. An idle server sends a bookmark a minute.
        lists: How many lists were read to their end.
        failures: How many lists and watches failed.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        kind: type[T],
        handle: Handler[T],
        *,
        params: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare; ``run`` begins.

        Args:
            api: The server.
            path: The collection: ``/apis/qsched.io/v1alpha1/quantumbackends``.
            kind: What its objects are decoded to.
            handle: Told of every change. It is called in the event loop, between two reads, so it must be
                quick: it notes the change or puts the key into a queue. What it raises ends ``run``. The
                same state of an object may be told twice.
            params: Selectors: ``labelSelector``, ``fieldSelector``.
            pace: Sizes and times.
            clock: The clock for the waits.
            rng: The jitter.
        """
        self.path = path
        self.synced = asyncio.Event()
        self.last_contact: float | None = None
        self.lists = 0
        self.failures = 0
        self._api = api
        self._handle = handle
        self._params = dict(params or {})
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._known: dict[str, tuple[str, str]] = {}  # key -> uid, resource version
        self._version: str | None = None  # where the next watch begins; None: list first
        self._objects = msgspec.json.Decoder(kind)
        self._events = msgspec.json.Decoder(cast("type[_Event[T]]", cast("Any", _Event)[kind]))
        self._pages = msgspec.json.Decoder(cast("type[_Page[T]]", cast("Any", _Page)[kind]))

    def __len__(self) -> int:
        """How many objects there are, as far as is known."""
        return len(self._known)

    async def run(self) -> NoReturn:
        """Follow the collection until cancelled."""
        row = 0  # failures since it was last healthy
        while True:
            begun: float | None = None
            trouble: ApiError | None = None
            try:
                if self._version is None:
                    await self._list()
                begun = self._clock.monotonic()
                await self._watch(cast("str", self._version))
            except ApiError as error:
                trouble = error
                if not isinstance(error, Unreachable):
                    self._version = None
            lasted_s = 0.0 if begun is None else self._clock.monotonic() - begun
            if lasted_s >= self._pace.healthy_s:
                row = 0
            if trouble is None and lasted_s >= self._pace.short_s:
                continue
            wait_s = self._wait_s(row, trouble)
            row += 1
            self.failures += 1
            log.warning(
                "a collection cannot be followed for now",
                path=self.path,
                cause=str(trouble or "the server ended it at once"),
                next="list" if self._version is None else "watch",
                retry_in_s=round(wait_s, 1),
            )
            await self._clock.sleep(wait_s)

    def _wait_s(self, row: int, trouble: ApiError | None) -> float:
        """Doubles from failure to failure, spread so that clients of a restarted server do not march."""
        pace = self._pace
        base_s = min(pace.least_s * 2.0 ** min(row, 32), pace.most_s / 2)
        wait_s = base_s * self._rng.uniform(1.0, 2.0)
        asked_s = None if trouble is None else trouble.retry_after_s
        return wait_s if asked_s is None else max(wait_s, min(asked_s, pace.most_s))

    async def _list(self) -> None:
        """Read the collection as of one moment, page by page; tell what is new and what is gone."""
        unseen = set(self._known)
        params: dict[str, str | int] = {**self._params, "limit": self._pace.page}
        while True:
            body = await self._api.get(self.path, **params)
            self.last_contact = self._clock.monotonic()
            position = self._page(body, unseen)
            if not position.continue_:
                break
            params["continue"] = position.continue_
        for key in unseen:
            self._deleted(key, self._known[key][0], None)
        self._version = position.resource_version
        self.lists += 1
        self.synced.set()

    def _page(self, body: bytes, unseen: set[str]) -> _Position:
        """Take a page in, object by object if one of them cannot be decoded."""
        try:
            page = self._pages.decode(body)
        except msgspec.ValidationError:
            raw = _decode(_raw_pages, body, self.path)
            for each in raw.items or ():
                unseen.discard(self._raw(each, listed=True))
            return raw.metadata
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _garbled(self.path, error) from error
        for object_ in page.items or ():
            unseen.discard(self._seen(object_, listed=True))
        return page.metadata

    async def _watch(self, version: str) -> None:
        """Follow the changes since a version until the server, the connection or the time ends it."""
        watch_s = max(1, round(self._pace.watch_s * self._rng.uniform(0.8, 1.0)))
        params = {**self._params, "allowWatchBookmarks": "true", "resourceVersion": version}
        lines = cast("AsyncGenerator[bytes]", self._api.watch(self.path, timeout_s=watch_s, **params))
        # Not a limit on silence: the server ends a watch after watch_s, and one that outlives that is dead.
        limit = asyncio.timeout(watch_s + self._pace.margin_s)
        try:
            async with limit, aclosing(lines):
                async for line in lines:
                    self.last_contact = self._clock.monotonic()
                    self._take(line)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Unreachable(f"GET {self.path}?watch: the connection is dead") from error

    def _take(self, line: bytes) -> None:
        """Take an event in."""
        try:
            event = self._events.decode(line)
        except msgspec.ValidationError:
            event = None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _garbled(self.path, error) from error
        if event is None or event.type in {"BOOKMARK", "ERROR"}:
            self._take_raw(line)
            return
        object_ = event.object
        self._version = object_.metadata.resource_version
        if event.type == "DELETED":
            self._deleted(_key(object_.metadata), object_.metadata.uid or "", object_)
        else:
            self._seen(object_, listed=False)

    def _take_raw(self, line: bytes) -> None:
        """Take an event in that is none of an object, or whose object is not what its type says."""
        event = _decode(_raw_events, line, self.path)
        if event.type == "ERROR":
            # Whatever it is, what the server knows of the version is in doubt.
            self._version = None
            status = _decode(_statuses, event.object, self.path)
            raise error_of(status.code or 500, bytes(event.object), asked=f"GET {self.path}?watch")
        if event.type == "BOOKMARK":
            self._version = _decode(_bookmarks, event.object, self.path).metadata.resource_version
            return
        head = _decode(_heads, event.object, self.path).metadata
        self._version = head.resource_version
        if event.type == "DELETED":
            self._deleted(_key(head), head.uid or "", None)
        else:
            self._raw(event.object, listed=False)

    def _raw(self, body: msgspec.Raw, *, listed: bool) -> str:
        """Take an object in that may not be what its type says; returns its key."""
        try:
            return self._seen(self._objects.decode(body), listed=listed)
        except msgspec.ValidationError as error:
            problem = str(error)
        head = _decode(_heads, body, self.path).metadata
        key = _key(head)
        if self._is_news(key, head):
            log.warning("an object cannot be decoded", path=self.path, key=key, problem=problem)
            self._handle(Undecodable(key, head.uid or "", problem))
        return key

    def _seen(self, object_: T, *, listed: bool) -> str:
        """Tell of an object, unless this state of it was told before; returns its key."""
        key = _key(object_.metadata)
        if self._is_news(key, object_.metadata):
            self._handle(Seen(key, object_, listed))
        return key

    def _is_news(self, key: str, metadata: Identified) -> bool:
        """Note an object's version; tells of the end of an earlier object of that name."""
        uid, version = metadata.uid or "", metadata.resource_version or ""
        known = self._known.get(key)
        if known == (uid, version):
            return False
        if known is not None and known[0] != uid:
            self._deleted(key, known[0], None)
        self._known[key] = (uid, version)
        return True

    def _deleted(self, key: str, uid: str, last: T | None) -> None:
        known = self._known.get(key)
        if known is None or known[0] != uid:
            return
        del self._known[key]
        self._handle(Deleted(key, uid, last))


class _Event(msgspec.Struct, Generic[T], frozen=True, gc=False):
    type: str
    object: T


class _RawEvent(msgspec.Struct, frozen=True, gc=False):
    type: str
    object: msgspec.Raw


class _Position(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource_version: str
    continue_: str = msgspec.field(name="continue", default="")


class _Bookmark(msgspec.Struct, frozen=True, gc=False):
    metadata: _Position


class _Page(msgspec.Struct, Generic[T], frozen=True):
    metadata: _Position
    items: list[T] | None = None


class _RawPage(msgspec.Struct, frozen=True):
    metadata: _Position
    items: list[msgspec.Raw] | None = None


class _Headed(msgspec.Struct, frozen=True, gc=False):
    metadata: Metadata


_raw_events = msgspec.json.Decoder(_RawEvent)
_raw_pages = msgspec.json.Decoder(_RawPage)
_bookmarks = msgspec.json.Decoder(_Bookmark)
_heads = msgspec.json.Decoder(_Headed)
_statuses = msgspec.json.Decoder(Status)

_D = TypeVar("_D")


def _decode(decoder: msgspec.json.Decoder[_D], body: bytes | msgspec.Raw, path: str) -> _D:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _garbled(path, error) from error


def _garbled(path: str, error: Exception) -> Unreachable:
    return Unreachable(f"GET {path}: the answer is not what an API server says: {error}")


def _key(metadata: Identified) -> str:
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name
