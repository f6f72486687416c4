"""``QuantumBackend``: a QPU or simulator that takes tasks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from qsched.api.base import API_VERSION, Condition, Declared, Name, ObjectMeta, Text, Time
from qsched.api.quantities import Amount, Currency, Duration

_ZERO = "0"


class Pricing(Declared, kw_only=True):
    """The price of a task: quantise(max(minimum, a + shots (b + c1 n1 + c2 n2 + cm nm) + d seconds)).

    n1, n2 and nm are one-qubit gates, two-qubit gates and measurements; several circuits of a task add up.

    Attributes:
        per_task: a, for each circuit of a task.
        per_shot: b.
        per_one_qubit_gate: c1, for each gate and shot.
        per_two_qubit_gate: c2, likewise.
        per_measurement: cm, likewise.
        per_second: d, for each second on the device.
        minimum: The least that a task costs.
        quantum: The price is rounded up to a multiple of this.
    """

    currency: Currency
    per_task: Amount = _ZERO
    per_shot: Amount = _ZERO
    per_one_qubit_gate: Amount = _ZERO
    per_two_qubit_gate: Amount = _ZERO
    per_measurement: Amount = _ZERO
    per_second: Amount = _ZERO
    minimum: Amount = _ZERO
    quantum: Amount = "0.000001"


class Window(Declared, kw_only=True):
    """A recurring time in which the backend takes tasks; without any it always does.

    Attributes:
        days: Days of the week; every day when empty.
        start: UTC time of day, HH:MM.
        end: UTC time of day, HH:MM; at or before ``start`` it is on the next day.
    """

    days: Annotated[
        list[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]], Meta(max_length=7)
    ] = []
    start: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
    end: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]


class SecretReference(Declared, kw_only=True):
    """A Secret that holds a provider's credentials."""

    name: Name
    namespace: Annotated[str, Meta(max_length=63)] | None = None


class BackendSpec(Declared, kw_only=True):
    """How a backend is reached, what it costs, and how much it takes at once."""

    driver: Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,62}$", max_length=63)]
    device: Annotated[str, Meta(min_length=1, max_length=512, description="The driver's name for the device.")]
    credentials_secret_ref: SecretReference | None = None
    parameters: Annotated[
        dict[str, Any],
        Meta(max_length=64, extra_json_schema={"x-kubernetes-preserve-unknown-fields": True}),
    ] = {}
    pricing: Pricing | None = None
    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 1
    paused: bool = False
    location: Text | None = None
    windows: Annotated[list[Window], Meta(max_length=32)] = []
    recalibrates_every: Annotated[
        Duration, Meta(description="How often the device is calibrated; 24h when not said.")
    ] | None = None


class CalibrationSummary(Declared, kw_only=True):
    """Medians over the usable qubits, for people."""

    qubits: int
    two_qubit_error: float | None = None
    readout_error: float | None = None
    t1_s: float | None = None
    t2_s: float | None = None


class CalibrationRef(Declared, kw_only=True):
    """Which calibration a backend has."""

    id: Annotated[str, Meta(max_length=128)]
    taken_at: Time | None = None
    summary: CalibrationSummary | None = None


class BackendStatus(Declared, kw_only=True):
    """What is known of a backend. An unknown queue depth is absent, never 0."""

    conditions: Annotated[list[Condition], Meta(max_length=16)] = []
    queue_depth: Annotated[int, Meta(ge=0)] | None = None
    in_flight: Annotated[int, Meta(ge=0)] | None = None
    calibration: CalibrationRef | None = None


class QuantumBackend(Declared, kw_only=True):
    """A QPU or simulator that takes tasks; cluster-scoped."""

    api_version: Literal["qsched.io/v1alpha1"] = API_VERSION
    kind: Literal["QuantumBackend"] = "QuantumBackend"
    metadata: ObjectMeta
    spec: BackendSpec
    status: BackendStatus = msgspec.field(default_factory=BackendStatus)
