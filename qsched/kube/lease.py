"""Leader election: of several processes at most one acts, also while clocks, networks or processes misbehave.

Each process measures time with its own steady clock, and only differences of it. The leader counts from the
moment at which it *sent* the last renewal that succeeded; the others count from the moment at which they
*saw* the lease change, which is later. The leader gives up after ``renew_deadline_s``, the others wait for
``duration_s``, which is longer, whatever the times in the lease say (people read them; nobody counts with
them). Two who write at once cannot both succeed: each write names the version that it replaces.

The model is client-go's ``leaderelection``. It differs in that a lease that somebody deletes or blanks does
not cut the leader's time short, in that a process never takes another's lease for its own because both have
one name, and in that those who wait look again at the very moment at which the lease ends.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec
import structlog

from qsched.errors import QschedError
from qsched.kube.clock import SystemClock, within
from qsched.kube.errors import Absent, ApiError, Conflict, Unreachable

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from qsched.kube.api import Api
    from qsched.kube.clock import Clock

log = structlog.get_logger(__name__)

_R = TypeVar("_R")

_RELEASED_S = 1
"""The duration that stands in a lease whose holder has left it (as client-go does)."""

_STOPPED = "this process was stopped for too long, or never the leader"


class LeaseLost(QschedError):
    """This process is not the leader any more, or cannot be sure of it, and must not act."""


class _Spec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Record(msgspec.Struct, frozen=True):
    """A lease. Its metadata, with what others have put there, is given back as it came."""

    metadata: msgspec.Raw
    spec: _Spec = _Spec()


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str


_records = msgspec.json.Decoder(_Record)
_metadata = msgspec.json.Decoder(_Metadata)


class Lease:
    """One process's claim on a ``coordination.k8s.io/v1`` Lease.

    ``acquire``; act while ``keep`` runs and ``valid`` is true; ``release``.

    Attributes:
        identity: What the lease says of its holder when it is this process: the given name, and something
            that no other process has.
        holder: Who holds the lease, as last seen; empty when nobody does.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration_s: float = 15.0,
        renew_deadline_s: float = 10.0,
        retry_s: float = 2.0,
        clock: Clock | None = None,
    ) -> None:
        """Claim nothing yet.

        Args:
            api: The server.
            namespace: The lease's namespace.
            name: The lease's name.
            identity: A name for people, such as the pod's.
            duration_s: How long the others wait after the last change that they saw; at least a second.
            renew_deadline_s: How long the leader acts after it sent the last renewal. The difference is for
                clocks that run at different rates, and for what the leader sent just before.
            retry_s: Between two renewals, and between two looks of those that wait.
            clock: The time; its ``monotonic`` must go on while the process or the machine is stopped.
        """
        if not 0 < retry_s < renew_deadline_s < duration_s:
            raise ValueError("a lease needs 0 < retry_s < renew_deadline_s < duration_s")
        self.identity = f"{identity}_{uuid.uuid4().hex[:12]}"
        self.holder = ""
        self._api = api
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._metadata = {"name": name, "namespace": namespace}
        self._duration_s = duration_s
        self._whole_s = math.ceil(duration_s)
        self._renew_deadline_s = renew_deadline_s
        self._retry_s = retry_s
        self._clock = clock or SystemClock()
        self._record: _Record | None = None  # the lease as last seen; None: there is none
        self._version: str | None = None  # "" if there is none; None before the first look
        self._free_at = math.inf  # when it may be taken, if it does not change before
        self._valid_until = -math.inf

    @property
    def valid(self) -> bool:
        """Whether this process is the leader beyond doubt, now. Ask before every act."""
        return self._clock.monotonic() < self._valid_until

    async def acquire(self) -> None:
        """Wait until this process is the leader. What the server refuses is logged and tried again."""
        trouble = ""
        while True:
            try:
                if await self._ask(self._take()):
                    log.info("leading", lease=self._name, identity=self.identity)
                    return
                trouble = ""
            except ApiError as error:
                if str(error) != trouble:
                    log.warning("cannot apply for the lease; trying on", lease=self._name, error=str(error))
                trouble = str(error)
            left_s = self._free_at - self._clock.monotonic()
            await self._clock.sleep(left_s if 0 < left_s < self._retry_s else self._retry_s)

    async def keep(self) -> NoReturn:
        """Renew for as long as that succeeds in time.

        Raises:
            LeaseLost: If it does not; ``valid`` is false by then. Only ``acquire`` makes it true again.
        """
        begun = self._clock.monotonic()
        trouble = _STOPPED
        while True:
            now = self._clock.monotonic()
            await self._clock.sleep(max(0.0, min(begun + self._retry_s, self._valid_until) - now))
            begun = self._clock.monotonic()
            if begun >= self._valid_until:
                raise LeaseLost(f"the lease {self._name} could not be renewed in time: {trouble}")
            try:
                await self._ask(self._renew(), self._valid_until - begun)
                trouble = _STOPPED
            except ApiError as error:
                trouble = str(error)
                log.warning("cannot renew the lease; trying on", lease=self._name, error=trouble)

    async def release(self) -> None:
        """Let another process lead at once; call it when this one has stopped to act and to ``keep``.

        If the server is out of reach, the others wait until the lease ends.
        """
        self._valid_until = -math.inf
        try:
            await self._ask(self._leave())
        except ApiError as error:
            log.warning("the lease is not released; it ends by itself", lease=self._name, error=str(error))

    async def _take(self) -> bool:
        """Look at the lease, and take it if nobody holds it."""
        first = self._version is None
        await self._look()
        if self._record is None and await self._create() and first:
            self._free_at = -math.inf  # there never was one, as far as this process can know
        if self.holder != self.identity and self._clock.monotonic() < self._free_at:
            return False
        return await self._write()

    async def _renew(self) -> None:
        while not await self._write():
            await self._look()
            if self._record is None:
                await self._create()
            if self.holder not in {"", self.identity}:
                self._valid_until = -math.inf
                raise LeaseLost(f"the lease {self._name} was taken by {self.holder}")

    async def _create(self) -> bool:
        """Create the lease, held by nobody; False if it is there already.

        That a lease is absent names no version, and so a creation that was given up may come true much later.
        This one does no harm then: whoever finds it waits for its duration before he takes it.
        """
        body = {"metadata": self._metadata, "spec": _Spec(lease_duration_seconds=self._whole_s)}
        try:
            self._saw(_decode(await self._api.create(self._collection, body)))
        except Conflict:
            await self._look()
            return False
        return True

    async def _leave(self) -> None:
        await self._look()
        if self._record is None or self.holder != self.identity:
            return
        spec = msgspec.structs.replace(
            self._record.spec,
            holder_identity="",
            lease_duration_seconds=_RELEASED_S,
            renew_time=self._time(self._record.spec),
        )
        await self._replace(_Record(self._record.metadata, spec))
        log.info("leading no more", lease=self._name, identity=self.identity)

    async def _write(self) -> bool:
        """Write that this process holds the lease from now on; False if somebody else wrote meanwhile."""
        if self._record is None:
            return False
        old = self._record.spec
        time = self._time(old)
        spec = _Spec(
            holder_identity=self.identity,
            lease_duration_seconds=self._whole_s,
            acquire_time=old.acquire_time if old.holder_identity == self.identity else time,
            renew_time=time,
            lease_transitions=(old.lease_transitions or 0) + (old.holder_identity != self.identity),
        )
        begun = self._clock.monotonic()
        try:
            await self._replace(_Record(self._record.metadata, spec))
        except (Absent, Conflict):
            return False
        self._valid_until = begun + self._renew_deadline_s
        return True

    async def _replace(self, record: _Record) -> None:
        self._saw(_decode(await self._api.replace(f"{self._collection}/{self._name}", record)))

    async def _look(self) -> None:
        try:
            record = _decode(await self._api.get(f"{self._collection}/{self._name}"))
        except Absent:
            record = None
        self._saw(record)

    def _saw(self, record: _Record | None) -> None:
        """Note the lease, and, if it has changed, when it will be free."""
        self._record = record
        spec = _Spec() if record is None else record.spec
        self.holder = spec.holder_identity or ""
        version = "" if record is None else _metadata.decode(record.metadata).resource_version
        if version != self._version:
            released = not self.holder and spec.lease_duration_seconds == _RELEASED_S
            duration_s = 0.0 if released else spec.lease_duration_seconds or self._duration_s
            self._version = version
            self._free_at = self._clock.monotonic() + duration_s

    def _time(self, old: _Spec) -> str:
        """The time for people to read.

        It differs from the one in the lease even if the clock stands still: the server does not store what
        changes nothing, and then the others would not see that the lease was renewed.
        """
        now = dt.datetime.fromtimestamp(self._clock.now(), dt.UTC)
        if f"{now:{_MICRO_TIME}}" == old.renew_time:
            now += dt.timedelta(microseconds=1)
        return f"{now:{_MICRO_TIME}}"

    async def _ask(self, call: Coroutine[Any, Any, _R], left_s: float = math.inf) -> _R:
        """Half of the deadline for a call, so that one that hangs leaves time for another."""
        try:
            return await within(self._clock, min(left_s, self._renew_deadline_s / 2), call)
        except TimeoutError as error:
            raise Unreachable(f"{self._collection}/{self._name}: no answer in time") from error


_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


def _decode(body: bytes) -> _Record:
    try:
        record = _records.decode(body)
        _metadata.decode(record.metadata)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreachable(f"the answer is not a Lease: {error}") from error
    return record
