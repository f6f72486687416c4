"""``QuantumCircuitJob``: what a user declares, and what qsched says of it."""

# ruff: noqa: RUF012, TC001 -- msgspec copies mutable defaults, and reads annotations when it runs.

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from qsched.api.base import (
    API_VERSION,
    CircuitName,
    Conditions,
    Declared,
    Labels,
    Name,
    ObjectMeta,
    Text,
    Time,
    Uri,
)
from qsched.api.quantities import Amount, Currency, Duration

Objective = Literal["balanced", "fidelity", "speed", "cost"]
Phase = Literal[
    "Pending",
    "Placed",
    "Submitting",
    "Queued",
    "Running",
    "Collecting",
    "Suspended",
    "Complete",
    "Failed",
    "Cancelled",
]

MAX_SHOTS = 10_000_000
MAX_CIRCUITS = 300
MAX_PODS = 64
MAX_CONTAINERS = 64
MAX_INT32 = 2**31 - 1


class ConfigMapKey(Declared, frozen=True, kw_only=True):
    """A circuit kept in a ConfigMap of the job's namespace.

    Attributes:
        name: The ConfigMap.
        key: The key in it that holds the circuit.
    """

    name: Name
    key: Annotated[str, Meta(max_length=253, min_length=1)]


class Circuit(Declared, frozen=True, kw_only=True):
    """One OpenQASM 2/3 or QPY program of a job; exactly one source.

    Attributes:
        name: Unique within the job.
        qasm: OpenQASM 2 or 3 source text.
        config_map_ref: The key of a ConfigMap that holds the circuit.
        uri: Where the circuit can be read: OpenQASM text or QPY.
        parameters: Values of the circuit's free parameters.
    """

    name: CircuitName
    qasm: Annotated[str, Meta(min_length=1, max_length=1_000_000)] | None = None
    config_map_ref: ConfigMapKey | None = None
    uri: Uri | None = None
    parameters: Annotated[dict[str, float], Meta(max_length=1024)] = {}


Weight = Annotated[float, Meta(ge=0, le=1e6)]


class Weights(Declared, frozen=True, kw_only=True):
    """How much each part of the score matters; at least one is positive, only their ratios count.

    Attributes:
        fidelity: Weight of the estimated success probability.
        wait: Weight of an early end.
        coherence: Weight of the margin of the coherence window.
        cost: Weight of a low cost.
    """

    fidelity: Weight = 0.0
    wait: Weight = 0.0
    coherence: Weight = 0.0
    cost: Weight = 0.0


class Money(Declared, frozen=True, kw_only=True):
    """An amount of money; amounts in different currencies are never compared.

    Attributes:
        amount: How much.
        currency: Of which currency.
    """

    amount: Amount
    currency: Currency


class Requirements(Declared, frozen=True, kw_only=True):
    """What a backend must offer; a backend that does not is infeasible, with the reason.

    Attributes:
        backends: Only these backends; any when empty.
        backend_selector: Labels that the backend must have.
        min_fidelity: Least estimated success probability, above 0 and at most 1.
        max_cost: The most that the job may cost.
        complete_by: When the job must be done.
        max_queue_time: The longest wait for the device.
        max_calibration_age: How old the device's calibration may be.
        simulators: Whether simulators may, must or must not run the job.
    """

    backends: Annotated[
        list[Name], Meta(max_length=64, extra_json_schema={"x-kubernetes-list-type": "set"})
    ] = []
    backend_selector: Labels = {}
    min_fidelity: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_cost: Money | None = None
    complete_by: Time | None = None
    max_queue_time: Duration | None = None
    max_calibration_age: Duration | None = None
    simulators: Literal["Allowed", "Required", "Forbidden"] = "Allowed"


class Fallback(Declared, frozen=True, kw_only=True):
    """When the job may run on the twin of its chosen backend instead.

    Attributes:
        policy: Never, when the backend is unavailable, or when the deadline would be missed.
        after: How long the backend must have been unavailable; at once when not said.
    """

    policy: Literal["Never", "OnUnavailable", "OnDeadline"] = "Never"
    after: Duration | None = None


class Execution(Declared, frozen=True, kw_only=True):
    """How circuits are prepared for the device.

    Attributes:
        transpile: Who fits the circuits to the device. Local: qsched, so that the circuit that was estimated
            is the one that runs. Provider: they are handed over as they are, and the provider compiles them;
            the estimate is then of another circuit, qsched's own transpilation.
        optimization_level: The transpiler's level, from 0 (none) to 3 (most).
        seed: Makes transpilation and simulation repeatable.
        readout_mitigation: Whether to correct the counts for readout errors. A twin refuses this for dynamic
            circuits; the ideal simulator has no such errors.
        dynamical_decoupling: Whether to fill idle times with echo pulses.
    """

    transpile: Literal["Local", "Provider"] = "Local"
    optimization_level: Annotated[int, Meta(ge=0, le=3)] = 2
    seed: Annotated[int, Meta(ge=0, le=MAX_INT32)] | None = None
    readout_mitigation: bool = False
    dynamical_decoupling: bool = False


# The API server looks into a template no further than this; the pod itself will be checked when it is made.
_OPEN = {"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": True}
PodTemplate = Annotated[
    dict[str, Any],
    Meta(
        max_length=64,
        extra_json_schema={
            "properties": {
                "spec": {
                    **_OPEN,
                    "description": "A PodSpec.",
                    "properties": {
                        "containers": {
                            "description": "The containers, one or more.",
                            "type": "array",
                            "items": _OPEN,
                            "minItems": 1,
                            "maxItems": MAX_CONTAINERS,
                        }
                    },
                    "required": ["containers"],
                }
            },
            "required": ["spec"],
        },
    ),
]


class Classical(Declared, frozen=True, kw_only=True):
    """The classical program of a hybrid job.

    Attributes:
        template: A PodTemplateSpec.
        completions: How many pods run side by side, each with an index from 0; all of them must succeed.
    """

    template: PodTemplate
    completions: Annotated[int, Meta(ge=1, le=MAX_PODS)] = 1


class ResultTarget(Declared, frozen=True, kw_only=True):
    """Where results go.

    Attributes:
        uri: A directory that fsspec can write; the engine's own results directory when not said.
    """

    uri: Uri | None = None


class JobSpec(Declared, frozen=True, kw_only=True):
    """What the user asks for. Only suspend, priority and ttlSecondsAfterFinished may change later.

    Attributes:
        circuits: The programs to run, as one task.
        shots: How often each circuit is run.
        objective: What matters most; a preset of the weights.
        weights: How much each part of the score matters, instead of an objective.
        requirements: What a backend must offer.
        fallback: When the job may run on a simulator that stands in for its backend.
        execution: How circuits are prepared for the device.
        suspend: Whether the job is held back.
        priority: Higher goes first.
        backoff_limit: Retries before the job fails.
        active_deadline_seconds: Seconds after its start at which the job is ended.
        ttl_seconds_after_finished: Seconds after its end at which the job is removed; never when not said.
        managed_by: The controller that looks after the job, when it is not qsched's own.
        classical: The classical program of a hybrid job.
        result: Where results go.
    """

    circuits: Annotated[
        list[Circuit],
        Meta(
            min_length=1,
            max_length=MAX_CIRCUITS,
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    shots: Annotated[int, Meta(ge=1, le=MAX_SHOTS)] = 1024
    objective: Objective = "balanced"
    weights: Weights | None = None
    requirements: Requirements = Requirements()
    fallback: Fallback = Fallback()
    execution: Execution = Execution()
    suspend: bool = False
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    backoff_limit: Annotated[int, Meta(ge=0, le=100)] = 3
    active_deadline_seconds: Annotated[int, Meta(ge=1, le=MAX_INT32)] | None = None
    ttl_seconds_after_finished: Annotated[int, Meta(ge=0, le=MAX_INT32)] | None = None
    managed_by: Annotated[str, Meta(max_length=63)] | None = None
    classical: Classical | None = None
    result: ResultTarget = ResultTarget()


class Estimate(Declared, frozen=True, kw_only=True, gc=False):  # many are made, and none is in a cycle
    """What one backend would make of a job.

    Attributes:
        success: Estimated success probability, a fraction.
        run_s: Seconds on the device, by the formula and by what earlier runs there took.
        run_factor: The part of the latter in it: what earlier runs took over what the formula said of them.
        wait_s: Median seconds until the device starts.
        wait_p90_s: The 90 % quantile of the same.
        cost: In the backend's currency, or None for a backend without a price.
        critical_path_s: Length of the longest circuit up to its last readout, in seconds.
        window_s: The coherence window, theta times T2, in seconds; None for an ideal simulator.
        stage: 1 from the profile alone, 2 from the transpiled circuit.
        provider_compiles: Whether the provider is to compile the circuits, so that the ones that run are not
            those that were estimated.
    """

    success: float
    run_s: float
    run_factor: float = 1.0
    wait_s: float
    wait_p90_s: float
    cost: Money | None = None
    critical_path_s: float
    window_s: float | None = None
    stage: Literal[1, 2] = 1
    provider_compiles: bool = False


class Breakdown(Declared, frozen=True, kw_only=True, gc=False):
    """The four utilities behind a score, each in [0, 1], and the normalised weights."""

    fidelity: float
    wait: float
    coherence: float
    cost: float
    weights: Weights


class Verdict(Declared, frozen=True, kw_only=True, gc=False):
    """One backend's row in the explanation of a job.

    Attributes:
        backend: Its name.
        feasible: Whether the job may run there.
        score: The weighted utility in [0, 1]; 0 for an infeasible backend.
        reasons: Why it is infeasible, every reason, in words.
    """

    backend: Name
    feasible: bool
    score: float
    reasons: Annotated[list[Text], Meta(max_length=32)] = []
    estimate: Estimate | None = None
    breakdown: Breakdown | None = None
    calibration_id: Text | None = None


class Placement(Declared, frozen=True, kw_only=True, gc=False):
    """The choice that was made for a job, and why."""

    backend: Name
    score: float
    breakdown: Breakdown
    estimate: Estimate
    calibration_id: Text | None = None
    runners_up: Annotated[list[Verdict], Meta(max_length=5)] = []
    placed_at: Time | None = None


class Attempt(Declared, frozen=True, kw_only=True):
    """One try at running the job; it makes at most one task.

    Attributes:
        number: From 1.
        token: The idempotency key of the attempt's task.
        backend: Where the task went.
        remote_id: The provider's name for the task, once it is known.
        state: How far the task came.
        reason: Why it ended, for people.
    """

    number: Annotated[int, Meta(ge=1)]
    token: Annotated[str, Meta(max_length=64)]
    backend: Name
    remote_id: Annotated[str, Meta(max_length=512)] | None = None
    state: Literal["Submitting", "Queued", "Running", "Collecting", "Succeeded", "Failed", "Cancelled"]
    reason: Annotated[str, Meta(max_length=1024)] | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


# A result file may hold any number of counts; a status may not, and the CRD says so.
Counts = Annotated[dict[str, int], Meta(extra_json_schema={"maxProperties": 4096})]


class CircuitResult(Declared, frozen=True, kw_only=True):
    """The counts of one circuit.

    Attributes:
        name: The circuit's name in the job.
        counts: Bit strings and how often they were seen; in Qiskit's order (bit 0 rightmost, registers
            separated by a space). None in a status when they are too large to be inlined.
        shots: Shots done.
        transpiled_hash: Content hash of the circuit that really ran.
    """

    name: CircuitName
    counts: Counts | None = None
    shots: int
    transpiled_hash: Text


class Result(Declared, frozen=True, kw_only=True):
    """What came out, and where it came from.

    Attributes:
        cost: What the provider charged if it tells, else an estimate: what the backend's price makes of the
            job and of the seconds that it ran; absent without a price.
        cost_estimated: Whether ``cost`` is that estimate.
        simulated: True when no real device did the work.
        intended_backend: For a fallback, the backend that its twin stands in for.
        wait_s: Seconds from the handover until the device began; absent where the engine was restarted in
            between, since what it had predicted is forgotten.
        run_s: Seconds on the device, as the provider bills them; else from its beginning to its end.
        estimate: What was estimated when the job was handed over, to be held against what came: the wait is
            that in the provider's queue. None for a fallback, since nobody estimates a twin.
    """

    backend: Name
    driver: Text
    remote_id: Text
    calibration_id: Text | None = None
    qsched_version: Text
    circuits: Annotated[list[CircuitResult], Meta(max_length=MAX_CIRCUITS)]
    cost: Money | None = None
    cost_estimated: bool = False
    simulated: bool
    intended_backend: Name | None = None
    wait_s: float | None = None
    run_s: float | None = None
    estimate: Estimate | None = None
    uri: Uri | None = None


class JobStatus(Declared, frozen=True, kw_only=True):
    """What qsched says of a job.

    Attributes:
        lifecycle: What the controller remembers of the job, for the next controller; not for people.
    """

    conditions: Conditions = []
    phase: Phase = "Pending"
    observed_generation: int | None = None
    placement: Placement | None = None
    attempts: Annotated[list[Attempt], Meta(max_length=128)] = []
    result: Result | None = None
    submitted_at: Time | None = None
    started_at: Time | None = None
    finished_at: Time | None = None
    lifecycle: Annotated[str, Meta(max_length=524_288)] | None = None


class QuantumCircuitJob(Declared, frozen=True, kw_only=True):
    """One or more circuits, shots, requirements, an objective, perhaps a classical pod template."""

    api_version: Literal["qsched.io/v1alpha1"] = API_VERSION
    kind: Literal["QuantumCircuitJob"] = "QuantumCircuitJob"
    metadata: ObjectMeta
    spec: JobSpec
    status: JobStatus = JobStatus()
