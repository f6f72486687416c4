"""An Azure Quantum workspace with its tokens, its resource manager and its storage, on one https server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from starlette.responses import JSONResponse

from qsched.presets.published import read_published
from qsched_emulators.azure_api import Api
from qsched_emulators.serve import Emulation
from qsched_emulators.twins import Device

if TYPE_CHECKING:
    from starlette.responses import Response

    from qsched_emulators.twins import Cloud

SCHEME = "https"

_JOB = r"/jobs/[^/:]+$"
CALLS = {
    "token": ("POST", r"/oauth2/v2.0/token$"),
    "connect": ("GET", r"/workspaces/[^/]+$"),
    "devices": ("GET", r"/providerStatus$"),
    "status": ("GET", r"/providerStatus$"),
    "calibration": ("GET", r"/providerStatus$"),
    "submit": ("PUT", _JOB),
    "upload": ("PUT", r"/qschedstorage/"),
    "find": ("GET", _JOB),
    "poll": ("GET", _JOB),
    "result": ("GET", r"/qschedstorage/"),
    "cancel": ("POST", r":cancel$"),
}
"""The requests by which each method of the driver can be disturbed, and the steps before them."""

_WORDS = {
    401: ("Unauthorized", "AADSTS700082: The access token has expired."),
    403: ("Forbidden", "AADSTS7000222: The client's secret was revoked."),
    429: ("TooManyRequests", "Too many requests. Try again later."),
    500: ("InternalError", "The server encountered an internal error."),
    503: ("ServiceUnavailable", "The service is unavailable. Try again later."),
}


def devices(pace: float) -> list[Device]:
    """Devices of three makers, with twins after published figures, and two ideal simulators."""

    def twin(name: str, figures: str, *, wait_s: float, run_s: float) -> Device:
        calibration = read_published(figures)
        return Device(
            name=name,
            calibration=calibration,
            qubits=calibration.qubits,
            wait_s=wait_s * pace,
            run_s=run_s * pace,
        )

    return [
        twin("ionq.qpu.aria-1", "ionq-aria", wait_s=0.2, run_s=0.1),
        twin("ionq.qpu.forte-1", "ionq-forte", wait_s=0.2, run_s=0.1),
        Device(name="ionq.simulator", calibration=None, qubits=29, run_s=0.02 * pace),
        twin("quantinuum.qpu.h2-1", "quantinuum-h2", wait_s=0.3, run_s=0.1),
        twin("quantinuum.sim.h2-1e", "quantinuum-h2", wait_s=0.05, run_s=0.05),
        twin("rigetti.qpu.ankaa-3", "rigetti-ankaa", wait_s=0.1, run_s=0.05),
        Device(name="rigetti.sim.qvm", calibration=None, qubits=20, run_s=0.02 * pace),
    ]


def provider(cloud: Cloud, url: str) -> Emulation:
    """The workspace.

    Args:
        cloud: Its devices.
        url: Where it will listen.
    """
    folder = Path(tempfile.mkdtemp(prefix="qsched-azure-"))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    api = Api(cloud, url)
    return Emulation(
        app=api.app,
        refusal=refusal,
        parameters={
            "subscriptionId": api.subscription,
            "resourceGroup": api.group,
            "workspace": api.workspace,
            "armEndpoint": url,
            "authorityHost": url,
            "caFile": str(folder / "ca.pem"),
        },
        credentials={
            "tenantId": api.tenant,
            "clientId": api.client,
            "clientSecret": api.secret,
        },
        environment={
            "AZURE_TENANT_ID": api.tenant,
            "AZURE_CLIENT_ID": api.client,
            "AZURE_CLIENT_SECRET": api.secret,
        },
        certificate=(str(folder / "server.pem"), str(folder / "server.pem")),
        close=lambda: shutil.rmtree(folder, ignore_errors=True),
    )


def refusal(status: int, kind: str) -> Response:
    """Azure's error answer."""
    code, message = _WORDS.get(status, ("Error", kind))
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
