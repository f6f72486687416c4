"""An emulator of IBM Quantum: the REST calls that qiskit-ibm-runtime makes.

One address serves them all: tokens for API keys (IAM), the search for instances and their plans, and the
service itself below ``/api/v1``; a second time below ``/experimental``, because the client takes a whole
address from the environment only if that word is in it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from qsched_emulators.ibm_devices import configuration, devices, listed, properties, status
from qsched_emulators.ibm_jobs import RefusedError, job, matching, metrics, read_order, results
from qsched_emulators.serve import Emulation
from qsched_emulators.twins import now

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from qsched_emulators.twins import Cloud, Record

__all__ = ["CALLS", "devices", "provider"]

API_KEY = "emulated-api-key-of-ibm-4711"
INSTANCE = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123456789abcdef:1111-2222-3333::"
_PLAN = "plan-1"
_TOKEN_S = 3600
_LIMIT_S = 600
_SERVICE = r"^/(api/v1|experimental)"

CALLS = {
    "devices": ("GET", _SERVICE + r"/backends$"),
    "status": ("GET", _SERVICE + r"/backends/[^/]+/status$"),
    "calibration": ("GET", _SERVICE + r"/backends/[^/]+/properties$"),
    "submit": ("POST", _SERVICE + r"/jobs$"),
    "find": ("GET", _SERVICE + r"/jobs$"),
    "poll": ("GET", _SERVICE + r"/jobs/[^/]+$"),
    "result": ("GET", _SERVICE + r"/jobs/[^/]+/results$"),
    "cancel": ("POST", _SERVICE + r"/jobs/[^/]+/cancel$"),
}
"""The requests by which a driver does each of its methods. Many jobs are polled by the list of ``find``."""

_WORDS = {
    "429": (1429, "Too many requests.", "Wait as long as Retry-After says."),
    "500": (9999, "Internal error.", "Try again later."),
    "500-after": (9999, "Internal error.", "Try again later."),
    "503": (9998, "Service unavailable.", "Try again later."),
    "expired": (1001, "The token has expired.", "Get another token."),
    "revoked": (1002, "The credentials were revoked.", "Make another API key."),
}


def provider(cloud: Cloud, url: str) -> Emulation:
    """The service, and how to reach it."""
    service = _Service(cloud)
    return Emulation(
        app=service.app,
        refusal=lambda status_code, kind: refused(status_code, *_WORDS[kind]),
        parameters={"url": url, "instance": INSTANCE},
        credentials={"token": API_KEY},
        environment={
            "QISKIT_IBM_TOKEN": API_KEY,
            "QISKIT_IBM_INSTANCE": INSTANCE,
            "QISKIT_IBM_URL": f"{url}/experimental",
            "IAM_URL": url,
            "GLOBAL_SEARCH_URL": url,
            "GLOBAL_CATALOG_URL": f"{url}/catalog",
        },
    )


def refused(status_code: int, code: int | str, message: str, solution: str = "") -> Response:
    """An error answer in IBM's form."""
    error = {
        "code": code,
        "message": message,
        "solution": solution,
        "more_info": "https://example.com/errors",
    }
    return JSONResponse({"errors": [error], "trace": uuid.uuid4().hex}, status_code)


class _Service:
    """Its endpoints."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._tokens: dict[str, float] = {}
        self._sessions: dict[str, dict[str, Any]] = {}
        routes = [
            Route("/backends", self._backends),
            Route("/backends/{name}/{what}", self._backend),
            Route("/instances/usage", self._usage),
            Route("/jobs", self._submit, methods=["POST"]),
            Route("/jobs", self._list, methods=["GET"]),
            Route("/jobs/{id}", self._job),
            Route("/jobs/{id}/results", self._results),
            Route("/jobs/{id}/metrics", self._metrics),
            Route("/jobs/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/sessions", self._open, methods=["POST"]),
            Route("/sessions/{id}", self._session, methods=["GET", "PATCH"]),
            Route("/sessions/{id}/close", self._close, methods=["DELETE"]),
        ]
        guard = [Middleware(_Guard, tokens=self._tokens)]
        self.app = Starlette(
            routes=[
                Route("/identity/token", self._token, methods=["POST"]),
                Route("/v3/resources/search", self._search, methods=["POST"]),
                Route("/catalog/{plan}", self._plan),
                Mount("/api/v1", routes=routes, middleware=guard),
                Mount("/experimental", routes=routes, middleware=guard),
            ]
        )

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form.get("apikey") != [API_KEY]:
            words = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
            return JSONResponse(words, 400)
        now = int(time.time())
        token = _jwt({"iat": now, "exp": now + _TOKEN_S, "jti": secrets.token_hex(8)})
        self._tokens[token] = now + _TOKEN_S
        return JSONResponse(
            {
                "access_token": token,
                "refresh_token": "not_supported",
                "token_type": "Bearer",
                "expires_in": _TOKEN_S,
                "expiration": now + _TOKEN_S,
            }
        )

    async def _search(self, request: Request) -> Response:
        instance = {
            "crn": INSTANCE,
            "name": "emulated",
            "service_plan_unique_id": _PLAN,
            "tags": [],
            "doc": {"extensions": {"backends": list(self._cloud.devices)}},
        }
        return JSONResponse({"items": [instance], "limit": 100})

    async def _plan(self, request: Request) -> Response:
        plan = {"overview_ui": {"en": {"display_name": "Open"}}, "metadata": {"pricing": {"type": "free"}}}
        return JSONResponse(plan)

    async def _backends(self, request: Request) -> Response:
        told = [listed(self._cloud, name) for name in self._cloud.devices]
        if request.query_params.get("include_mocks"):
            told += [{**each, "name": "mock_" + each["name"], "class": "mock"} for each in told]
        return JSONResponse({"devices": told})

    async def _backend(self, request: Request) -> Response:
        name, what = request.path_params["name"], request.path_params["what"]
        if name not in self._cloud.devices:
            return refused(404, "not_found", "device not found")
        if what == "configuration":
            return JSONResponse(configuration(name))
        if what == "properties":
            return JSONResponse(properties(self._cloud, name))
        return JSONResponse(status(self._cloud, name))

    async def _usage(self, request: Request) -> Response:
        used_up = self._cloud.disturbance.used_up
        return JSONResponse(
            {
                "usage_consumed_seconds": _LIMIT_S if used_up else 0,
                "usage_limit_seconds": _LIMIT_S,
                "usage_limit_reached": used_up,
            }
        )

    async def _submit(self, request: Request) -> Response:
        try:
            order = read_order(self._cloud, await request.body())
        except RefusedError as error:
            return refused(error.status, error.code, str(error), "Check what was submitted.")
        if self._cloud.disturbance.used_up:
            return refused(409, 1224, "Usage exceeds instance limit.", "Wait for the next period.")
        if order.session and not self._sessions.get(order.session, {}).get("accepting_jobs"):
            return refused(400, 1217, f"Session {order.session} has been closed.")
        task_id = "d" + uuid.uuid4().hex[:19]
        record = self._cloud.submit(
            order.device,
            order.circuits,
            shots=order.shots,
            key=order.key or task_id,
            native=True,
            tags=order.tags,
            kept=order,
            task_id=task_id,
        )
        return JSONResponse({"id": record.id, "backend": record.device})

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        late = dt.timedelta(seconds=self._cloud.disturbance.listed_late_s)
        listed = [each for each in self._cloud.records.values() if now() >= each.created + late]
        found = matching(listed, query, query.getlist("tags"))
        start = int(query.get("offset", 0))
        page = found[start : start + int(query.get("limit", 200))]
        told = [job(self._cloud, record, params=False) for record in page]
        return JSONResponse({"jobs": told, "count": len(found), "offset": start})

    async def _job(self, request: Request) -> Response:
        record = self._record(request)
        if record is None:
            return _no_job(request)
        params = request.query_params.get("exclude_params") != "true"
        return JSONResponse(job(self._cloud, record, params=params))

    async def _results(self, request: Request) -> Response:
        record = self._record(request)
        if record is None:
            return _no_job(request)
        told = results(self._cloud, record)
        return Response(told, media_type="application/json") if told else Response(status_code=204)

    async def _metrics(self, request: Request) -> Response:
        record = self._record(request)
        return _no_job(request) if record is None else JSONResponse(metrics(self._cloud, record))

    async def _cancel(self, request: Request) -> Response:
        record = self._record(request)
        if record is None:
            return _no_job(request)
        if not self._cloud.cancel(record.id):
            return refused(409, 1292, f"Job {record.id} is {record.state} and cannot be cancelled.")
        return Response(status_code=204)

    async def _open(self, request: Request) -> Response:
        asked = await request.json()
        session = {
            "id": uuid.uuid4().hex,
            "backend_name": asked.get("backend"),
            "mode": asked.get("mode", "dedicated"),
            "state": "open",
            "accepting_jobs": True,
        }
        self._sessions[session["id"]] = session
        return JSONResponse(session)

    async def _session(self, request: Request) -> Response:
        session = self._sessions.get(request.path_params["id"])
        if session is None:
            return refused(404, 1213, "Session not found.")
        if request.method == "PATCH":
            session |= {"accepting_jobs": False, "state": "closed"}
            return Response(status_code=204)
        return JSONResponse(session)

    async def _close(self, request: Request) -> Response:
        session = self._sessions.get(request.path_params["id"])
        if session is None:
            return refused(404, 1213, "Session not found.")
        session |= {"accepting_jobs": False, "state": "closed"}
        for record in list(self._cloud.records.values()):
            if record.kept.session == session["id"]:
                self._cloud.cancel(record.id)
        return Response(status_code=204)

    def _record(self, request: Request) -> Record | None:
        return self._cloud.records.get(request.path_params["id"])


class _Guard:
    """Lets in who has a token that was given out, for the one instance."""

    def __init__(self, app: ASGIApp, tokens: dict[str, float]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or self._tokens.get(token, 0.0) < time.time():
            answer = refused(401, 1001, "The token is missing, wrong or expired.", "Get another token.")
        elif headers.get("service-crn") != INSTANCE:
            answer = refused(403, 1004, "The instance is unknown, or not yours.", "Check the CRN.")
        else:
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


def _no_job(request: Request) -> Response:
    return refused(404, 1291, f"Job not found. Job ID: {request.path_params['id']}", "Verify the job ID.")


def _jwt(claims: dict[str, Any]) -> str:
    """A token that can be read and is signed by nobody."""
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    words = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*words, base64.urlsafe_b64encode(b"no signature").rstrip(b"=").decode()])
