"""Kubernetes Events: what ``kubectl describe`` tells of a job, a backend or a pod.

They are for people, and best effort: when there are too many, ordinary ones are left out and counted, as the
recorders of Kubernetes' own components do. What matters is in the status.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import structlog

from qsched.api.base import API_VERSION
from qsched.api.quantities import utc
from qsched.kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsched.kube.api import Api
    from qsched.store.protocol import HistoryEvent

log = structlog.get_logger(__name__)

COMPONENT = "qsched-controller"
RATE_PER_S = 20.0
BURST = 200
MAX_WAITING = 1000

_MAX_MESSAGE = 1024
_SILENT = frozenset({"Accepted", "Submitted", "Queued", "Running", "Collecting", "CalibrationChanged"})
"""Lines of a history that a job's status shows anyway."""

_RENAMED = {"Placed": "Scheduled", "Submitting": "Dispatched"}
_NORMAL = frozenset(
    {
        "Scheduled",
        "Dispatched",
        "Completed",
        "Suspended",
        "Suspending",
        "Resumed",
        "Moved",
        "PodsSucceeded",
        "WaitingForPods",
        "Cancelled",
        "Deleted",
    }
)


class Subject(NamedTuple):
    """The object that an event is about."""

    api_version: str
    kind: str
    namespace: str | None
    name: str
    uid: str


class _Event(NamedTuple):
    subject: Subject
    reason: str
    message: str
    at: float


class Recorder:
    """Writes Events behind the engine, at a bounded rate.

    Attributes:
        dropped: Events that were left out.
    """

    def __init__(self, api: Api, *, may_write: Callable[[], bool], clock: Callable[[], float]) -> None:
        """Write nothing yet; ``run`` does.

        Args:
            api: The server.
            may_write: Whether this process is the leader, beyond doubt.
            clock: Unix time in seconds.
        """
        self.dropped = 0
        self._api = api
        self._may_write = may_write
        self._clock = clock
        self._waiting: deque[_Event] = deque()
        self._signal = asyncio.Event()
        self._tokens = float(BURST)
        self._filled_at = clock()

    def tell(self, namespace: str, name: str, uid: str, line: HistoryEvent) -> None:
        """Tell of a line in a job's history, if it is one that people ask about."""
        if line.type not in _SILENT:
            subject = Subject(API_VERSION, "QuantumCircuitJob", namespace, name, uid)
            self.record(subject, _RENAMED.get(line.type, line.type), line.message, at=line.at)

    def record(self, subject: Subject, reason: str, message: str, *, at: float | None = None) -> None:
        """Tell of something that happened to an object.

        Args:
            subject: The object.
            reason: CamelCase; anything but the known good news is a Warning.
            message: For people.
            at: When; now by default.
        """
        now = self._clock()
        self._tokens = min(BURST, self._tokens + max(0.0, now - self._filled_at) * RATE_PER_S)
        self._filled_at = now
        full = len(self._waiting) >= MAX_WAITING
        if full or (self._tokens < 1.0 and reason in _NORMAL):
            self.dropped += 1
            return
        self._tokens -= 1.0
        self._waiting.append(_Event(subject, reason, message, now if at is None else at))
        self._signal.set()

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        while True:
            await self._signal.wait()
            self._signal.clear()
            while self._waiting:
                await self._write(self._waiting.popleft())

    async def _write(self, event: _Event) -> None:
        if not self._may_write():
            return
        subject = event.subject
        namespace = subject.namespace or "default"
        at = utc(event.at)
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{subject.name[:236]}.{secrets.token_hex(8)}", "namespace": namespace},
            "eventTime": f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "reportingController": f"qsched.io/{COMPONENT}",
            "reportingInstance": COMPONENT,
            "action": event.reason,
            "reason": event.reason,
            "regarding": {
                "apiVersion": subject.api_version,
                "kind": subject.kind,
                "namespace": subject.namespace,
                "name": subject.name,
                "uid": subject.uid,
            },
            "note": event.message[:_MAX_MESSAGE],
            "type": "Normal" if event.reason in _NORMAL else "Warning",
        }
        try:
            await self._api.create(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body)
        except ApiError as error:  # a namespace that is being terminated takes none
            self.dropped += 1
            log.debug("an event is not written", reason=event.reason, error=str(error))
