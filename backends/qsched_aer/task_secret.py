"""Writing a result into the task's Secret: one request, with nothing but the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from typing import TYPE_CHECKING

from qsched.drivers import DriverError
from qsched_aer.task_objects import RESULT_KEY, TASK_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ANSWER_S = 30.0
_PATIENCE_S = 120.0
_PAUSE_S = (0.2, 5.0)
_MAY_PASS = frozenset({401, 403, 408, 409, 429, 500, 502, 503, 504})
"""The server is busy or restarts; 401 and 403 because it hears of new accounts and roles a little later."""


def write_result(secret: str, data: bytes, *, environment: Mapping[str, str], api: Path) -> None:
    """Write the result and remove the task, which leaves the result the whole of the Secret's size.

    Args:
        secret: The Secret's name.
        data: The packed result.
        environment: With ``KUBERNETES_SERVICE_HOST`` and ``KUBERNETES_SERVICE_PORT``.
        api: A folder with the files ``token``, ``ca.crt`` and ``namespace``.

    Raises:
        DriverError: If the API server refuses it, or does not take it for two minutes.
    """
    change = {"data": {TASK_KEY: None, RESULT_KEY: base64.b64encode(data).decode()}}
    body = json.dumps(change).encode()
    give_up_s = time.monotonic() + _PATIENCE_S
    pause_s, longest_s = _PAUSE_S
    while True:
        try:
            status, said = _patch(secret, body, environment, api)
            if status < 300:
                return
            why, final = f"the API server answers {status}: {said}", status not in _MAY_PASS
        except (OSError, http.client.HTTPException) as error:
            why, final = f"the API server cannot be reached: {str(error) or type(error).__name__}", False
        if final or time.monotonic() + pause_s > give_up_s:
            raise DriverError(f"the result could not be written into Secret {secret!r}: {why}")
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, longest_s)


def _patch(secret: str, body: bytes, environment: Mapping[str, str], api: Path) -> tuple[int, str]:
    """The status of the answer, and what it says when it is an error."""
    security = ssl.create_default_context(cafile=api / "ca.crt")
    # Python 3.13 asks of authorities what many clusters' own ones do not say.
    security.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    connection = http.client.HTTPSConnection(
        environment["KUBERNETES_SERVICE_HOST"],
        int(environment["KUBERNETES_SERVICE_PORT"]),
        timeout=_ANSWER_S,
        context=security,
    )
    # Both are read for each try: the kubelet renews the token while a simulation runs.
    token, namespace = (api / "token").read_text(), (api / "namespace").read_text()
    try:
        connection.request(
            "PATCH",
            f"/api/v1/namespaces/{namespace.strip()}/secrets/{secret}",
            body,
            {"Authorization": f"Bearer {token.strip()}", "Content-Type": "application/merge-patch+json"},
        )
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, "" if answer.status < 300 else _words(said)
    finally:
        connection.close()


def _words(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said[:200].decode(errors="replace")
