"""What the job state machine hears."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

RemoteState = Literal["Queued", "Running", "Succeeded", "Failed", "Cancelled"]
ErrorKind = Literal[
    "Unavailable",
    "RateLimited",
    "PartlyTaken",
    "Rejected",
    "Unauthenticated",
    "NotFound",
    "ResultError",
    "Invalid",
]
"""Why a call failed: the class names of ``qsched.drivers.errors``, and two of the engine's own.

``ResultError``: the result was fetched and cannot be written. ``Invalid``: the job can run nowhere (its
circuit cannot be read, say); nothing was handed over. An unexpected exception of a driver is
``Unavailable``: the task may or may not have arrived.
"""


class _Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened at the Unix time ``at``, in seconds."""

    at: float


class Accepted(_Event, frozen=True, kw_only=True):
    """The job was validated; the first event of every job. It starts suspended if ``suspend``."""

    suspend: bool = False


class Suspended(_Event, frozen=True, kw_only=True):
    """The user set ``suspend``."""


class Resumed(_Event, frozen=True, kw_only=True):
    """The user cleared ``suspend``."""


class Placed(_Event, frozen=True, kw_only=True):
    """A cycle chose a backend; again for a job that is Placed already moves it (late binding)."""

    backend: str
    message: str = ""


class Unplaceable(_Event, frozen=True, kw_only=True):
    """No backend can take the job: now, or ever (``permanent``), which fails it."""

    message: str
    permanent: bool = False
    reason: str = "Unplaceable"


class FellBack(_Event, frozen=True, kw_only=True):
    """The job is to run on ``backend``, the twin of ``intended_backend``."""

    backend: str
    intended_backend: str
    message: str


class Dispatch(_Event, frozen=True, kw_only=True):
    """The placed job's backend has a free slot, which is now this job's."""


class Submitted(_Event, frozen=True, kw_only=True):
    """``Submit`` succeeded."""

    token: str
    remote_id: str
    state: RemoteState = "Queued"


class _Failed(_Event, frozen=True, kw_only=True):
    """A call to a driver failed."""

    token: str
    kind: ErrorKind
    message: str
    retry_after_s: float = 0.0


class SubmitFailed(_Failed, frozen=True, kw_only=True):
    """``Submit`` failed, or its answer was lost (``Unavailable``)."""


class FindFailed(_Failed, frozen=True, kw_only=True):
    """``Find`` failed."""


class CancelFailed(_Failed, frozen=True, kw_only=True):
    """``Cancel`` failed; ``Rejected`` when this task cannot be cancelled."""


class CollectFailed(_Failed, frozen=True, kw_only=True):
    """``Collect`` failed: the result could not be fetched, or (``ResultError``) not be written."""


class Found(_Event, frozen=True, kw_only=True):
    """``Find`` answered: the task's id and state, or ``remote_id`` None when there is no such task."""

    token: str
    remote_id: str | None = None
    state: RemoteState = "Queued"


class Reported(_Event, frozen=True, kw_only=True):
    """A poll told the state of the attempt's task."""

    token: str
    state: RemoteState
    message: str = ""


class Lost(_Event, frozen=True, kw_only=True):
    """A poll that the provider answered did not know the attempt's task."""

    token: str


class Collected(_Event, frozen=True, kw_only=True):
    """``Collect`` succeeded: the result is fetched, and its files are written if it has any."""

    token: str
    message: str = ""


class CancelRequested(_Event, frozen=True, kw_only=True):
    """The user cancelled the job."""

    message: str = "cancelled by the user"


class Deleted(_Event, frozen=True, kw_only=True):
    """The user deleted the job: cancel it, then forget it."""


class Deadline(_Event, frozen=True, kw_only=True):
    """The job may not go on (``completeBy`` has passed, say). The active deadline needs no event."""

    message: str


class Moved(_Event, frozen=True, kw_only=True):
    """Another backend is so much better that a queued task is to be cancelled and placed anew."""

    message: str


class BackendLost(_Event, frozen=True, kw_only=True):
    """The job's backend is offline, paused or gone. A task that runs there is left to run."""

    backend: str
    message: str


class CalibrationChanged(_Event, frozen=True, kw_only=True):
    """The job's backend was calibrated anew; a cycle decides whether it stays there."""

    backend: str
    calibration_id: str


class PodsEnded(_Event, frozen=True, kw_only=True):
    """The pods of a hybrid job's round have all succeeded, or one of them failed, was evicted or deleted."""

    round: int
    succeeded: bool
    message: str


class Woken(_Event, frozen=True, kw_only=True):
    """A ``RetryAt`` came due."""


class Recovered(_Event, frozen=True, kw_only=True):
    """A new engine took the job over; whatever was under way got lost."""


Event: TypeAlias = (
    Accepted
    | Suspended
    | Resumed
    | Placed
    | Unplaceable
    | FellBack
    | Dispatch
    | Submitted
    | SubmitFailed
    | FindFailed
    | CancelFailed
    | CollectFailed
    | Found
    | Reported
    | Lost
    | Collected
    | CancelRequested
    | Deleted
    | Deadline
    | Moved
    | BackendLost
    | CalibrationChanged
    | PodsEnded
    | Woken
    | Recovered
)
