"""The requests of Azure Quantum: tokens, the workspace, its targets and its jobs."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qsched_emulators.azure_bills import bill
from qsched_emulators.azure_programs import ProgramError, parse, written
from qsched_emulators.azure_storage import ACCOUNT, Storage
from qsched_emulators.twins import now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from qsched_emulators.azure_programs import Parsed
    from qsched_emulators.twins import Cloud, Record

_W = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Quantum/workspaces/{workspace}"
_STATES = {"Queued": "Waiting", "Running": "Executing"}
_OUTPUT = "rawOutputData"
_LIFE_S = 3600

_ELSEWHERE = {
    "pasqal": [("pasqal.qpu.fresnel", "Available"), ("pasqal.sim.emu-tn", "Available")],
    "toshiba": [("toshiba.sbm.ising", "Available")],
    "ionq": [("ionq.qpu.aria-2", "Deleted")],
}
"""Targets on which nothing runs here: of other paradigms, or retired."""


class Api:
    """One workspace."""

    tenant = "aaaaaaaa-0000-4000-8000-000000000001"
    client = "aaaaaaaa-0000-4000-8000-000000000002"
    subscription = "aaaaaaaa-0000-4000-8000-000000000003"
    group = "emulated"
    workspace = "qsched"

    def __init__(self, cloud: Cloud, url: str) -> None:
        """Take the devices of a cloud as targets.

        Args:
            cloud: The devices.
            url: Where the emulator listens.
        """
        self.secret = secrets.token_urlsafe(24)
        self._cloud = cloud
        self._url = url
        self._tokens: set[str] = set()
        self._storage = Storage(url, self._result)
        self._life = cloud.devices
        route = self._route
        self.app = Starlette(
            routes=[
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self._discover),
                Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                Route(f"/{ACCOUNT}/{{container}}/{{name:path}}", self._blob, methods=["GET", "PUT"]),
                route("", self._resource),
                route("/providerStatus", self._targets),
                route("/storage/sasUri", self._signed, "POST"),
                route("/jobs", self._jobs),
                route("/jobs/{job}:cancel", self._cancel, "POST"),
                route("/jobs/{job}", self._get),
                route("/jobs/{job}", self._put, "PUT"),
            ]
        )

    def _route(
        self, path: str, answer: Callable[[Request], Awaitable[Response]], method: str = "GET"
    ) -> Route:
        async def checked(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or token not in self._tokens:
                return error(401, "Unauthorized", "The access token is missing or not valid.")
            names = [request.path_params[each] for each in ("subscription", "group", "workspace")]
            if names != [self.subscription, self.group, self.workspace]:
                what = f"The Resource 'Microsoft.Quantum/workspaces/{names[2]}' was not found."
                return error(404, "ResourceNotFound", what)
            self._forget()
            return await answer(request)

        return Route(_W + path, checked, methods=[method])

    def _forget(self) -> None:
        """A cloud that was reset has new devices; its jobs are gone, and so is what they stored."""
        if self._life is not self._cloud.devices:
            self._life = self._cloud.devices
            self._storage.clear()

    async def _discover(self, request: Request) -> Response:
        tenant = request.path_params["tenant"]
        if tenant != self.tenant:
            return JSONResponse(
                {
                    "error": "invalid_tenant",
                    "error_description": f"AADSTS90002: Tenant '{tenant}' not found.",
                },
                400,
            )
        root = f"{self._url}/{tenant}"
        return JSONResponse(
            {
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
            }
        )

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if (form.get("client_id"), form.get("client_secret")) != ([self.client], [self.secret]):
            words = "AADSTS7000215: Invalid client secret provided."
            return JSONResponse(
                {"error": "invalid_client", "error_description": words, "error_codes": [7000215]}, 401
            )
        token = secrets.token_urlsafe(48)
        self._tokens.add(token)
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": _LIFE_S,
                "ext_expires_in": _LIFE_S,
                "access_token": token,
            }
        )

    async def _blob(self, request: Request) -> Response:
        self._forget()
        return await self._storage.answer(request)

    async def _resource(self, request: Request) -> Response:
        return JSONResponse(
            {
                "id": request.url.path,
                "name": self.workspace,
                "type": "microsoft.quantum/workspaces",
                "location": "eastus",
                "properties": {
                    "provisioningState": "Succeeded",
                    "endpointUri": f"{self._url}/",
                    "workspaceKind": "V2",
                },
            }
        )

    async def _targets(self, request: Request) -> Response:
        providers: dict[str, list[dict[str, Any]]] = {}
        for name, device in self._cloud.devices.items():
            waits_s = self._cloud.waiting(name) * (device.wait_s + device.run_s) / device.slots
            providers.setdefault(name.partition(".")[0], []).append(
                {
                    "id": name,
                    "currentAvailability": "Available" if device.online else "Unavailable",
                    "averageQueueTime": round(waits_s),
                    "statusPage": "",
                    "numQubits": device.qubits,
                }
            )
        for provider, targets in _ELSEWHERE.items():
            providers.setdefault(provider, []).extend(
                {"id": name, "currentAvailability": availability, "averageQueueTime": 0}
                for name, availability in targets
            )
        return JSONResponse(
            {
                "value": [
                    {"id": provider, "currentAvailability": "Available", "targets": targets}
                    for provider, targets in providers.items()
                ]
            }
        )

    async def _signed(self, request: Request) -> Response:
        asked = await request.json()
        return JSONResponse({"sasUri": self._storage.signed(asked["containerName"], asked.get("blobName"))})

    async def _jobs(self, request: Request) -> Response:
        match = re.search(r"startswith\(Name, ?'([^']*)'\)", request.query_params.get("$filter", ""))
        start = match[1] if match else ""
        found = [self._told(record) for record in self._cloud.records.values()]
        return JSONResponse({"value": [job for job in found if job["name"].startswith(start)]})

    async def _get(self, request: Request) -> Response:
        record = self._cloud.records.get(request.path_params["job"])
        return JSONResponse(self._told(record)) if record else _no_job(request)

    async def _put(self, request: Request) -> Response:
        job_id, details = request.path_params["job"], await request.json()
        record = self._cloud.records.get(job_id)
        if record is not None:
            return JSONResponse(self._told(record))
        device = self._cloud.devices.get(details["target"])
        if device is None or details["providerId"] != details["target"].partition(".")[0]:
            return error(400, "InvalidTarget", f"The target {details['target']} is not in this workspace.")
        container = f"job-{job_id}"
        program = self._storage.read(container, "inputData")
        if program is None or f"/{container}/" not in details["inputDataUri"]:
            return error(400, "InvalidInputDataUri", "The job's input data cannot be read.")
        shots = details["inputParams"].get("shots")
        if not isinstance(shots, int) or not 1 <= shots <= 100_000:
            return error(400, "InvalidInputParams", "The number of shots is missing or out of range.")
        try:
            parsed = parse(details["inputDataFormat"], program, details["inputParams"])
        except ProgramError as problem:
            return error(400, "InvalidInputData", str(problem))
        if parsed.circuit.num_qubits > device.qubits:
            return error(400, "InvalidInputData", f"The program needs more than {device.qubits} qubits.")
        record = self._cloud.submit(
            device.name,
            [parsed.circuit],
            shots=shots,
            key=details["name"],
            native=parsed.native,
            tags=details.get("tags") or (),
            kept=(details, parsed),
            task_id=job_id,
        )
        record.charge = bill(device.name, parsed.circuit, shots)
        return JSONResponse(self._told(record), 201)

    async def _cancel(self, request: Request) -> Response:
        job_id = request.path_params["job"]
        if job_id not in self._cloud.records:
            return _no_job(request)
        if not self._cloud.cancel(job_id):
            return error(409, "JobAlreadyCompleted", "The job has ended and cannot be cancelled.")
        return Response(status_code=204)

    def _told(self, record: Record) -> dict[str, Any]:
        details, parsed = record.kept
        status = _STATES.get(record.state, record.state)
        if not record.done and self._cloud.disturbance.strange_state:
            status = self._cloud.disturbance.strange_state
        told = {
            **details,
            "id": record.id,
            "itemType": "Job",
            "jobType": "QuantumComputing",
            "status": status,
            "creationTime": _time(record.created),
            "beginExecutionTime": _time(record.started),
            "endExecutionTime": _time(record.ended),
            "outputDataUri": f"{self._url}/{ACCOUNT}/job-{record.id}/{_OUTPUT}",
            "outputDataFormat": parsed.output_format,
        }
        if record.state == "Failed":
            told["errorData"] = {"code": "ExecutionFailed", "message": record.message}
        if record.state == "Succeeded" and record.charge:
            total = float(record.charge)
            # Quantinuum charges credits of its own.
            currency = "HQC" if record.device.startswith("quantinuum.") else "USD"
            told["costEstimate"] = {"currencyCode": currency, "events": [], "estimatedTotal": total}
        return told

    def _result(self, container: str, name: str) -> bytes | None:
        record = self._cloud.records.get(container.removeprefix("job-"))
        if name != _OUTPUT or record is None or not self._cloud.result_is_there(record):
            return None
        parsed: Parsed = record.kept[1]
        (counts,) = self._cloud.counts(record)
        return written(parsed, counts, record.shots)


def error(status: int, code: str, message: str) -> Response:
    """An error as Azure answers it."""
    return JSONResponse({"error": {"code": code, "message": message, "timestamp": _time(now())}}, status)


def _no_job(request: Request) -> Response:
    return error(404, "JobNotFound", f"There is no job {request.path_params['job']} in this workspace.")


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
