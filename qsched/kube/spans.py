"""A job's life as spans, made once it is over: nothing is held open while it waits.

```text
job                   from submission to end; the lines of its history are its events
├── waiting           for a backend, for a slot, for a back-off; or suspended
├── attempt 1         from the token to the end of the task
│   ├── submitting    until the provider has the task
│   ├── queued        at the provider
│   ├── running
│   └── collecting    the result; for a hybrid job, also until its pods are done
├── waiting
└── attempt 2
```

The state alone gives all of them but submitting and collecting, so a controller that took the job over from
another one tells the same story with less detail. Identifiers follow from the job's uid: should two
controllers tell of the same job, they tell of the same spans.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qsched.lifecycle.state import Attempt, State
    from qsched.store.protocol import HistoryEvent

ROOT = "job"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a job's life. Times are Unix seconds.

    Attributes:
        key: Tells it from the others of its job.
        name: What is shown.
        parent: The key of the span that it is a part of; None for the whole job.
        start: When it began.
        end: When it ended, not before it began.
        attributes: What else is known of it.
        failure: Why it failed; empty if it did not.
    """

    key: str
    name: str
    parent: str | None
    start: float
    end: float
    attributes: Mapping[str, str | int] = {}
    failure: str = ""


def trace_id(uid: str) -> int:
    """The 128 bits of a job's own trace.

    A hash, since the bits of a uid are not random where samplers expect it (six of them are fixed).
    """
    return int.from_bytes(blake2b(uid.encode(), digest_size=16).digest()) or 1


def span_id(uid: str, key: str) -> int:
    """The 64 bits of one of a job's spans."""
    return int.from_bytes(blake2b(f"{uid}/{key}".encode(), digest_size=8).digest()) or 1


def spans(state: State, history: Sequence[HistoryEvent] = ()) -> list[Span]:
    """The spans of a job that has ended, parents before their parts.

    Args:
        state: Its last state.
        history: The lines of its history, as far as they are known, oldest first.
    """
    end = state.since if state.finished_at is None else state.finished_at
    found = [
        _span(
            ROOT,
            "job",
            None,
            state.created_at,
            end,
            attributes={"qsched.job.phase": state.phase, "qsched.job.reason": state.reason},
            failure=state.message if state.phase == "Failed" else "",
        )
    ]
    waits_since = state.created_at
    for attempt in state.attempts:
        found += _waiting(attempt.number, waits_since, attempt.dispatched_at)
        found += _attempt(attempt, history, end)
        waits_since = end if attempt.finished_at is None else attempt.finished_at
    found += _waiting(len(state.attempts) + 1, waits_since, end)
    return found


def _waiting(number: int, start: float, end: float) -> Iterator[Span]:
    if end > start:
        yield _span(f"waiting {number}", "waiting", ROOT, start, end)


def _attempt(attempt: Attempt, history: Sequence[HistoryEvent], job_end: float) -> Iterator[Span]:
    """An attempt and its stages, of which those that took no time are left out."""
    start = attempt.dispatched_at
    end = job_end if attempt.finished_at is None else attempt.finished_at
    key = f"attempt {attempt.number}"
    known = {
        "qsched.attempt.number": attempt.number,
        "qsched.attempt.state": attempt.state,
        "qsched.backend": attempt.backend,
        "qsched.task.token": attempt.token,
        "qsched.task.remote_id": attempt.remote_id,
    }
    attributes = {name: value for name, value in known.items() if value is not None}
    failure = attempt.reason or "failed" if attempt.state == "Failed" else ""
    yield _span(key, key, ROOT, start, end, attributes=attributes, failure=failure)
    lines = {line.type: line.at for line in reversed(history) if start <= line.at <= end}
    queued = lines.get("Queued")
    marks = [(start, "queued")] if queued is None else [(start, "submitting"), (queued, "queued")]
    if attempt.started_at is not None:
        marks.append((attempt.started_at, "running"))
    if "Collecting" in lines:
        marks.append((lines["Collecting"], "collecting"))
    for (begun, name), (over, _) in pairwise([*marks, (end, "")]):
        if over > begun:
            yield _span(f"{key} {name}", name, key, begun, over)


def _span(
    key: str,
    name: str,
    parent: str | None,
    start: float,
    end: float,
    *,
    attributes: Mapping[str, str | int] | None = None,
    failure: str = "",
) -> Span:
    # A clock that was set back must not make a span of negative length.
    return Span(
        key=key,
        name=name,
        parent=parent,
        start=start,
        end=max(start, end),
        attributes=attributes or {},
        failure=failure,
    )
