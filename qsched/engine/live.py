"""The jobs in the engine's memory, each from its first event until it is settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qsched.api.job import Estimate, Phase, Placement, QuantumCircuitJob, Result
    from qsched.engine.preparation import Prepared
    from qsched.engine.refinement import Fit
    from qsched.lifecycle.types import State
    from qsched.scoring import JobRecord


SESSION = "qsched.io/session"
"""The annotation that names the hybrid job (by uid) whose program submitted a job."""

MAX_CRASHES = 3
"""Workers that may end over a job's circuits, for want of memory perhaps, before the job fails."""


class Choice(NamedTuple):
    """What the engine remembers of a placement; the rest is in the store.

    Attributes:
        backend: The backend.
        estimate: What it would make of the job.
        calibration_id: The calibration behind the estimate.
    """

    backend: str
    estimate: Estimate
    calibration_id: str | None


class Handover(NamedTuple):
    """The queue that a task was put into, and the wait in it as it was predicted then.

    Attributes:
        depth: Tasks ahead of it; None when unknown.
        wait_s: Median seconds until the device starts.
        wait_p90_s: The 90 % quantile of the same.
    """

    depth: int | None
    wait_s: float
    wait_p90_s: float


def choice_of(placement: Placement) -> Choice:
    """What is remembered of a placement."""
    return Choice(placement.backend, placement.estimate, placement.calibration_id)


@dataclass(slots=True)
class Live:
    """One job.

    Attributes:
        number: Its number in the store; a smaller one was submitted earlier.
        job: Its declaration.
        state: Its lifecycle state.
        prepared: Its circuits, once they were read.
        record: The job as the scorer sees it, once it was placed.
        choice: Where it was placed last.
        placement: The same with its numbers, until they are stored.
        candidates: The backends that stage 2 is worth while for.
        fits: What stage 2 found, by backend.
        refreshed: Whether ``fits`` is newer than the placement.
        claim: The backend whose slot it is being refined for: its reservation until it is dispatched.
        listed: The phase that the pump lists it under.
        slot: The backend on which it holds a slot.
        result: The result that was collected and is not stored yet.
        calibration_id: The calibration that its task was transpiled for.
        handover: The queue that its task was put into; None if an earlier engine did that.
        new_declaration: Whether ``job`` is newer than what is stored.
        unreadable: Why its circuits cannot be read; empty while that is not known.
        crashes: Worker processes that ended over its circuits.
        refused: What kept it from every backend when it was last looked at; None if it was placed since.
        complete_by: When it must be done, in Unix seconds.
        session: The uid of the hybrid job whose program submitted it, and whose slot it may use.
        lent_to: For a hybrid job, the uid of the job that uses its slot now.
    """

    number: int
    job: QuantumCircuitJob
    state: State
    prepared: tuple[Prepared, ...] | None = None
    record: JobRecord | None = None
    choice: Choice | None = None
    placement: Placement | None = None
    candidates: tuple[str, ...] = ()
    fits: dict[str, Fit] = field(default_factory=dict)
    refreshed: bool = False
    claim: str | None = None
    listed: Phase | None = None
    slot: str | None = None
    result: Result | None = None
    calibration_id: str | None = None
    handover: Handover | None = None
    new_declaration: bool = False
    unreadable: str = ""
    crashes: int = 0
    refused: bytes | None = None
    complete_by: float | None = None
    session: str | None = None
    lent_to: str | None = None

    def __post_init__(self) -> None:
        """Read the date once, since timers compare it; likewise whose slot the job may use."""
        self.session = self.job.metadata.annotations.get(SESSION)
        when = self.job.spec.requirements.complete_by
        self.complete_by = None if when is None else when.timestamp()

    def place(self, placement: Placement) -> None:
        """Remember a choice, and have it stored with the next state."""
        self.choice = choice_of(placement)
        self.placement = placement

    @property
    def uid(self) -> str:
        """Its uid."""
        return self.state.uid

    @property
    def key(self) -> str:
        """Its namespace and name, for people."""
        return f"{self.job.metadata.namespace or 'default'}/{self.job.metadata.name}"

    @property
    def unfit(self) -> dict[str, str]:
        """The backends that rejected the job, or that its circuits cannot be mapped to, and why."""
        rejected = {
            each.backend: f"rejected the job: {each.reason}"
            for each in self.state.attempts
            if each.backend in self.state.excluded
        }
        return rejected | {name: fit.message for name, fit in self.fits.items() if fit.message}
