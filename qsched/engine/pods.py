"""What the engine asks of whoever looks after the pods of hybrid jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from qsched.api.job import QuantumCircuitJob


class Pods(Protocol):
    """Makes pods as they are wanted. The methods return at once; what they ask for is pursued until it holds.

    Each may be called again for what holds already. What becomes of the pods comes back as ``PodsEnded``.
    """

    def create(self, job: QuantumCircuitJob, number: int) -> None:
        """Have the pods of a round, gated."""
        ...

    def ungate(self, job: QuantumCircuitJob, number: int, backend: str) -> None:
        """Let the pods of a round start: the job's slot on this backend is open, or soon will be."""
        ...

    def claims(self, job: QuantumCircuitJob) -> bool:
        """Whether pods that the job's user brought wait for its slot."""
        ...

    def delete(self, job: QuantumCircuitJob, number: int) -> None:
        """Have no pod of this round, or of an earlier one, that still runs."""
        ...
