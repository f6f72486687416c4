"""A job's status as server-side apply writes it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.api.base import API_VERSION, Condition
from qsched.api.quantities import utc
from qsched.lifecycle.codec import decode_state, encode_state
from qsched.lifecycle.status import conditions, declared_attempt

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from qsched.lifecycle.state import State

MAX_ATTEMPTS = 128
_MAX_MESSAGE = 4096

Transitions = dict[str, tuple[str, "dt.datetime"]]
"""The status of each condition, by type, and when it last changed."""


def encode_lifecycle(state: State) -> str:
    """A lifecycle state as text, for ``status.lifecycle``."""
    return base64.b85encode(encode_state(state)).decode("ascii")


def decode_lifecycle(text: str) -> State:
    """The state that ``encode_lifecycle`` wrote.

    Raises:
        StoreError: If it is not one.
    """
    try:
        data = base64.b85decode(text)
    except ValueError:
        data = b""
    return decode_state(data)


def kept_transitions(
    shown: Sequence[Condition], before: Mapping[str, tuple[str, dt.datetime]]
) -> Transitions:
    """When each condition last changed: a condition that says what it said before keeps its time."""
    kept: Transitions = {}
    for each in shown:
        was = before.get(each.type)
        kept[each.type] = (
            was if was is not None and was[0] == each.status else (each.status, each.last_transition_time)
        )
    return kept


def job_conditions(state: State, generation: int | None) -> list[Condition]:
    """The conditions of a job, in whole seconds as Kubernetes has them."""
    return [
        msgspec.structs.replace(
            each,
            message=each.message[:_MAX_MESSAGE],
            last_transition_time=each.last_transition_time.replace(microsecond=0),
            observed_generation=generation,
        )
        for each in conditions(state)
    ]


def status_patch(
    namespace: str,
    name: str,
    uid: str,
    state: State,
    shown: Sequence[Condition],
    *,
    version: str | None,
    generation: int | None,
    placement: bytes | None,
    result: bytes | None,
) -> bytes:
    """The body of a server-side apply to a job's ``status``.

    Args:
        namespace: The job's namespace.
        name: Its name.
        uid: Its uid: an object of the same name that came later is not to be written.
        state: Its lifecycle state.
        shown: Its conditions.
        version: The resource version that is replaced: if there is a newer one, another controller may have
            written it.
        generation: The generation of the spec that this follows from.
        placement: The encoded placement, if there is one; what is left out is removed.
        result: The encoded result likewise.
    """
    status: dict[str, Any] = {
        "phase": state.phase,
        "conditions": shown,
        "observedGeneration": generation,
        "attempts": [declared_attempt(attempt) for attempt in state.attempts[-MAX_ATTEMPTS:]],
        "submittedAt": _seconds(state.created_at),
        "startedAt": _seconds(state.started_at),
        "finishedAt": _seconds(state.finished_at),
        "placement": None if placement is None else msgspec.Raw(placement),
        "result": None if result is None else msgspec.Raw(result),
        "lifecycle": encode_lifecycle(state),
    }
    return _patch(namespace, name, uid, status, version)


def refusal_patch(
    namespace: str,
    name: str,
    uid: str,
    message: str,
    *,
    version: str | None,
    generation: int | None,
    at: dt.datetime,
) -> bytes:
    """The body that says that a job cannot be accepted, and why; see ``status_patch``."""
    now = at.replace(microsecond=0)
    accepted = Condition(
        type="Accepted",
        status="False",
        reason="Invalid",
        message=message[:_MAX_MESSAGE],
        last_transition_time=now,
        observed_generation=generation,
    )
    shown = [accepted, msgspec.structs.replace(accepted, type="Failed", status="True")]
    status = {"phase": "Failed", "conditions": shown, "observedGeneration": generation, "finishedAt": now}
    return _patch(namespace, name, uid, status, version)


def _patch(
    namespace: str, name: str, uid: str, status: Mapping[str, Any], version: str | None = None
) -> bytes:
    metadata = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": version}
    return msgspec.json.encode(
        {
            "apiVersion": API_VERSION,
            "kind": "QuantumCircuitJob",
            "metadata": {key: value for key, value in metadata.items() if value is not None},
            "status": {key: value for key, value in status.items() if value is not None},
        }
    )


def _seconds(at: float | None) -> dt.datetime | None:
    return None if at is None else utc(at).replace(microsecond=0)
