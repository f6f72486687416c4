"""The jobs in the engine's memory, each from its first event until it is settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qsched.api.job import Money, Phase, Placement, QuantumCircuitJob, Result
    from qsched.engine.preparation import Prepared
    from qsched.engine.refinement import Fit
    from qsched.lifecycle.types import State


class Choice(NamedTuple):
    """What the engine remembers of a placement; the rest is in the store.

    Attributes:
        backend: The backend.
        run_s: Estimated seconds on it.
        cost: Estimated cost.
    """

    backend: str
    run_s: float
    cost: Money | None


@dataclass(slots=True)
class Live:
    """One job.

    Attributes:
        number: Its number in the store; a smaller one was submitted earlier.
        job: Its declaration.
        state: Its lifecycle state.
        prepared: Its circuits, once they were read.
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
        asked_at: When the provider was last asked for its task.
        queue_depth: How deep the backend's queue was when the task was handed over.
        new_declaration: Whether ``job`` is newer than what is stored.
    """

    number: int
    job: QuantumCircuitJob
    state: State
    prepared: tuple[Prepared, ...] | None = None
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
    asked_at: float = 0.0
    queue_depth: int | None = None
    new_declaration: bool = False

    def place(self, placement: Placement) -> None:
        """Remember a choice, and have it stored with the next state."""
        self.choice = Choice(placement.backend, placement.estimate.run_s, placement.estimate.cost)
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
        rejected = dict.fromkeys(self.state.excluded, "rejected the job before")
        return rejected | {name: fit.message for name, fit in self.fits.items() if fit.refined is None}
