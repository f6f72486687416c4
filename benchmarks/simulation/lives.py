"""The jobs of a simulation, each in qsched's own job state machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from benchmarks.simulation.scenario import BEGIN
from qsched.lifecycle.machine import step
from qsched.lifecycle.types import (
    Accepted,
    BackendLost,
    Cancel,
    Collect,
    Collected,
    Deadline,
    Dispatch,
    Placed,
    Policy,
    Reported,
    RetryAt,
    Submit,
    Submitted,
    Unplaceable,
    new_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.lifecycle.types import Effect, Event, State

_BEGIN_S = BEGIN.timestamp()
_POLICY = Policy(backoff_limit=100)  # an outage is not the job's fault

Carry: TypeAlias = "Callable[[int, Submit | Cancel], None]"
Wake: TypeAlias = "Callable[[int, float], None]"


class Lives:
    """N jobs' states, and what their effects ask of the provider.

    Attributes:
        states: The state of each job that came, by its number.
    """

    def __init__(self, carry: Carry, wake: Wake) -> None:
        """No job came yet.

        Args:
            carry: Hands a job's task to its backend, or takes it back.
            wake: Says that a job wants to be looked at, at a time in seconds of the simulation.
        """
        self.states: dict[int, State] = {}
        self._carry = carry
        self._wake = wake

    def phase(self, job: int) -> str:
        """Where a job is."""
        return self.states[job].phase

    def backend(self, job: int) -> str | None:
        """Where a job is placed or runs."""
        return self.states[job].backend

    def accept(self, job: int, now_s: float) -> None:
        """A job comes."""
        at = _BEGIN_S + now_s
        self.states[job] = new_state(str(job), _POLICY, at)
        self._happen(job, Accepted(at=at))

    def place(self, job: int, backend: str, now_s: float) -> None:
        """It gets a place, or another one."""
        self._happen(job, Placed(at=_BEGIN_S + now_s, backend=backend))

    def unplace(self, job: int, now_s: float) -> None:
        """It loses its place."""
        self._happen(job, Unplaceable(at=_BEGIN_S + now_s, message="no backend takes it now"))

    def dispatch(self, job: int, now_s: float) -> None:
        """It gets a slot, and its task goes to the provider."""
        self._happen(job, Dispatch(at=_BEGIN_S + now_s))

    def run(self, job: int, now_s: float) -> None:
        """Its task starts."""
        self._happen(job, Reported(at=_BEGIN_S + now_s, token=self._token(job), state="Running"))

    def succeed(self, job: int, now_s: float) -> None:
        """Its task is done, and its result is fetched."""
        self._happen(job, Reported(at=_BEGIN_S + now_s, token=self._token(job), state="Succeeded"))

    def fail(self, job: int, now_s: float) -> None:
        """Its task failed with the backend."""
        event = Reported(
            at=_BEGIN_S + now_s, token=self._token(job), state="Failed", message="the backend failed"
        )
        self._happen(job, event)

    def lose(self, job: int, backend: str, now_s: float) -> None:
        """Its backend is gone."""
        self._happen(job, BackendLost(at=_BEGIN_S + now_s, backend=backend, message="outage"))

    def expire(self, job: int, now_s: float) -> None:
        """Its ``completeBy`` has passed before it ran."""
        self._happen(job, Deadline(at=_BEGIN_S + now_s, message="completeBy has passed"))

    def retry_s(self, job: int) -> float:
        """The time before which it may not be placed, in seconds of the simulation."""
        return self.states[job].retry_at - _BEGIN_S

    def _token(self, job: int) -> str:
        attempt = self.states[job].attempt
        assert attempt is not None
        return attempt.token

    def _happen(self, job: int, event: Event) -> None:
        self.states[job], effects = step(self.states[job], event)
        for effect in effects:
            self._carry_out(job, effect, event.at)

    def _carry_out(self, job: int, effect: Effect, at: float) -> None:
        match effect:
            case Submit():
                self._carry(job, effect)
                self._happen(job, Submitted(at=at, token=effect.token, remote_id=f"task-{effect.token}"))
            case Cancel():
                self._carry(job, effect)
                self._happen(job, Reported(at=at, token=effect.token, state="Cancelled"))
            case Collect():
                self._happen(job, Collected(at=at, token=effect.token))
            case RetryAt():
                self._wake(job, effect.at - _BEGIN_S)
            case _:
                pass  # history and results are not simulated
