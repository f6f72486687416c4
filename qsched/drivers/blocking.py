"""Calls of a provider's blocking client, in threads of the driver's own.

The clouds' clients block, so each call of theirs runs in a thread; how many run at once is limited. Whatever
a client raises leaves as one of ``qsched.drivers.errors``, without the credentials that it may quote. Once a
provider has asked for patience, the calls of the time it asked for fail at once, and bother it no further.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from qsched.drivers.errors import (
    DriverError,
    NotFound,
    RateLimited,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from qsched.drivers.loading import load_qiskit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_S = 5.0
"""How long to leave a provider alone that asks for patience and does not say how much."""

_SIGNATURE = re.compile(r"(?i)\b(sig|x-amz-signature|x-amz-credential|x-amz-security-token)[=:][^&\s\"']+")
_BEARER = re.compile(r"(?i)\b(bearer|apikey)\s+[\w.~+/=-]{8,}")
_MOST_WORDS = 500


class Blocking:
    """Runs a client's functions for one driver."""

    def __init__(
        self,
        provider: str,
        *,
        limit: int,
        translate: Callable[[Exception], DriverError],
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start no thread yet.

        Args:
            provider: Its name, for messages and thread names.
            limit: Calls at once.
            translate: The driver's error for an exception of the client.
            secrets: Credentials that no message may hold.
            clock: Seconds.
        """
        self._provider = provider
        self._translate = translate
        self._secrets = tuple(sorted((each for each in secrets if each), key=len, reverse=True))
        self._clock = clock
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix=f"qsched-{provider}")
        self._rests_until = 0.0
        self._closed = False

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread.

        A call whose caller is cancelled goes on in its thread: clients cannot be interrupted. The driver
        gives every request a time limit, so that it ends.

        Raises:
            DriverError: Whatever the function raised, as the driver's error.
        """
        if self._closed:
            raise Unavailable(f"the {self._provider} driver is closed")
        self._check_patience()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: self._run(function, *args, **kwargs))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                # Its caller was not cancelled: it waited for a thread when the driver was closed.
                raise Unavailable(f"the {self._provider} driver is closed") from None
            raise

    async def aclose(self) -> None:
        """Wait for the calls that run, and end the threads; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        # The threads are joined from one that is none of them, so that the loop goes on meanwhile.
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def clean(self, words: str) -> str:
        """Words of a provider without credentials, and not too many of them."""
        for secret in self._secrets:
            words = words.replace(secret, "***")
        words = _BEARER.sub(r"\1 ***", _SIGNATURE.sub(r"\1=***", words))
        words = " ".join(words.split())
        return words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 4] + " ..."

    def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_patience()  # another call may have been asked for it while this one waited for a thread
        load_qiskit()  # or the client would, in a thread that ends
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a client may raise anything
            raise self._told(error) from (error.__cause__ if isinstance(error, DriverError) else error)

    def _check_patience(self) -> None:
        left_s = self._rests_until - self._clock()
        if left_s > 0:
            raise RateLimited(f"{self._provider} asked for patience for {left_s:.1f} s more", left_s)

    def _told(self, error: Exception) -> DriverError:
        known = error if isinstance(error, DriverError) else self._translate(error)
        if isinstance(known, RateLimited):
            self._rests_until = max(self._rests_until, self._clock() + known.retry_after_s)
            return RateLimited(self.clean(str(known)), known.retry_after_s)
        return type(known)(self.clean(str(known)))


def from_status(status: int, message: str, *, retry_after_s: float | None = None) -> DriverError:
    """The error that an HTTP status stands for.

    Args:
        status: Of the answer.
        message: What failed, where, and in the provider's words why.
        retry_after_s: What the header Retry-After says, if there is one.
    """
    if status == 429:
        return RateLimited(message, PATIENCE_S if retry_after_s is None else retry_after_s)
    if status in {401, 403}:
        return Unauthenticated(message)
    if status in {404, 410}:
        return NotFound(message)
    if status == 503 and retry_after_s is not None:
        return RateLimited(message, retry_after_s)
    # A redirection, and what a proxy asks for, come from what stands between: they say nothing of the task.
    if status < 400 or status >= 500 or status in {407, 408, 409, 425}:
        return Unavailable(message)
    return Rejected(message)


def retry_after(header: str | None) -> float | None:
    """Seconds that the header Retry-After asks for, which is a number or a date; None if it says nothing."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - dt.datetime.now(dt.UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
