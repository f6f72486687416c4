"""A policy is somebody's code: what it answers is checked, and a time limit ends what hangs."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.simulation.view import WAIT
from qsched.errors import QschedError
from qsched.scoring import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from numpy.typing import NDArray

    from benchmarks.simulation.view import Policy, View

    Ints = NDArray[np.int32]

LIMIT_S = 120.0
"""How long a policy may take for one decision. NSGA-II needs seconds."""


IDLE_S = 300.0
"""A policy that places nobody for this long, although nothing of ours runs and somebody may, is stuck."""


class PolicyError(QschedError):
    """A policy failed: it raised, hung, or gave an answer that cannot be carried out."""


class _TimeUp(BaseException):
    """Not an ``Exception``, so that a policy's own ``except Exception`` does not swallow it."""


def ask(policy: Policy, view: View, *, limit_s: float = LIMIT_S) -> Ints:
    """A policy's answer, checked.

    Args:
        policy: Who is asked.
        view: What it sees.
        limit_s: Real seconds after which it is stopped. Only the main thread can stop it; in another one
            there is no limit.

    Raises:
        PolicyError: Names the policy and the job.
    """
    about = asked(policy.name, view)
    try:
        with _time_limit(limit_s):
            answer: Any = policy.place(view)
    except _TimeUp:
        raise PolicyError(
            f"{about}, did not answer within {limit_s:g} s; look for a loop that does not end"
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        why = f"{type(error).__name__}: {_encodable(str(error))}"
        raise PolicyError(f"{about}, raised {why}{_line(error)}") from error
    return check(policy.name, answer, view)


def asked(name: str, view: View) -> str:
    """Which policy is asked when and about what, as errors begin."""
    return f"policy {name!r} at {view.now_s:,.1f} s, asked to place {_names(view)}"


def check(name: str, answer: Any, view: View) -> Ints:
    """An answer as columns.

    Args:
        name: The policy's name.
        answer: What it returned.
        view: What it was asked.

    Raises:
        PolicyError: The answer has another shape or kind, or a job may not run where it was placed.
    """
    jobs, backends = len(view.names), len(view.fleet)
    at = f"policy {name!r} at {view.now_s:,.1f} s"
    try:
        columns = np.asarray(answer)
    except ValueError as error:  # rows of unequal length
        raise PolicyError(f"{at} returned no array for job {view.names[0]!r} and others: {error}") from error
    if columns.shape != (jobs,):
        raise PolicyError(
            f"{at} returned an answer of shape {columns.shape} for {jobs} jobs (first {view.names[0]!r}); "
            f"return one column for each job, shape ({jobs},)"
        )
    if not np.issubdtype(columns.dtype, np.integer):
        raise PolicyError(
            f"{at} returned {columns.dtype} values for job "
            f"{view.names[0]!r} and others; return whole numbers, and {WAIT} for a job that is to wait"
        )
    outside = np.flatnonzero((columns < WAIT) | (columns >= backends))
    if outside.size:
        row = int(outside[0])
        raise PolicyError(
            f"{at} placed job {view.names[row]!r} on column {columns[row]}; "
            f"there are {backends} backends, columns 0 to {backends - 1}, and {WAIT} leaves a job waiting"
        )
    placed = np.flatnonzero(columns != WAIT)
    unfit = placed[~view.feasible[placed, columns[placed]]]
    if unfit.size:
        row = int(unfit[0])
        column = int(columns[row])
        bits = Reason(int(view.estimates.reasons[row, column]))
        why = ", ".join(str(bit.name).lower().replace("_", " ") for bit in Reason if bit in bits)
        raise PolicyError(
            f"{at} placed job {view.names[row]!r} on "
            f"{view.fleet.names[column]!r}, which cannot run it ({why}); choose where view.feasible is true"
        )
    return columns.astype(np.int32)


class Patience:
    """Ends with policies that keep jobs waiting for ever."""

    def __init__(self) -> None:
        """Nobody was kept waiting yet."""
        self._since_s: float | None = None

    def see(self, name: str, view: View, choice: Ints, *, idle: bool) -> None:
        """Hear of an answer.

        Args:
            name: The policy's name.
            view: What it was asked.
            choice: What it answered.
            idle: Whether no task of ours waits or runs at any backend.

        Raises:
            PolicyError: It has placed nobody for too long although it could.
        """
        if not (idle and view.feasible.any() and (choice == WAIT).all()):
            self._since_s = None
        elif self._since_s is None:
            self._since_s = view.now_s
        elif view.now_s - self._since_s > IDLE_S:
            job = view.names[int(view.feasible.any(axis=1).argmax())]
            raise PolicyError(
                f"policy {name!r} has left job {job!r} and others waiting for {IDLE_S / 60:.0f} minutes "
                f"until {view.now_s:,.0f} s, although nothing runs; place it where view.feasible is true"
            )


@contextmanager
def _time_limit(limit_s: float) -> Iterator[None]:
    """Raise ``_TimeUp`` in the main thread when time is up, and again each second if that is swallowed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signals call it
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _names(view: View) -> str:
    others = len(view.names) - 1
    return f"job {view.names[0]!r}" + (f" and {others} more" if others else "")


def _encodable(text: str) -> str:
    """A text without the half characters that no file can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def _line(error: BaseException) -> str:
    """Where in the policy it was raised."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return "" if last is None else f" ({last.tb_frame.f_code.co_filename}:{last.tb_lineno})"
