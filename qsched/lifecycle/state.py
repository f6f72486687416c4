"""What the job state machine remembers of a job.

Everything here is an immutable msgspec Struct, so that a state can be stored, compared and printed. Times
are Unix seconds. No object here can be part of a reference cycle, hence ``gc=False``: tens of thousands of
states cost the garbage collector nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from qsched.api.job import JobSpec, Phase  # noqa: TC001

AttemptState = Literal["Submitting", "Queued", "Running", "Collecting", "Succeeded", "Failed", "Cancelled"]
FallbackPolicy = Literal["Never", "OnUnavailable", "OnDeadline"]

EndingKind = Literal["Cancel", "Abort", "Suspend", "Move", "Defer", "Reject", "Retry"]
"""What becomes of the job once its live task is surely gone.

``Cancel``: the job is Cancelled. ``Abort``: it is Failed. ``Suspend``: it is Suspended. ``Move``: it is
placed again. ``Defer``: likewise, after a back-off. ``Reject``: likewise, and never here again. ``Retry``:
likewise after a back-off, and it counts against ``backoffLimit``, which the others do not: none of their
tasks ran to an end.
"""

Call = Literal["Submit", "Find", "Collect"]

TERMINAL: frozenset[Phase] = frozenset({"Complete", "Failed", "Cancelled"})
LIVE_ATTEMPT: frozenset[AttemptState] = frozenset({"Submitting", "Queued", "Running", "Collecting"})


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The part of a job's declaration that decides its life.

    Attributes:
        backoff_limit: Failed attempts after which the job fails are ``backoff_limit + 1``.
        active_deadline_s: Seconds from acceptance (or resumption) in which the job must end.
        fallback: When the job may run on a twin; the state machine refuses ``FellBack`` under ``Never``.
        hybrid: Whether classical pods go with the job.
    """

    backoff_limit: int = 3
    active_deadline_s: float | None = None
    fallback: FallbackPolicy = "Never"
    hybrid: bool = False


def policy_of(spec: JobSpec) -> Policy:
    """The policy that a job's spec declares."""
    deadline = spec.active_deadline_seconds
    return Policy(
        backoff_limit=spec.backoff_limit,
        active_deadline_s=None if deadline is None else float(deadline),
        fallback=spec.fallback.policy,
        hybrid=spec.classical is not None,
    )


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One try at running the job; it makes at most one task.

    Attributes:
        number: From 1.
        token: The idempotency key of its task: ``token_of(uid, number)``.
        backend: Where the task goes.
        state: Where it is; live until Succeeded, Failed or Cancelled.
        dispatched_at: When the state with the token was made.
        remote_id: The provider's id, once known.
        started_at: When it was first seen running.
        finished_at: When it was known to have ended.
        reason: Why it ended without a result, in words.
    """

    number: int
    token: str
    backend: str
    state: AttemptState
    dispatched_at: float
    remote_id: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    reason: str | None = None


class Ending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The live attempt is to end: what happens then, and why.

    Attributes:
        kind: What becomes of the job.
        reason: CamelCase, for conditions.
        message: For people.
        since: When this was decided.
    """

    kind: EndingKind
    reason: str
    message: str
    since: float


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Everything the state machine remembers of a job.

    Attributes:
        uid: The job's uid; tokens are derived from it.
        policy: What the job's declaration says about its life.
        phase: Where the job is.
        reason: Why it is there, CamelCase; never empty in a terminal phase.
        message: The same for people.
        created_at: When the job was submitted.
        since: When the present phase began.
        active_since: When the active deadline began to run; None while suspended.
        backend: The backend that it is placed on, or that its attempt runs on; None while Pending.
        intended_backend: For a fallback, the backend that ``backend`` stands in for.
        excluded: Backends that rejected the job for good.
        attempts: Every attempt, the newest last.
        failures: Attempts that failed and count against ``backoff_limit``.
        placed_at: When it was last placed.
        started_at: When a task of it was first seen running.
        finished_at: When it became terminal.
        retry_at: Not before this: placement while Pending; else the next find, cancel or collect.
        tries: Calls of one kind made in vain since the last progress; sets the back-off.
        call: The call that is under way.
        doubt_until: Until then a submission whose answer was lost may still arrive.
        ending: Set while the live attempt is being ended.
        deleted: The user deleted the job: forget it once it is settled.
        pod_round: Which pods of a hybrid job count: those of the newest round; earlier ones failed.
        pods_done: Whether they have all succeeded.
        collected: Whether the live attempt's result is stored and only the pods are waited for.
    """

    uid: str
    policy: Policy
    created_at: float
    since: float
    phase: Phase = "Pending"
    reason: str = "Submitted"
    message: str = ""
    active_since: float | None = None
    backend: str | None = None
    intended_backend: str | None = None
    excluded: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    failures: int = 0
    placed_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    retry_at: float = 0.0
    tries: int = 0
    call: Call | None = None
    doubt_until: float = 0.0
    ending: Ending | None = None
    deleted: bool = False
    pod_round: int = 1
    pods_done: bool = False
    collected: bool = False

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt while it is live, else None."""
        if self.attempts and self.attempts[-1].state in LIVE_ATTEMPT:
            return self.attempts[-1]
        return None

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self.phase in TERMINAL


def new_state(uid: str, policy: Policy, at: float) -> State:
    """The state of a job that was just submitted; its first event is ``Accepted``."""
    return State(uid=uid, policy=policy, created_at=at, since=at)


def settled(state: State) -> bool:
    """Whether the job has ended and no task of it can live: nothing is left to do."""
    return state.terminal and state.attempt is None


def deadline_at(state: State) -> float | None:
    """When the active deadline passes, in Unix seconds; None without one, or while suspended."""
    if state.active_since is None or state.policy.active_deadline_s is None:
        return None
    return state.active_since + state.policy.active_deadline_s
