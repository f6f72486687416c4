"""What the job state machine asks the engine to do once the new state is stored."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class _Effect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that the engine is to do once the state is stored."""


class Submit(_Effect, frozen=True, kw_only=True):
    """``driver.submit(task, token)``; answered by ``Submitted`` or ``SubmitFailed``."""

    token: str
    backend: str


class Find(_Effect, frozen=True, kw_only=True):
    """``driver.find(token)``; answered by ``Found`` or ``FindFailed``."""

    token: str
    backend: str


class Cancel(_Effect, frozen=True, kw_only=True):
    """``driver.cancel(remote_id)``; a failure gives ``CancelFailed``, success shows in the next poll."""

    token: str
    backend: str
    remote_id: str


class Collect(_Effect, frozen=True, kw_only=True):
    """``driver.result(remote_id)``, files written; answered by ``Collected`` or ``CollectFailed``."""

    token: str
    backend: str
    remote_id: str


class StoreResult(_Effect, frozen=True, kw_only=True):
    """Put the collected result into the transaction that stores the state."""

    token: str


class RetryAt(_Effect, frozen=True, kw_only=True):
    """Send ``Woken`` at this Unix time, or soon after."""

    at: float


class CreatePods(_Effect, frozen=True, kw_only=True):
    """Create the hybrid job's pods, gated; those of this round may be there already."""

    round: int


class UngatePods(_Effect, frozen=True, kw_only=True):
    """Lift the gates of a round: the job's slot on this backend is open."""

    round: int
    backend: str


class DeletePods(_Effect, frozen=True, kw_only=True):
    """Delete the pods of this round that have not ended: nobody wants their work."""

    round: int


class Record(_Effect, frozen=True, kw_only=True):
    """Add a line to the job's history, in the transaction that stores the state.

    Attributes:
        at: When it happened.
        type: CamelCase.
        message: For people.
    """

    at: float
    type: str
    message: str = ""


class Forget(_Effect, frozen=True, kw_only=True):
    """The job was deleted and is settled: remove it from the store."""


Effect: TypeAlias = (
    Submit
    | Find
    | Cancel
    | Collect
    | StoreResult
    | RetryAt
    | CreatePods
    | UngatePods
    | DeletePods
    | Record
    | Forget
)
