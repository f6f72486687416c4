"""A pool of worker processes for work that needs a processor: simulation and transpilation.

A standard process pool can neither stop a task that runs nor survive a worker that crashes, and with the
``spawn`` method it runs the user's script again in each worker. These workers are plain subprocesses that
speak length-prefixed pickles over their own pipes: cancelling a call kills its worker, a crash fails its
call only, and a worker ends when its parent does, however that ended. A worker says when it begins a call,
so that a call which met a worker that was gone already is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pickle
import queue
import signal
import struct
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

from qsched.errors import QschedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")
R = TypeVar("R")

_PR_SET_PDEATHSIG = 1
_BEGUN = b"+"
_LENGTH = struct.Struct("!Q")
_MAIN = "from qsched.drivers.workers import worker_main; worker_main()"


class WorkerDiedError(QschedError):
    """The process that ran a call ended before it answered."""


class _NeverBeganError(WorkerDiedError):
    """It ended before it had read the call."""


class WorkerPool:
    """Up to ``size`` processes, started when first needed; each runs one call at a time.

    Args:
        size: How many processes at most.
        environment: Variables for the workers, beside those of this process.
    """

    def __init__(self, size: int, *, environment: Mapping[str, str] | None = None) -> None:
        self._slots = asyncio.Semaphore(size)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._starting: set[asyncio.Future[asyncio.subprocess.Process]] = set()
        self._environment = {**os.environ, **(environment or {})}
        self._closed = False

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a module-level function in a worker.

        Cancelling this coroutine kills the worker at once.

        Returns:
            What the function returned.

        Raises:
            WorkerDiedError: If the process ended before it answered.
            Exception: Whatever the function raised.
        """
        return await self.call_within(None, function, *args, **kwargs)

    async def call_within(
        self, limit_s: float | None, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """``call`` with a time limit, which the wait for a free worker does not count against.

        Args:
            limit_s: Seconds after which the worker is killed; None for no limit.
            function: What to run.
            *args: Its arguments.
            **kwargs: Its arguments by name.

        Raises:
            TimeoutError: If the function took longer.
        """
        request = pickle.dumps((function, args, kwargs))
        async with self._slots, asyncio.timeout(limit_s):
            worker, used = await self._worker()
            try:
                ok, value = await self._ask(worker, request)
            except _NeverBeganError:
                if not used:
                    raise
                # It was killed while it was idle, so this call has done nothing yet.
                worker = await self._start()
                ok, value = await self._ask(worker, request)
            self._idle.append(worker)
        if not ok:
            raise value
        result: R = value
        return result

    async def aclose(self) -> None:
        """Kill every worker and wait until it is gone."""
        self._closed = True
        await asyncio.gather(*self._starting, return_exceptions=True)
        for worker in tuple(self._all):
            await self._kill(worker)
        self._idle.clear()

    async def _worker(self) -> tuple[asyncio.subprocess.Process, bool]:
        """A worker that is free, and whether it has worked before."""
        while self._idle:
            worker = self._idle.pop()
            if worker.returncode is None:
                return worker, True
            self._all.discard(worker)
        return await self._start(), False

    async def _start(self) -> asyncio.subprocess.Process:
        """A new worker. A caller that gives up meanwhile leaves it to the next one: none gets lost."""
        self._check_open()
        starting = asyncio.ensure_future(self._spawn())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            worker = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._leave_idle)
            raise
        self._check_open()
        return worker

    async def _spawn(self) -> asyncio.subprocess.Process:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a file of the working directory must not shadow a library
            "-c",
            _MAIN,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops its workers in order
        )
        self._all.add(worker)
        return worker

    def _leave_idle(self, starting: asyncio.Future[asyncio.subprocess.Process]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self._idle.append(starting.result())

    def _check_open(self) -> None:
        if self._closed:
            raise WorkerDiedError("the worker pool is closed")

    async def _ask(self, worker: asyncio.subprocess.Process, request: bytes) -> tuple[bool, Any]:
        """One call; a worker that does not answer it in order is no more."""
        try:
            return await self._exchange(worker, request)
        except BaseException:
            await self._kill(worker)
            raise

    async def _exchange(self, worker: asyncio.subprocess.Process, request: bytes) -> tuple[bool, Any]:
        assert worker.stdin is not None
        assert worker.stdout is not None
        began = False
        try:
            worker.stdin.write(_LENGTH.pack(len(request)) + request)
            await worker.stdin.drain()
            began = await worker.stdout.readexactly(1) == _BEGUN
            (length,) = _LENGTH.unpack(await worker.stdout.readexactly(_LENGTH.size))
            answer: tuple[bool, Any] = pickle.loads(await worker.stdout.readexactly(length))  # noqa: S301 - our own child
            return answer
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            code = await worker.wait()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            kind = WorkerDiedError if began else _NeverBeganError
            raise kind(f"the worker process {worker.pid} {how}") from error

    async def _kill(self, worker: asyncio.subprocess.Process) -> None:
        self._all.discard(worker)
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        if worker.stdin is not None:
            worker.stdin.close()
        await asyncio.shield(worker.wait())


def worker_main() -> None:
    """The loop of a worker process: calls come in on stdin, answers go out on what was stdout."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        request = requests.get()
        answers.write(_BEGUN)
        answers.flush()
        payload = _answer(request)
        try:
            answers.write(_LENGTH.pack(len(payload)) + payload)
            answers.flush()
        except BrokenPipeError:  # the parent is gone, and nobody wants the answer
            os._exit(0)


def _die_with_parent() -> None:
    """Have Linux kill this process with its parent; elsewhere the end of stdin must do.

    A library that computes for hours without releasing the interpreter's lock (Aer does) keeps ``_read`` from
    seeing that end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _read(stream: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    """Hand requests on; when the parent is gone, end the process even in the middle of a call."""
    while header := stream.read(_LENGTH.size):
        if len(header) < _LENGTH.size:
            break
        requests.put(stream.read(_LENGTH.unpack(header)[0]))
    os._exit(0)


def _answer(request: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(request)  # noqa: S301 - from our own parent
        return pickle.dumps((True, function(*args, **kwargs)))
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        try:
            payload = pickle.dumps((False, error))
            pickle.loads(payload)  # noqa: S301 - some exceptions can be written and not be read
            return payload
        except Exception:  # noqa: BLE001 - an exception that cannot be pickled still has its text
            return pickle.dumps((False, QschedError(f"{type(error).__name__}: {error}")))
