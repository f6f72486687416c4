"""Amazon Braket, the part of S3 that its results are read from, and STS, which says whose account it is.

Requests and answers have the form of the service description that botocore ships (``braket/2019-09-01``). A
region has its own devices and tasks; which one a request is for is in its signature. S3 is below ``/s3``.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qsched_emulators.braket_answers import (
    KEY,
    S3_FAULTS,
    SECRET,
    Refusal,
    RefusedError,
    json_error,
    signed_region,
    xml_error,
)
from qsched_emulators.braket_devices import MODELS, describe, devices
from qsched_emulators.braket_programs import (
    Read,
    WrongProgramError,
    native_circuit,
    plain_circuit,
    read_program,
)
from qsched_emulators.braket_results import results
from qsched_emulators.serve import Emulation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qiskit import QuantumCircuit
    from starlette.requests import Request

    from qsched_emulators.braket_devices import Model
    from qsched_emulators.twins import Cloud, Record

__all__ = ["CALLS", "devices", "provider"]

CALLS = {
    "submit": ("POST", "^/quantum-task$"),
    "poll": ("GET", "^/quantum-task/"),
    "cancel": ("PUT", "^/quantum-task/"),
    "find": ("POST", "^/quantum-tasks$"),
    "status": ("GET", "^/device/"),
    "calibration": ("GET", "^/device/"),
    "devices": ("POST", "^/devices$"),
    "result": ("GET", "^/s3/"),
}

_ACCOUNT = "123456789012"
_BUCKET = "amazon-braket-emulator"
_STATES = {
    "Queued": "QUEUED",
    "Running": "RUNNING",
    "Succeeded": "COMPLETED",
    "Failed": "FAILED",
    "Cancelled": "CANCELLED",
}
_FILTERS = ("quantumTaskArn", "deviceArn", "jobArn", "status", "createdAt")
_MOST_IN_QUEUE = 4000


def provider(cloud: Cloud, url: str) -> Emulation:
    """The emulator; see ``serve``."""
    service = _Service(cloud)
    return Emulation(
        app=service.app,
        refusal=Refusal,
        parameters={
            "region": "us-east-1",
            "regions": ["us-east-1", "us-west-1", "eu-north-1"],
            "endpoint": url,
            "s3Endpoint": f"{url}/s3",
            "bucket": _BUCKET,
        },
        credentials={"accessKeyId": KEY, "secretAccessKey": SECRET},
        environment={
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_BRAKET": url,
            "AWS_ENDPOINT_URL_S3": f"{url}/s3",
            "AWS_ENDPOINT_URL_STS": f"{url}/sts",
        },
    )


@dataclass(frozen=True)
class _Kept:
    """What the emulator keeps with a task.

    Attributes:
        client_token: Makes it once.
        asked: The whole request, which a second one with the same client token must equal.
        bucket: Where results go.
        folder: Likewise.
        measured: The qubit of each bit.
        source: The program.
        tags: What the client attached.
    """

    client_token: str
    asked: str
    bucket: str
    folder: str
    measured: tuple[int, ...]
    source: str
    tags: Mapping[str, str]


class _Service:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._buckets = {_BUCKET}
        self._denied: set[str] = set()
        self.app = Starlette(
            routes=[
                Route("/devices", self._answers(self._search_devices), methods=["POST"]),
                Route("/device/{arn:path}", self._answers(self._get_device), methods=["GET"]),
                Route("/quantum-tasks", self._answers(self._search_tasks), methods=["POST"]),
                Route("/quantum-task", self._answers(self._create), methods=["POST"]),
                Route("/quantum-task/{arn:path}/cancel", self._answers(self._cancel), methods=["PUT"]),
                Route("/quantum-task/{arn:path}", self._answers(self._get_task), methods=["GET"]),
                Route("/sts", self._account, methods=["POST"]),
                Route("/s3/{bucket}/{key:path}", self._object, methods=["GET"]),
                Route("/s3/{bucket}", self._bucket, methods=["PUT", "DELETE"]),
            ]
        )

    def _answers(self, handle: Callable[[str, Mapping[str, Any], Any], Response]) -> Any:
        async def answer(request: Request) -> Response:
            try:
                body = await request.body()
                region = signed_region(request, body)
                return handle(
                    region, {**request.path_params, "agent": _agent(request)}, json.loads(body or b"{}")
                )
            except RefusedError as error:
                return json_error(*error.args)

        return answer

    def _search_devices(self, region: str, path: Mapping[str, Any], asked: Any) -> Response:
        there = [model for model in MODELS.values() if model.region in {"", region}]
        return JSONResponse({"devices": [self._summary(model) for model in there]})

    def _get_device(self, region: str, path: Mapping[str, Any], asked: Any) -> Response:
        model = _model(region, path["arn"])
        capabilities = describe(model, self._cloud.devices[model.arn].calibration)
        if "BraketSchemas/" not in path["agent"]:  # so does the service, for clients from before OpenQASM
            capabilities["action"].pop("braket.ir.openqasm.program", None)
        waiting = self._cloud.waiting(model.arn)
        size = f">{_MOST_IN_QUEUE}" if waiting > _MOST_IN_QUEUE else str(waiting)
        queues = [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": size, "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "0", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0"},
        ]
        return JSONResponse(
            {
                **self._summary(model),
                "deviceCapabilities": json.dumps(capabilities),
                "deviceQueueInfo": queues,
            }
        )

    def _create(self, region: str, path: Mapping[str, Any], asked: Any) -> Response:
        model = _model(region, asked["deviceArn"])
        whole = json.dumps({**asked, "clientToken": ""}, sort_keys=True)
        for record in self._cloud.records.values():
            if record.kept.client_token == asked["clientToken"] and _region_of(record.id) == region:
                if record.kept.asked != whole:
                    raise _invalid("The client token was used for another request")
                return JSONResponse({"quantumTaskArn": record.id}, status_code=201)
        circuit, program = self._checked(model, asked)
        task_id = str(uuid.uuid4())
        arn = f"arn:aws:braket:{region}:{_ACCOUNT}:quantum-task/{task_id}"
        tags = asked.get("tags", {})
        self._cloud.submit(
            model.arn,
            [circuit],
            shots=asked["shots"],
            key=f"{tags.get('qsched-token', asked['clientToken'])} {tags.get('qsched-part', 0)}",
            native=program.verbatim,
            kept=_Kept(
                client_token=asked["clientToken"],
                asked=whole,
                bucket=asked["outputS3Bucket"],
                folder=f"{asked['outputS3KeyPrefix']}/{task_id}",
                measured=tuple(program.measured[bit] for bit in sorted(program.measured)),
                source=json.loads(asked["action"])["source"],
                tags=tags,
            ),
            task_id=arn,
        )
        return JSONResponse({"quantumTaskArn": arn}, status_code=201)

    def _checked(self, model: Model, asked: Any) -> tuple[QuantumCircuit, Read]:
        """The circuit to run, if the service would take it."""
        device = self._cloud.devices[model.arn]
        if model.retired:
            raise RefusedError(410, "DeviceRetiredException", "The specified device has been retired.")
        if model.analogue:
            raise _invalid("Device does not support the action braket.ir.openqasm.program")
        if not device.online:
            raise RefusedError(424, "DeviceOfflineException", "The specified device is currently offline.")
        if asked["outputS3Bucket"] not in self._buckets - self._denied:
            raise _invalid(f"Caller doesn't have access to {asked['outputS3Bucket']} or it doesn't exist.")
        if not model.shots[0] <= asked["shots"] <= model.shots[1]:
            raise _invalid(f"Shots must be between {model.shots[0]} and {model.shots[1]}")
        if len(asked.get("tags", {})) > 50:
            raise _invalid("A resource takes 50 tags at most")
        try:
            program = read_program(json.loads(asked["action"])["source"])
            if program.verbatim and device.calibration is not None:
                circuit = native_circuit(program, model.natives, device.calibration, model.first)
            else:
                circuit = plain_circuit(program)
        except WrongProgramError as error:
            raise _invalid(str(error)) from error
        if circuit.num_qubits > device.qubits:
            raise _invalid(f"Device has {device.qubits} qubits, the program {circuit.num_qubits}")
        return circuit, program

    def _get_task(self, region: str, path: Mapping[str, Any], asked: Any) -> Response:
        record = self._record(region, path["arn"])
        ahead = [
            each.id
            for each in self._cloud.records.values()
            if each.device == record.device and each.state == "Queued"
        ]
        position = str(ahead.index(record.id) + 1) if record.id in ahead else "None"
        return JSONResponse(
            {
                **self._told(record),
                "deviceParameters": "{}",
                "queueInfo": {
                    "queue": "QUANTUM_TASKS_QUEUE",
                    "position": position,
                    "queuePriority": "Normal",
                },
                **({"failureReason": record.message} if record.state == "Failed" else {}),
            }
        )

    def _search_tasks(self, region: str, path: Mapping[str, Any], asked: Any) -> Response:
        for each in asked["filters"]:
            if each["name"] not in _FILTERS and not each["name"].startswith("tags:"):
                raise _invalid(f"{each['name']} is not a filter")
        found = [
            self._told(record)
            for record in self._cloud.records.values()
            if _region_of(record.id) == region and all(_passes(record, each) for each in asked["filters"])
        ]
        start, most = int(asked.get("nextToken", 0)), asked.get("maxResults", 100)
        more = {"nextToken": str(start + most)} if start + most < len(found) else {}
        return JSONResponse({"quantumTasks": found[start : start + most], **more})

    def _cancel(self, region: str, path: Mapping[str, Any], asked: Any) -> Response:
        record = self._record(region, path["arn"])
        if not self._cloud.cancel(record.id):
            raise RefusedError(409, "ConflictException", "The quantum task is in a terminal state")
        return JSONResponse({"quantumTaskArn": record.id, "cancellationStatus": "CANCELLING"})

    async def _account(self, request: Request) -> Response:
        """STS: whose the credentials are."""
        signed_region(request, await request.body())
        name = "GetCallerIdentity"
        body = f"<{name}Response><{name}Result><Account>{_ACCOUNT}</Account></{name}Result></{name}Response>"
        return Response(body, media_type="text/xml")

    async def _object(self, request: Request) -> Response:
        bucket, key = request.path_params["bucket"], request.path_params["key"]
        try:
            signed_region(request, await request.body())
        except RefusedError:
            return xml_error(*S3_FAULTS["revoked"])
        if bucket not in self._buckets:
            return xml_error(404, "NoSuchBucket", "The specified bucket does not exist")
        if bucket in self._denied:
            return xml_error(403, "AccessDenied", "Access Denied")
        for record in self._cloud.records.values():
            if f"{record.kept.folder}/results.json" == key and self._cloud.result_is_there(record):
                kept = record.kept
                body = results(
                    MODELS[record.device], record, self._cloud.counts(record)[0], kept.measured, kept.source
                )
                return Response(body, media_type="application/json")
        return xml_error(404, "NoSuchKey", "The specified key does not exist.")

    async def _bucket(self, request: Request) -> Response:
        """Make and delete a bucket; any policy put on it denies access."""
        bucket = request.path_params["bucket"]
        if request.method == "DELETE":
            self._buckets.discard(bucket)
        elif "policy" in request.query_params:
            self._denied.add(bucket)
        else:
            self._buckets.add(bucket)
            self._denied.discard(bucket)
        return Response(status_code=204 if request.method == "DELETE" else 200)

    def _record(self, region: str, arn: str) -> Record:
        record = self._cloud.records.get(arn)
        if record is None or _region_of(arn) != region:
            raise RefusedError(404, "ResourceNotFoundException", f"Quantum task {arn} not found")
        return record

    def _summary(self, model: Model) -> dict[str, str]:
        online = self._cloud.devices[model.arn].online
        return {
            "deviceArn": model.arn,
            "deviceName": model.name,
            "providerName": model.provider,
            "deviceType": "SIMULATOR" if model.simulator else "QPU",
            "deviceStatus": "RETIRED" if model.retired else "ONLINE" if online else "OFFLINE",
        }

    def _told(self, record: Record) -> dict[str, Any]:
        strange = self._cloud.disturbance.strange_state
        return {
            "quantumTaskArn": record.id,
            "status": strange if strange and not record.done else _STATES[record.state],
            "deviceArn": record.device,
            "shots": record.shots,
            "outputS3Bucket": record.kept.bucket,
            "outputS3Directory": record.kept.folder,
            "createdAt": record.created.isoformat(),
            "tags": dict(record.kept.tags),
            **({"endedAt": record.ended.isoformat()} if record.ended is not None else {}),
        }


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _model(region: str, arn: str) -> Model:
    model = MODELS.get(arn)
    if model is None or model.region not in {"", region}:
        raise RefusedError(404, "ResourceNotFoundException", f"Device {arn} not found")
    return model


def _region_of(arn: str) -> str:
    return arn.split(":")[3]


def _passes(record: Record, asked: Mapping[str, Any]) -> bool:
    name, values = asked["name"], asked["values"]
    if name.startswith("tags:"):
        return record.kept.tags.get(name.removeprefix("tags:")) in values
    held = {"quantumTaskArn": record.id, "deviceArn": record.device, "status": _STATES[record.state]}
    return held.get(name) in values


def _invalid(words: str) -> RefusedError:
    return RefusedError(400, "ValidationException", words)
