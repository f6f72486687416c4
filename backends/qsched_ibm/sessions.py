"""Batches and sessions: jobs that IBM runs close together, on a device that is held for them."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from qiskit_ibm_runtime.api.exceptions import ApiError, RequestsApiError

if TYPE_CHECKING:
    from qsched_ibm.link import Link
    from qsched_ibm.parameters import Mode

_MODES = {"batch": "batch", "session": "dedicated"}
"""What IBM's service calls them."""


class Sessions:
    """One open session or batch for each device.

    It is only a place to submit to, so a driver that is started anew opens another, and IBM closes the old
    one once it has been idle for a while.
    """

    def __init__(self, link: Link, mode: Mode) -> None:
        """Open none yet.

        Args:
            link: To the service.
            mode: With ``job`` there are none.
        """
        self._link = link
        self._mode = mode
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}

    def of(self, device: str) -> str | None:
        """The session to submit to, opened if there is none that takes jobs; None in job mode."""
        if self._mode == "job":
            return None
        client = self._link.client()
        with self._lock:
            if not self._takes_jobs(self._ids.get(device)):
                opened = client.create_session(
                    backend=device, instance=client.instance, mode=_MODES[self._mode]
                )
                self._ids[device] = str(opened["id"])
            return self._ids[device]

    def close(self) -> None:
        """Let every session end with the jobs that it has."""
        for session_id in self._ids.values():
            # One that cannot be closed ends by itself once it is idle.
            with contextlib.suppress(ApiError):
                self._link.client().close_session(session_id)
        self._ids.clear()

    def _takes_jobs(self, session_id: str | None) -> bool:
        if session_id is None:
            return False
        try:
            return bool(self._link.client().session_details(session_id).get("accepting_jobs"))
        except RequestsApiError as error:
            if error.status_code == 404:
                return False
            raise
