"""A task as Azure jobs, one for each circuit: their ids, their metadata, and their states together.

Azure takes the id of a job from its client, so that ids are made from the token alone: whoever knows a token
finds its jobs, and no job is made twice. The first circuit's job is made last; once it is there, all are.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads it
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsched.api.job import Money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsched.drivers import RemoteState

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://qsched.io/drivers/azure")
_REMOTE_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?::([1-9][0-9]{0,4}))?")

_STATES: Mapping[str, RemoteState] = {
    "Waiting": "Queued",
    "Queued": "Queued",
    "Completed": "Succeeded",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "Cancelled": "Cancelled",
}
"""What Azure calls them; whatever else it may say, the job has not ended."""


_MOST = 99_999
"""Circuits of a task, and bits of a circuit, at most: as many digits as ``_REMOTE_ID`` takes."""


def job_ids(token: str, circuits: int) -> tuple[str, ...]:
    """The ids of a task's jobs, one a circuit."""
    return _ids(uuid.uuid5(_NAMESPACE, token), circuits)


def remote_id(ids: Sequence[str]) -> str:
    """The one name of a task's jobs: for one circuit the id of its job, as Azure's portal shows it."""
    return ids[0] if len(ids) == 1 else f"{ids[0]}:{len(ids)}"


def ids_of(remote: str) -> tuple[str, ...]:
    """The ids of the jobs that ``remote_id`` named; none if it did not make this name."""
    match = _REMOTE_ID.fullmatch(remote)
    return _ids(uuid.UUID(match[1]), int(match[2] or 1)) if match else ()


def _ids(first: uuid.UUID, circuits: int) -> tuple[str, ...]:
    return (str(first), *(str(uuid.uuid5(first, str(number))) for number in range(1, circuits)))


@dataclass(frozen=True, slots=True)
class Note:
    """What is kept with a job, so that nothing of it needs to live in the driver.

    Attributes:
        circuits: How many circuits the task has.
        transpiled_hash: Of the job's circuit.
        shots: How many were asked for.
        registers: Sizes of the classical registers, in the circuit's order.
        layout: For each measured classical bit, its index and the position in the result that holds it.
        seed: Of the job; None when it has none.
    """

    circuits: int
    transpiled_hash: str
    shots: int
    registers: tuple[int, ...]
    layout: tuple[tuple[int, int], ...]
    seed: int | None = None

    def metadata(self) -> dict[str, str]:
        """As a job keeps it: texts only."""
        return {
            "qsched.circuits": str(self.circuits),
            "qsched.hash": self.transpiled_hash,
            "qsched.shots": str(self.shots),
            "qsched.registers": json.dumps(self.registers),
            "qsched.layout": json.dumps(self.layout),
            **({} if self.seed is None else {"qsched.seed": str(self.seed)}),
        }

    @classmethod
    def read(cls, metadata: Mapping[str, Any]) -> Note:
        """From a job's metadata.

        Raises:
            ValueError: If it is not of this driver.
        """
        try:
            seed = metadata.get("qsched.seed")
            note = cls(
                circuits=int(metadata["qsched.circuits"]),
                transpiled_hash=str(metadata["qsched.hash"]),
                shots=int(metadata["qsched.shots"]),
                registers=tuple(json.loads(metadata["qsched.registers"])),
                layout=tuple((bit, at) for bit, at in json.loads(metadata["qsched.layout"])),
                seed=None if seed is None else int(seed),
            )
            # Memory is taken for as many circuits and bits.
            bits = sum(note.registers)
            if not (0 < note.circuits <= _MOST and 0 < bits <= _MOST and min(note.registers) >= 0):
                raise ValueError(f"the job's metadata tells of {note.circuits} circuits and {bits} bits")
            if not all(0 <= bit < bits and 0 <= at <= _MOST for bit, at in note.layout):
                raise ValueError("the job's metadata tells of bits that its registers have not")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the job's metadata is not qsched's: {error}") from error
        return note


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Azure tells of it.

    Attributes:
        id: Its id.
        state: Where it is.
        target: Where it was sent.
        metadata: What is kept with it.
        message: Why it failed.
        output_uri: Where its result is.
        output_format: The result's format.
        began: When it began to run.
        ended: When it ended.
        cost: What it costs, once Azure tells.
    """

    id: str
    state: RemoteState
    target: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    output_uri: str = ""
    output_format: str = ""
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    cost: Money | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state not in {"Queued", "Running"}


def state_of(status: str) -> RemoteState:
    """The state that Azure's status stands for; one that is not known here has not ended."""
    return _STATES.get(status, "Running")


def together(jobs: Sequence[Job | None]) -> tuple[RemoteState, str]:
    """The state of a task and why it failed, from its jobs; None stands for one that Azure does not know.

    A task whose jobs have not all ended has not ended.
    """
    known = [job for job in jobs if job is not None]
    states = {job.state for job in known}
    if not all(job.done for job in known):
        return ("Queued" if states == {"Queued"} else "Running"), ""
    messages = [
        (f"circuit {number + 1} of {len(jobs)}: " if len(jobs) > 1 else "")
        + (
            "its job is no longer in the workspace"
            if job is None
            else job.message or "Azure does not say why"
        )
        for number, job in enumerate(jobs)
        if job is None or job.state == "Failed"
    ]
    if messages:
        return "Failed", "; ".join(messages)
    return ("Succeeded" if states == {"Succeeded"} else "Cancelled"), ""


def total(costs: Sequence[Money | None]) -> Money | None:
    """What jobs cost together; None if one does not tell, or they are in several currencies."""
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or len({cost.currency for cost in known}) != 1:
        return None
    from decimal import Decimal

    amount = sum((Decimal(cost.amount) for cost in known), Decimal(0))
    return Money(amount=f"{amount:f}", currency=known[0].currency)
