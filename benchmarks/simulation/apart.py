"""A policy in a process of its own, for code that may end its process, or hang where no signal stops it.

A solver that is called from Python does not look at signals, and a policy that runs out of memory is killed:
neither may cost the results of others.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.simulation.guard import PolicyError, asked
from benchmarks.simulation.loop import simulate
from benchmarks.simulation.outcome import Outcome

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.simulation.scenario import Scenario
    from benchmarks.simulation.view import Policy, View

_GRACE_S = 5.0
"""How much later than its limit a decision is ended from outside, where it cannot be from inside."""


class _Asked(NamedTuple):
    """A policy decides from now on, or does no longer."""

    about: str


class _Failed(NamedTuple):
    """Why a simulation has no outcome."""

    why: str


@dataclass(frozen=True)
class _Watched:
    """A policy that says when it is asked and when it has answered."""

    policy: Policy
    messages: Connection
    name: str
    late_binding: bool
    batch_jobs: int
    batch_s: float

    def place(self, view: View) -> NDArray[np.int32]:
        """See ``Policy.place``."""
        self.messages.send(_Asked(asked(self.name, view)))
        answer = self.policy.place(view)
        self.messages.send(_Asked(""))
        return answer


def simulate_apart(scenario: Scenario, spec: str, name: str, *, limit_s: float) -> Outcome:
    """A scenario under a policy that is loaded and asked in another process.

    Args:
        scenario: What happens.
        spec: What to load there; see ``benchmarks.policies.load``.
        name: The policy's.
        limit_s: Real seconds that it may take for one decision.

    Raises:
        PolicyError: The policy failed; names the policy and the job.
    """
    context = multiprocessing.get_context("spawn")
    messages, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, scenario, spec, limit_s), daemon=True)
    process.start()
    theirs.close()
    about = ""
    try:
        while True:
            if not messages.poll(limit_s + _GRACE_S if about else None):
                raise PolicyError(f"{about}, did not answer within {limit_s:g} s, nor to a signal")
            message = messages.recv()
            if isinstance(message, Outcome):
                return message
            if isinstance(message, _Failed):
                raise PolicyError(message.why)
            about = message.about
    except EOFError:
        process.join()
        about = about or f"policy {name!r}"
        raise PolicyError(f"{about}, ended its process (exit code {process.exitcode})") from None
    finally:
        process.kill()
        process.join()


def _serve(messages: Connection, scenario: Scenario, spec: str, limit_s: float) -> None:
    """What the other process does."""
    from benchmarks.policies.load import load  # which itself needs this package

    policy = load(spec)
    pace = policy.late_binding, policy.batch_jobs, policy.batch_s
    try:
        messages.send(simulate(scenario, _Watched(policy, messages, policy.name, *pace), limit_s=limit_s))
    except PolicyError as error:
        messages.send(_Failed(str(error)))
