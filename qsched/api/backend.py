"""``QuantumBackend``: a QPU or simulator that takes tasks."""

# ruff: noqa: RUF012, TC001 -- msgspec copies mutable defaults, and reads annotations when it runs.

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from qsched.api.base import API_VERSION, Conditions, Declared, Json, Name, Namespace, ObjectMeta, Text, Time
from qsched.api.quantities import Amount, Currency, Duration

MAX_WINDOWS = 32

_ZERO = "0"

TimeOfDay = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", max_length=5, title='a UTC time of day such as "08:30"'
    ),
]


class Pricing(Declared, frozen=True, kw_only=True):
    """The price of a task: quantise(max(minimum, a + shots (b + c1 n1 + c2 n2 + cm nm) + d seconds)).

    n1, n2 and nm are one-qubit gates, two-qubit gates and measurements; several circuits of a task add up.

    Attributes:
        currency: The currency of every amount here.
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


class Window(Declared, frozen=True, kw_only=True):
    """A recurring time in which the backend takes tasks; without any it always does.

    Attributes:
        days: Days of the week; every day when empty.
        start: When the backend begins to take tasks.
        end: When it ceases; at or before ``start`` it is on the next day.
    """

    days: Annotated[
        list[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]],
        Meta(max_length=7, extra_json_schema={"x-kubernetes-list-type": "set"}),
    ] = []
    start: TimeOfDay
    end: TimeOfDay


class SecretReference(Declared, frozen=True, kw_only=True):
    """A Secret that holds a provider's credentials.

    Attributes:
        name: The Secret.
        namespace: Its namespace; the controller's own when not said.
    """

    name: Name
    namespace: Namespace | None = None


class BackendSpec(Declared, frozen=True, kw_only=True):
    """How a backend is reached, what it costs, and how much it takes at once.

    Attributes:
        driver: The adapter to its provider, such as aer.
        device: The driver's name for the device.
        credentials_secret_ref: The Secret that holds the provider's credentials.
        parameters: What the driver wants to know besides.
        pricing: What a task costs; the price preset of its device when not said.
        max_in_flight: How many tasks it takes at once.
        paused: Whether it is held back from new tasks.
        location: Where it stands, for people and for placement near it.
        windows: When it takes tasks; always when empty.
        recalibrates_every: How often the device is calibrated; 24h when not said.
    """

    driver: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9_-]*\Z",
            max_length=63,
            title="a driver's name of lower-case letters, digits, '-' and '_'",
        ),
    ]
    device: Annotated[str, Meta(min_length=1, max_length=512)]
    credentials_secret_ref: SecretReference | None = None
    parameters: Json = {}
    pricing: Pricing | None = None
    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 1
    paused: bool = False
    location: Text | None = None
    windows: Annotated[list[Window], Meta(max_length=MAX_WINDOWS)] = []
    recalibrates_every: Duration | None = None


class CalibrationSummary(Declared, frozen=True, kw_only=True):
    """Medians over the usable qubits, for people."""

    qubits: int
    two_qubit_error: float | None = None
    readout_error: float | None = None
    t1_s: float | None = None
    t2_s: float | None = None


class CalibrationRef(Declared, frozen=True, kw_only=True):
    """Which calibration a backend has."""

    id: Annotated[str, Meta(max_length=128)]
    taken_at: Time | None = None
    summary: CalibrationSummary | None = None


class BackendStatus(Declared, frozen=True, kw_only=True):
    """What is known of a backend. An unknown queue depth is absent, never 0.

    Attributes:
        queue_wait_s: The provider's own prediction of the wait in seconds, if it gives one.
        windows: When the device takes tasks, if its provider says so; they hold where the spec has none.
    """

    conditions: Conditions = []
    queue_depth: Annotated[int, Meta(ge=0)] | None = None
    queue_wait_s: Annotated[float, Meta(ge=0)] | None = None
    in_flight: Annotated[int, Meta(ge=0)] | None = None
    windows: Annotated[list[Window], Meta(max_length=MAX_WINDOWS)] = []
    calibration: CalibrationRef | None = None


class QuantumBackend(Declared, frozen=True, kw_only=True):
    """A QPU or simulator that takes tasks; cluster-scoped."""

    api_version: Literal["qsched.io/v1alpha1"] = API_VERSION
    kind: Literal["QuantumBackend"] = "QuantumBackend"
    metadata: ObjectMeta
    spec: BackendSpec
    status: BackendStatus = BackendStatus()
