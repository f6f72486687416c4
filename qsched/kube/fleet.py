"""The fleet of a cluster: ``QuantumBackend`` objects in, their statuses out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from qsched.api.backend import BackendSpec, BackendStatus, QuantumBackend
from qsched.api.base import API_VERSION, Condition, ObjectMeta
from qsched.api.check import check
from qsched.api.paths import field_path
from qsched.api.quantities import utc
from qsched.errors import InvalidInput, Problem
from qsched.kube.changes import Deleted, Metadata, Seen
from qsched.kube.errors import Absent
from qsched.kube.objects import BackendObject, backend_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsched.engine.backends import Backends
    from qsched.kube.api import Api
    from qsched.kube.changes import Change
    from qsched.kube.queue import WorkQueue

log = structlog.get_logger(__name__)

EVERY_S = 5.0
"""A backend's status is written at most this often: its queue may change with every task."""

_specs = msgspec.json.Decoder(BackendSpec)


class SecretObject(msgspec.Struct, frozen=True):
    """A Secret, of which only the name matters here: what it holds is read when it is needed."""

    metadata: Metadata


class ClusterFleet:
    """Keeps the engine's backends what their objects say, and the objects' statuses what is known of them."""

    def __init__(
        self,
        api: Api,
        queue: WorkQueue[str],
        *,
        namespace: str,
        may_write: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """Know of no backend yet.

        Args:
            api: The server.
            queue: Orders the status writes, by name.
            namespace: The controller's own, in which Secrets are when a backend does not say where.
            may_write: Whether this process is the leader, beyond doubt.
            clock: Unix time in seconds.
        """
        self._api = api
        self._queue = queue
        self._namespace = namespace
        self._may_write = may_write
        self._clock = clock
        self._engine: Backends | None = None
        self._declared: dict[str, QuantumBackend] = {}
        self._wanted: dict[str, BackendStatus] = {}
        self._written: dict[str, BackendStatus] = {}
        self._refused: dict[str, str] = {}  # what is wrong, by name

    @property
    def declared(self) -> Sequence[QuantumBackend]:
        """The backends whose objects are right."""
        return list(self._declared.values())

    def attach(self, engine: Backends) -> None:
        """Tell these of every change from now on."""
        self._engine = engine

    async def run(self) -> None:
        """Write statuses until cancelled."""
        await self._queue.run(4, self._write)

    def handle(self, change: Change[BackendObject]) -> None:
        """Take in what became of a backend object."""
        match change:
            case Seen(key=name, object=found):
                self._seen(name, found)
            case Deleted(key=name):
                for table in (self._declared, self._wanted, self._written):
                    table.pop(name, None)
                self._refused.pop(name, None)
                if self._engine is not None:
                    self._engine.withdraw(name)

    def handle_secret(self, change: Change[SecretObject]) -> None:
        """Connect the backends anew that use a Secret which changed."""
        if self._engine is None or (isinstance(change, Seen) and change.listed):
            return
        for name, backend in self._declared.items():
            ref = backend.spec.credentials_secret_ref
            if ref is not None and f"{ref.namespace or self._namespace}/{ref.name}" == change.key:
                log.info("the credentials of a backend have changed", backend=name)
                self._engine.reconnect(name)

    def report(self, backends: Sequence[QuantumBackend]) -> None:
        """Take what is known of each backend; it is written soon."""
        for each in backends:
            name = each.metadata.name
            if name in self._declared and self._written.get(name) != each.status:
                self._wanted[name] = each.status
                self._queue.add_after(name, EVERY_S if name in self._written else 0.0)

    def _seen(self, name: str, found: BackendObject) -> None:
        try:
            spec = _spec(name, found)
        except InvalidInput as error:
            self._refuse(name, error)
            return
        metadata = ObjectMeta(name=name, uid=found.metadata.uid, labels=found.metadata.labels or {})
        declared = QuantumBackend(metadata=metadata, spec=spec)
        if declared == self._declared.get(name):
            return
        self._declared[name] = declared
        self._refused.pop(name, None)
        if self._engine is not None:
            self._engine.declare(declared)

    def _refuse(self, name: str, error: InvalidInput) -> None:
        """Say in a backend's status that its spec is wrong; the others work on."""
        if self._refused.get(name) == str(error):
            return
        self._refused[name] = str(error)
        self._declared.pop(name, None)
        if self._engine is not None:
            self._engine.withdraw(name)
        log.warning("a backend is refused", backend=name, problems=str(error))
        self._wanted[name] = BackendStatus(
            conditions=[
                Condition(
                    type="Online",
                    status="False",
                    reason="Invalid",
                    message=str(error)[:4096],
                    last_transition_time=utc(self._clock()),
                )
            ]
        )
        self._queue.add(name)

    async def _write(self, name: str) -> None:
        status = self._wanted.get(name)
        if status is None or status == self._written.get(name) or not self._may_write():
            return
        body = {
            "apiVersion": API_VERSION,
            "kind": "QuantumBackend",
            "metadata": {"name": name},
            "status": msgspec.structs.replace(
                status, conditions=[_in_seconds(each) for each in status.conditions]
            ),
        }
        try:
            await self._api.apply(f"{backend_path(name)}/status", body)
        except Absent:
            return  # the watch tells that it is gone
        self._written[name] = status


def _in_seconds(condition: Condition) -> Condition:
    at = condition.last_transition_time.replace(microsecond=0)
    return msgspec.structs.replace(condition, last_transition_time=at)


def _spec(name: str, found: BackendObject) -> BackendSpec:
    """The spec of a backend; raises ``InvalidInput`` with everything that is wrong with it."""
    plain = {
        "apiVersion": API_VERSION,
        "kind": "QuantumBackend",
        "metadata": {"name": name},
        "spec": msgspec.json.decode(found.spec),
    }
    checked = check(plain, QuantumBackend)
    if isinstance(checked, list):
        raise InvalidInput([Problem(field_path(each.path), each.message) for each in checked])
    return checked.spec
