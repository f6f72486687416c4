"""Jobs of the IBM emulator: sampler jobs read from what the client sends, and told of as its API does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qiskit.circuit import Delay
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder

from qsched_emulators.ibm_devices import configuration
from qsched_emulators.twins import ENDED

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from qiskit import QuantumCircuit

    from qsched_emulators.twins import Cloud, Record

_STATES = {
    "Queued": "Queued",
    "Running": "Running",
    "Succeeded": "Completed",
    "Failed": "Failed",
    "Cancelled": "Cancelled",
}
_DEFAULT_SHOTS = 4096
_PROGRAM = "sampler"


class RefusedError(Exception):
    """A job that the service does not take.

    Attributes:
        status: Of the answer.
        code: IBM's number for it.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


@dataclass
class Order:
    """What a client submitted.

    Attributes:
        device: Where to run.
        circuits: What, with delays in seconds.
        shots: How often, each.
        tags: Of the job.
        session: The session or batch that it is part of; none when empty.
        params: As they were sent.
    """

    device: str
    circuits: list[QuantumCircuit]
    shots: int
    tags: list[str]
    session: str
    params: Any

    @property
    def key(self) -> str:
        """What the job is counted by: the tag that holds qsched's token, or nothing."""
        return next((tag for tag in self.tags if tag.startswith("qsched-")), "")


def read_order(cloud: Cloud, body: bytes) -> Order:
    """What ``POST /jobs`` asks for.

    Raises:
        RefusedError: If the service would not take it.
    """
    plain = json.loads(body)
    name = plain.get("backend", "")
    if plain.get("program_id") != _PROGRAM:
        raise RefusedError(404, 1209, f"Program not found. Program ID: {plain.get('program_id')}")
    if name not in cloud.devices:
        raise RefusedError(404, 1212, f"Backend not found. Backend: {name}")
    params = json.loads(json.dumps(plain["params"]), cls=RuntimeDecoder)
    pubs = params["pubs"]
    circuits = [pub[0] for pub in pubs]
    told = configuration(name)
    shots = next((pub[2] for pub in pubs if len(pub) > 2 and pub[2]), None)
    shots = int(shots or params.get("options", {}).get("default_shots") or _DEFAULT_SHOTS)
    if shots > told["max_shots"]:
        raise RefusedError(400, 8053, f"{shots} shots are more than the {told['max_shots']} of {name}.")
    if not pubs or len(pubs) > told["max_experiments"]:
        raise RefusedError(400, 8052, f"{len(pubs)} circuits; {name} takes 1 to {told['max_experiments']}.")
    widest = max(circuit.num_qubits for circuit in circuits)
    if widest > told["n_qubits"]:
        raise RefusedError(400, 1517, f"{widest} qubits are more than the {told['n_qubits']} of {name}.")
    return Order(
        device=name,
        circuits=[_in_seconds(circuit, told["dt"] * 1e-9) for circuit in circuits],
        shots=shots,
        tags=list(plain.get("tags", ())),
        session=plain.get("session_id", ""),
        params=plain["params"],
    )


def job(cloud: Cloud, record: Record, *, params: bool) -> dict[str, Any]:
    """What ``GET /jobs/ID`` answers.

    Args:
        cloud: Where it is.
        record: The job.
        params: Whether to include what was submitted.
    """
    order: Order = record.kept
    status = _STATES[record.state]
    if cloud.disturbance.strange_state and record.state not in ENDED:
        status = cloud.disturbance.strange_state
    state: dict[str, Any] = {"status": status}
    if record.message:
        state |= {"reason": record.message, "reason_code": 9999}
    told = {
        "id": record.id,
        "backend": record.device,
        "state": state,
        "status": status,
        "program": {"id": _PROGRAM},
        "created": _text(record.created),
        "tags": list(record.tags),
        "private": False,
        "cost": 10_800,
        "usage": {"quantum_seconds": _seconds(cloud, record), "seconds": _seconds(cloud, record)},
    }
    if record.ended:
        told["ended"] = _text(record.ended)
    if order.session:
        told["session_id"] = order.session
    return {**told, "params": order.params} if params else told


def metrics(cloud: Cloud, record: Record) -> dict[str, Any]:
    """What ``GET /jobs/ID/metrics`` answers."""
    times = {"created": record.created, "running": record.started, "finished": record.ended}
    return {
        "timestamps": {name: _text(time) if time else None for name, time in times.items()},
        "usage": {
            "quantum_seconds": _seconds(cloud, record),
            "seconds": _seconds(cloud, record),
            "qpu_charge_time_seconds": _seconds(cloud, record),
            "status": "final" if record.done else "pending",
        },
        "num_circuits": len(record.kept.circuits),
    }


def results(cloud: Cloud, record: Record) -> str:
    """What ``GET /jobs/ID/results`` answers; empty as long as there are none."""
    if record.state == "Failed":
        return f"Traceback (most recent call last):\n  ...\nRuntimeError: {record.message}\n"
    if not cloud.result_is_there(record):
        return ""
    order: Order = record.kept
    pubs = [
        SamplerPubResult(
            DataBin(shape=(), **_registers(circuit, counts)),
            metadata={"circuit_metadata": circuit.metadata or {}},
        )
        for circuit, counts in zip(order.circuits, cloud.counts(record), strict=True)
    ]
    return json.dumps(PrimitiveResult(pubs, metadata={"version": 2}), cls=RuntimeEncoder)


def matching(records: Sequence[Record], query: Mapping[str, Any], tags: Sequence[str]) -> list[Record]:
    """The jobs that ``GET /jobs`` lists, all pages, in the order asked for."""
    pending = query.get("pending")
    found = [
        record
        for record in records
        if set(tags) <= set(record.tags)
        and query.get("backend") in {None, record.device}
        and query.get("session_id") in {None, record.kept.session}
        and pending in {None, "false" if record.done else "true"}
    ]
    return sorted(found, key=lambda each: each.created, reverse=query.get("sort") != "ASC")


OVERHEAD_S = 2.0
"""What IBM bills for a job before its first shot, about, by the execution times that it published."""


def _seconds(cloud: Cloud, record: Record) -> float:
    """What the device is billed for: its own time, for all shots."""
    calibration = cloud.devices[record.device].calibration
    reset_s = calibration.reset_s if calibration is not None else 0.0
    ran = record.started is not None
    return round(OVERHEAD_S + len(record.kept.circuits) * record.shots * (reset_s + 5e-6), 6) if ran else 0.0


def _registers(circuit: QuantumCircuit, counts: Mapping[str, int]) -> dict[str, BitArray]:
    """The shots of each classical register; together they are those of the counts."""
    shots = [key.split(" ")[::-1] for key, count in counts.items() for _ in range(count)]
    return {
        register.name: BitArray.from_samples([shot[number] for shot in shots], num_bits=register.size)
        for number, register in enumerate(circuit.cregs)
    }


def _in_seconds(circuit: QuantumCircuit, dt_s: float) -> QuantumCircuit:
    """The circuit with delays in seconds, as the twins take them; it comes with the device's time steps."""
    new = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name == "delay":
            length_s = round(instruction.operation.duration * dt_s, 12)
            new.append(Delay(length_s, unit="s"), instruction.qubits)
        elif instruction.is_control_flow():
            blocks = [_in_seconds(block, dt_s) for block in instruction.operation.blocks]
            new.append(instruction.replace(operation=instruction.operation.replace_blocks(blocks)))
        else:
            new.append(instruction)
    return new


def _text(time: dt.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
