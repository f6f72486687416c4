"""``Client``: submit work, find jobs, explain choices."""

from __future__ import annotations

import datetime as dt
import os
import threading
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from qsched.api.job import QuantumCircuitJob, Verdict
from qsched.api.manifest import validate_job
from qsched.api.rules import submission_problems
from qsched.errors import InvalidInput, Problem
from qsched.fleet.fleet_file import load_fleet
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.types import new_state, policy_of
from qsched.sdk.embedded import Embedded
from qsched.sdk.job import Job
from qsched.sdk.work import declare
from qsched.store import SqliteStore, default_store, fleet_in_use
from qsched.store.protocol import HistoryEvent, NewJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.api.base import ObjectMeta
    from qsched.engine.settings import Settings
    from qsched.sdk.cluster import ClusterClient
    from qsched.sdk.work import Work
    from qsched.store.protocol import Store


class Client:
    """Submits work to a scheduler, and follows it. Use ``Client.local``; close it, or use ``with``."""

    def __init__(
        self,
        store: Store,
        fleet: Sequence[QuantumBackend],
        *,
        folder: Path,
        settings: Settings | None,
        engine: bool,
    ) -> None:
        """Connect parts; see ``local``."""
        self._store = store
        self._fleet = fleet
        self._folder = folder
        self._settings = settings
        self._with_engine = engine
        self._embedded: Embedded | None = None
        self._starting = threading.Lock()

    @classmethod
    def local(
        cls,
        *,
        store: str | Path | None = None,
        fleet: str | Path | None = None,
        settings: Settings | None = None,
        engine: bool = True,
    ) -> Self:
        """A scheduler on this machine.

        Jobs live in a store, an SQLite file. The client runs an engine of its own, in a thread, unless
        another process (``qsched serve``, or another client) runs one on the same store.

        Args:
            store: The store's file; made if it is missing. By default the user's own.
            fleet: A YAML file of ``QuantumBackend``s; by default the fleet of the engine that works on the
                store, or else the fleet that comes with qsched.
            settings: The engine's paces and limits.
            engine: Whether to run an engine at all; without one, jobs wait for one.

        Raises:
            StoreError: If the store cannot be opened.
            InvalidInput: If the fleet file is wrong.
        """
        declared = load_fleet(Path(fleet)) if fleet is not None else None
        path = default_store() if store is None else Path(store)
        opened = SqliteStore(path)
        return cls(
            opened,
            declared or fleet_in_use(opened) or load_fleet(),
            folder=path.absolute().parent,
            settings=settings,
            engine=engine,
        )

    @staticmethod
    def from_environment() -> ClusterClient:
        """The client of a hybrid job's program, in its pod.

        Everything submitted becomes a child of the pod's job and runs on the backend that is reserved for it,
        without standing in line again. It needs a RoleBinding of the pod's ServiceAccount to the ClusterRole
        ``qsched-hybrid``.

        Raises:
            InvalidInput: If this is no pod of a hybrid job; says what to use instead.
            NotFound: If the job was deleted.
            JobFailed: If it has ended.
            StoreError: If the API server cannot be reached, or does not allow it; says what to bind.
        """
        from qsched.sdk.cluster import ClusterClient
        from qsched.sdk.cluster_pod import Surroundings

        return ClusterClient.in_pod(Surroundings.of(os.environ))

    @staticmethod
    def cluster(
        kubeconfig: str | Path | None = None, *, context: str | None = None, namespace: str | None = None
    ) -> ClusterClient:
        """A cluster that runs qsched's controller.

        Args:
            kubeconfig: A kubeconfig file. By default that of ``KUBECONFIG``, else the pod's ServiceAccount,
                else the user's own.
            context: The context in it; its current one by default.
            namespace: Where jobs go; the context's by default.

        Raises:
            InvalidInput: If there is no configuration, or it is wrong.
        """
        from qsched.sdk.cluster import ClusterClient

        return ClusterClient.connect(kubeconfig, context=context, namespace=namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine and close the store. Jobs that have not ended go on with the next engine."""
        if self._embedded is not None:
            self._embedded.close()
            self._embedded = None
        self._store.close()

    def submit(self, work: Work, *, name: str | None = None, **options: Any) -> Job:
        """Submit one job.

        Args:
            work: A ``QuantumCircuit``, OpenQASM text, the path of a ``.qasm``, ``.qpy`` or ``.yaml`` file, a
                list of circuits (one job, one task), or a ``QuantumCircuitJob``.
            name: The job's name; made up if not given.
            **options: Fields of ``qsched.api.job.JobSpec`` by their Python names: ``shots=``,
                ``objective=``, ``requirements=``, ``execution=``, ... as objects or plain mappings.

        Returns:
            The job; it runs in the background.

        Raises:
            InvalidInput: With every problem of the job; nothing is stored then.
            AlreadyExists: If there is a job of this name.
        """
        return self.submit_all([declare(work, name=name, folder=self._folder, options=options)])[0]

    def submit_all(self, jobs: Sequence[QuantumCircuitJob]) -> list[Job]:
        """Submit many jobs at once: all of them, or none.

        Raises:
            InvalidInput: With every problem of every job; nothing is stored then.
            AlreadyExists: If there is a job of one of the names.
        """
        _only_declared(jobs)
        now = dt.datetime.now(dt.UTC)
        self._check(jobs, now)
        new = [_new_job(job, now) for job in jobs]
        self._store.add(new)
        if self._with_engine:
            self._start().look()
        return [Job(self._store, each.uid, each.job.metadata, self) for each in new]

    def job(self, name: str, namespace: str = "default") -> Job:
        """A job that was submitted before, by its name.

        Raises:
            NotFound: If there is none.
        """
        record = self._store.get(name, namespace)
        if self._with_engine:
            self._start()
        return Job(self._store, record.uid, record.job.metadata, self)

    def explain(self, job: QuantumCircuitJob) -> list[Verdict]:
        """What each backend would make of a job, best first; nothing is stored.

        Raises:
            InvalidInput: If the job is wrong.
        """
        from qsched.engine.explanation import explain_job

        _only_declared([job])
        problems = validate_job(job)
        if problems:
            raise InvalidInput(problems)
        return self._start().call(lambda parts: explain_job(parts, job))

    def backends(self) -> list[QuantumBackend]:
        """The fleet, with what is known of each backend now."""
        from qsched.engine.explanation import current_backends

        return self._start().call(current_backends)

    def look(self) -> None:
        """Let the engine look for new commands at once."""
        if self._embedded is not None:
            self._embedded.look()

    def check(self) -> None:
        """Raise what ended this client's engine, if something did."""
        if self._embedded is not None:
            self._embedded.check()

    def _start(self) -> Embedded:
        with self._starting:  # two threads must not start two engines
            if self._embedded is None:
                self._embedded = Embedded(
                    self._store,
                    self._fleet,
                    folder=self._folder,
                    settings=self._settings,
                    with_engine=self._with_engine,
                )
            return self._embedded

    def _check(self, jobs: Sequence[QuantumCircuitJob], now: dt.datetime) -> None:
        """Refuse what can never work: wrong fields, circuits or result places, a job that fits nowhere."""
        from qsched.engine.explanation import submission_errors

        problems = [
            _of(job, problem)
            for job in jobs
            for problem in (*validate_job(job), *submission_problems(job, now))
        ]
        names = Counter((job.metadata.namespace or "default", job.metadata.name) for job in jobs)
        problems += [
            Problem("metadata.name", f"{name!r} is the name of two jobs; names are unique in a namespace")
            for (_, name), times in sorted(names.items())
            if times > 1
        ]
        if not problems:
            found = self._start().call(lambda parts: submission_errors(parts, jobs))
            problems = [_of(job, problem) for job, many in zip(jobs, found, strict=True) for problem in many]
        if problems:
            raise InvalidInput(problems)


def _only_declared(jobs: Sequence[object]) -> None:
    """Refuse what ``submit`` takes and the rest of a client does not: circuits, above all."""
    for job in jobs:
        if not isinstance(job, QuantumCircuitJob):
            kind = type(job).__name__
            raise InvalidInput(f"{kind} is no QuantumCircuitJob; submit() takes circuits and files")


def _of(job: QuantumCircuitJob, problem: Problem) -> Problem:
    """The problem, saying which job it is of."""
    return Problem(
        problem.where, f"{problem.message} (job {job.metadata.name!r})", problem.file, problem.line
    )


def _new_job(job: QuantumCircuitJob, now: dt.datetime) -> NewJob:
    uid = uuid.uuid4().hex
    given = job.metadata
    metadata: ObjectMeta = msgspec.structs.replace(
        given, uid=uid, namespace=given.namespace or "default", creation_timestamp=now
    )
    at = now.timestamp()
    state = new_state(uid, policy_of(job.spec), at)
    return NewJob(
        uid=uid,
        job=QuantumCircuitJob(metadata=metadata, spec=job.spec),
        phase=state.phase,
        state=encode_state(state),
        submitted_at=at,
        history=[HistoryEvent(at, "Submitted", "stored; waits for an engine")],
    )
