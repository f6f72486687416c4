"""A queue of keys to look at: each once, by one worker at a time, again later if that failed.

A key says *that* something is to be looked at, never what happened to it. Any number of reasons to look at a
key that waits already are one; a reason that comes while a worker has it means that it is looked at again
afterwards. So whoever handles a key acts on the newest state, and nothing is missed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

import msgspec
import structlog

from qsched.errors import QschedError
from qsched.kube.clock import SystemClock, within
from qsched.kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qsched.kube.clock import Clock

log = structlog.get_logger(__name__)

K = TypeVar("K", bound=Hashable)

_SILENCE_S = 1.0
"""Between two lines of the log about failures."""

_SLACK = 64
"""Timers that were brought forward and are kept beyond as many as are live."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How soon failures are looked at again.

    Attributes:
        least_s: After a key's first failure; twice as long after each further one,
        most_s: up to this.
        per_s: Retries of all keys together in a second,
        burst: once this many came at once.
    """

    least_s: float = 0.05
    most_s: float = 60.0
    per_s: float = 50.0
    burst: int = 500


class WorkQueue(Generic[K]):
    """Keys that wait for a worker, in the order in which they came; and those whose time is to come.

    Attributes:
        retries: How many retries were asked for, of all keys, ever.
    """

    def __init__(self, retries: Retries | None = None, *, clock: Clock | None = None) -> None:
        """Begin empty.

        Args:
            retries: The back-off.
            clock: What delays are measured with.
        """
        self.retries = 0
        self._pace = retries or Retries()
        self._clock = clock or SystemClock()
        # The keys that wait, and since when. Not a dict, which is slow to find its first after many went.
        self._waiting: OrderedDict[K, float] = OrderedDict()
        self._turns = asyncio.Semaphore(0)  # one for each key that waits
        self._busy: set[K] = set()
        self._again: dict[K, float] = {}  # busy, and to be looked at once more
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []  # a heap; an entry that _due does not confirm is void
        self._order = count()
        self._earlier = asyncio.Event()  # the first timer has changed
        self._failures: dict[K, int] = {}
        self._silent_until = float("-inf")
        self._unsaid = 0
        self._full_at = float("-inf")  # when the bucket of retries is full again

    def __len__(self) -> int:
        """How many keys wait for a worker."""
        return len(self._waiting)

    @property
    def delayed(self) -> int:
        """How many keys have a time to come."""
        return len(self._due)

    @property
    def busy(self) -> int:
        """How many keys the workers have."""
        return len(self._busy)

    @property
    def oldest_s(self) -> float:
        """How long the first key has waited for a worker, in seconds; 0 when none does."""
        for since in self._waiting.values():
            return self._clock.monotonic() - since
        return 0.0

    def add(self, key: K) -> None:
        """Have a key looked at as soon as possible."""
        if key in self._busy:
            self._again.setdefault(key, self._clock.monotonic())
        elif key not in self._waiting:
            self._waiting[key] = self._clock.monotonic()
            self._turns.release()

    def add_after(self, key: K, delay_s: float) -> None:
        """Have a key looked at after a while, or before if it has an earlier time already."""
        if delay_s <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + delay_s
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        if len(self._timers) > 2 * len(self._due) + _SLACK:
            self._timers = [(each, next(self._order), of) for of, each in self._due.items()]
            heapq.heapify(self._timers)
        else:
            heapq.heappush(self._timers, (due, next(self._order), key))
        if self._timers[0][0] >= due:
            self._earlier.set()

    def retry(self, key: K, *, least_s: float = 0.0) -> None:
        """Have a key looked at again after a failure: later each time, until ``forget``.

        Args:
            key: What failed.
            least_s: How long to wait at least, such as a server's ``Retry-After``.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        pace = self._pace
        now = self._clock.monotonic()
        self._full_at = max(self._full_at, now) + 1 / pace.per_s
        turn_s = self._full_at - now - pace.burst / pace.per_s
        own_s = min(pace.least_s * 2.0 ** min(failures, 64), pace.most_s)
        self.add_after(key, max(own_s, turn_s, least_s))

    def forget(self, key: K) -> None:
        """Let a key's next failure count as its first."""
        self._failures.pop(key, None)

    async def run(self, workers: int, handle: Callable[[K], Awaitable[None]]) -> NoReturn:
        """Hand keys out until cancelled.

        A key that was handled is forgotten, one that failed is retried; the failure is logged.

        Args:
            workers: How many keys are handled at a time.
            handle: Looks at a key and does what is to be done. A ``QschedError`` says that it could not;
                any other exception is a mistake of ours, and is logged with its traceback.
        """
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(self._work(handle))
            await self._watch_timers()
        raise AssertionError("unreachable")

    async def _work(self, handle: Callable[[K], Awaitable[None]]) -> NoReturn:
        while True:
            await self._turns.acquire()
            key, since = self._waiting.popitem(last=False)
            self._busy.add(key)
            try:
                await handle(key)
            except Exception as error:  # noqa: BLE001 - nobody else may suffer from it
                self._failed(key, error)
            except BaseException:
                self._again.setdefault(key, since)  # cut short: the next run begins with it
                raise
            else:
                self.forget(key)
            finally:
                self._done(key)

    def _failed(self, key: K, error: Exception) -> None:
        least_s = 0.0
        if isinstance(error, ApiError) and error.retry_after_s is not None:
            least_s = error.retry_after_s
        self.retry(key, least_s=least_s)
        failures = self._failures[key]
        if isinstance(error, QschedError):
            self._say(key, failures, error)
        else:
            log.error("a mistake of qsched; will try again", key=str(key), failures=failures, exc_info=error)

    def _say(self, key: K, failures: int, error: QschedError) -> None:
        """Log a failure, but not those of a thousand keys when the server is away for a moment."""
        now = self._clock.monotonic()
        if now < self._silent_until:
            self._unsaid += 1
            return
        log.warning(
            "will try again", key=str(key), failures=failures, error=str(error), unsaid_before=self._unsaid
        )
        self._silent_until, self._unsaid = now + _SILENCE_S, 0

    def _done(self, key: K) -> None:
        self._busy.discard(key)
        since = self._again.pop(key, None)
        if since is not None:
            self._waiting[key] = since
            self._turns.release()

    async def _watch_timers(self) -> NoReturn:
        """Move keys whose time has come to those that wait."""
        while True:
            self._earlier.clear()
            now = self._clock.monotonic()
            while self._timers and self._timers[0][0] <= now:
                due, _, key = heapq.heappop(self._timers)
                if self._due.get(key) == due:
                    del self._due[key]
                    self.add(key)
            if self._timers:
                with suppress(TimeoutError):
                    await within(self._clock, self._timers[0][0] - now, self._earlier.wait())
            else:
                await self._earlier.wait()
