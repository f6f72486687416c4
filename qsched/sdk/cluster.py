"""The client of a cluster: jobs are objects there, and its controller works on them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from qsched.api.base import ObjectMeta
from qsched.api.job import QuantumCircuitJob
from qsched.api.manifest import validate_job
from qsched.api.rules import submission_problems
from qsched.engine.logs import log_to_stderr
from qsched.errors import InvalidInput, Problem
from qsched.kube.api import Api
from qsched.sdk.client import Client
from qsched.sdk.cluster_pod import PodApi, Surroundings
from qsched.sdk.cluster_records import new_object
from qsched.sdk.cluster_session import Session
from qsched.sdk.cluster_store import ClusterStore
from qsched.sdk.job import Job
from qsched.sdk.work import declare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.sdk.work import Work
    from qsched.store.protocol import Store


class ClusterClient(Client):
    """Submits work to a cluster, and follows it. Use ``Client.cluster`` or ``Client.from_environment``."""

    def __init__(self, cluster: ClusterStore, session: Session | None = None) -> None:
        """Connect parts.

        Args:
            cluster: The cluster's jobs.
            session: Makes every job a child of the pod's own; None outside of hybrid jobs.
        """
        log_to_stderr()
        # A client and its jobs ask no more of a store than this one has: get, history, send and close.
        super().__init__(cast("Store", cluster), (), folder=Path(), settings=None, engine=False)
        self._cluster = cluster
        self._session = session

    @classmethod
    def connect(
        cls, kubeconfig: str | Path | None = None, *, context: str | None = None, namespace: str | None = None
    ) -> Self:
        """See ``Client.cluster``."""

        async def api() -> Api:
            return await Api.connect(kubeconfig, context, connections=8, agent="qsched-sdk")

        return cls(ClusterStore(api, namespace=namespace))

    @classmethod
    def in_pod(cls, pod: Surroundings) -> Self:
        """See ``Client.from_environment``."""
        cluster = ClusterStore(lambda: PodApi.reach(pod), namespace=pod.namespace)
        try:
            return cls(cluster, Session(cluster, pod))
        except BaseException:
            cluster.close()
            raise

    @property
    def backend(self) -> str:
        """The backend that is reserved for this pod's job now.

        Raises:
            InvalidInput: If this client is not that of a hybrid job's pod.
            StoreError: If there is none at present.
        """
        if self._session is None:
            raise InvalidInput("no backend is reserved for this client; only the pod of a hybrid job has one")
        return self._session.backend

    def submit(self, work: Work, *, name: str | None = None, **options: Any) -> Job:
        """Submit one job; see ``Client.submit``. Circuits travel as OpenQASM."""
        if self._session is not None and name is None and not isinstance(work, QuantumCircuitJob):
            name = self._session.name()
        return self.submit_all([declare(work, name=name, folder=None, options=options)])[0]

    def submit_all(self, jobs: Sequence[QuantumCircuitJob]) -> list[Job]:
        """Submit many jobs; if one is refused, those before it are deleted again.

        Raises:
            InvalidInput: With every problem of every job that can be seen here, or what the API server says.
            AlreadyExists: If there is a job of one of the names.
            StoreError: If the API server cannot be reached, or does not allow it.
        """
        now = dt.datetime.now(dt.UTC)
        problems = [problem for job in jobs for problem in _problems(job, now)]
        if problems:
            raise InvalidInput(problems)
        if self._session is not None:
            bodies = self._session.adopt(list(jobs))
        else:
            bodies = [new_object(job) for job in jobs]
        made = [view.metadata for view in self._cluster.create(bodies)]
        return [
            Job(self._store, each.uid or "", ObjectMeta(name=each.name, namespace=each.namespace), self)
            for each in made
        ]

    def job(self, name: str, namespace: str | None = None) -> Job:
        """A job by its name; in this client's own namespace unless another is named.

        Raises:
            NotFound: If there is none.
        """
        return super().job(name, namespace or self._cluster.namespace)

    def explain(self, job: QuantumCircuitJob) -> NoReturn:
        """Not of a cluster's client.

        Raises:
            InvalidInput: Always; says where the choice is explained.
        """
        raise InvalidInput(
            "this client does not see the calibrations: `kubectl describe qcj "
            f"{job.metadata.name}` shows why a job went where it is, and what came next"
        )

    def backends(self) -> list[QuantumBackend]:
        """The cluster's backends, with what its controller knows of them.

        Raises:
            StoreError: If this is not allowed: backends are the cluster's, not the namespace's.
        """
        return self._cluster.backends()

    def check(self) -> None:
        """Raise what keeps this client from learning what becomes of its jobs, if something does."""
        self._cluster.check()


def _problems(job: QuantumCircuitJob, now: dt.datetime) -> list[Problem]:
    """What can be seen to be wrong with a job without asking the cluster, saying which job it is."""
    found = validate_job(job) or submission_problems(job, now)
    return [Problem(each.where, f"{each.message} (job {job.metadata.name!r})") for each in found]
