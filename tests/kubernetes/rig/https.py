"""Plain blocking requests to the cluster's own servers, for the rig's inner business.

Tests use ``kubectl`` or the client that they test.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Self

from tests.kubernetes.rig.errors import RigError

if TYPE_CHECKING:
    import ssl

_TIMEOUT_S = 30.0


class Https:
    """One kept connection. Not for several threads at once.

    Args:
        host: Name or address.
        port: Port.
        context: Trust, and the client's certificate.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def status(self, path: str) -> int:
        """The status of a GET, or 0 if nobody answers."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status

    def send(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """Send JSON and read JSON.

        Raises:
            RigError: If the answer is an error; with its words.
        """
        self._connection.request(
            method,
            path,
            body=body if isinstance(body, bytes | None) else json.dumps(body),
            headers={"Content-Type": kind},
        )
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise RigError(
                f"{method} {path}: HTTP status {answer.status}: {read[:500].decode(errors='replace')}"
            )
        return json.loads(read)
