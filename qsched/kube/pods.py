"""The pods of hybrid jobs: what the engine wants of them, brought about; and what becomes of them, told.

What is wanted is one entry a job: the round, and the backend once the gates may be lifted. A work queue
brings the cluster there and tries again after failures; two reflectors tell what there is. Nothing is kept
elsewhere: a new controller learns it from the pods that are there, and the engine asks for the rest again.

The pods that users bring are in ``qsched.kube.pods_brought``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from qsched.api.base import API_VERSION
from qsched.errors import InvalidInput, NotFound
from qsched.kube.errors import Absent, AlreadyExists, Conflict, Refused
from qsched.kube.events import Subject
from qsched.kube.pods_brought import BroughtPods
from qsched.kube.pods_known import KnownPods
from qsched.kube.pods_patch import lift_gate, pod_path, pods_path
from qsched.kube.pods_seen import PodObject
from qsched.kube.pods_template import JOB_UID, SCHEDULER, completions, make_pod, pod_names
from qsched.kube.queue import WorkQueue
from qsched.kube.reflector import Deleted, Reflector, Seen, Undecodable
from qsched.lifecycle.types import PodsEnded, Unplaceable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qsched.api.job import QuantumCircuitJob
    from qsched.kube.api import Api
    from qsched.kube.changes import Change
    from qsched.kube.events import Recorder
    from qsched.kube.objects import JobObject
    from qsched.kube.pods_known import Pod
    from qsched.lifecycle.types import Event

log = structlog.get_logger(__name__)

WORKERS = 8
UNSEEN_S = 30.0
"""A pod that we made and that no reflector showed since is asked for after this time."""

AGAIN_S = 2.0
"""When to look again after leadership was in doubt."""

TURNED_AWAY_S = 3.0
"""When to make another pod for one that its node did not take: the schedulers should see it first."""

_pods = msgspec.json.Decoder(PodObject)


@dataclass(slots=True)
class _Wanted:
    """What the engine wants of a job's pods.

    Attributes:
        job: The job.
        round: The round that counts.
        backend: The backend whose slot the pods may use; None while they wait gated.
        wanted: Whether there should be pods at all.
        told: Whether the engine was told of the round's end.
        trouble: What was last said of pods that cannot be made.
    """

    job: QuantumCircuitJob
    round: int
    backend: str | None = None
    wanted: bool = True
    told: bool = False
    trouble: str = ""


@dataclass(slots=True)
class _Outlets:
    """Where news go.

    Attributes:
        post: Takes what happened to a job, by its uid; set once there is an engine.
        wants: Whether a job is there and has not ended, by its uid.
        stored: Returns once all that the engine knows of a job is stored, by its uid.
    """

    wants: Callable[[str], bool]
    stored: Callable[[str], Awaitable[None]]
    post: Callable[[str, Event], None] = field(default=lambda _uid, _event: None)


class JobPods:
    """``qsched.engine.pods.Pods`` over a cluster.

    Attributes:
        reflectors: Follow the pods, by what logs and metrics call them; to be run by the caller.
        brought: The pods that users bring.
    """

    def __init__(
        self,
        api: Api,
        recorder: Recorder,
        *,
        wants: Callable[[str], bool],
        stored: Callable[[str], Awaitable[None]],
        may_write: Callable[[], bool],
        clock: Callable[[], float],
        queue: WorkQueue[str] | None = None,
    ) -> None:
        """Make nothing yet; ``run`` does.

        Args:
            api: The server.
            recorder: Takes Events.
            wants: Whether the job of some uid is there and has not ended; asked once the jobs are listed.
            stored: Returns once all that the engine knows of a job is stored, by its uid; raises ``NotFound``
                if the job is gone. A round is stored before its pods are made, so that no later controller
                begins again with an earlier one.
            may_write: Whether this process is the leader, beyond doubt.
            clock: Unix time in seconds.
            queue: Orders the work by the uids of jobs, and paces what failed.
        """
        self.brought = BroughtPods(api, recorder, may_write=may_write)
        # Templates may name another scheduler; pods of ours are followed all the same, and no pod twice.
        self.reflectors = {
            "pods": self._reflector(api, {"fieldSelector": f"spec.schedulerName={SCHEDULER}"}),
            "pods-elsewhere": self._reflector(
                api, {"fieldSelector": f"spec.schedulerName!={SCHEDULER}", "labelSelector": JOB_UID}
            ),
        }
        self._api = api
        self._recorder = recorder
        self._outlets = _Outlets(wants, stored)
        self._may_write = may_write
        self._clock = clock
        self._queue = queue or WorkQueue()
        self._jobs: dict[str, _Wanted] = {}
        self._known = KnownPods()

    def _reflector(self, api: Api, params: dict[str, str]) -> Reflector[PodObject]:
        return Reflector(api, "/api/v1/pods", PodObject, self.handle, params=params)

    def attach(self, post: Callable[[str, Event], None]) -> None:
        """Tell an engine from now on what becomes of the pods."""
        self._outlets.post = post

    async def run(self, jobs_listed: asyncio.Event) -> None:
        """Bring about what is wanted until cancelled.

        Args:
            jobs_listed: Set when every job is known, so that a pod of an unknown one is nobody's.
        """
        await jobs_listed.wait()
        await asyncio.gather(*(each.synced.wait() for each in self.reflectors.values()))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._queue.run(WORKERS, self._bring_about))
            tasks.create_task(self.brought.run())

    # What the engine wants: see ``qsched.engine.pods.Pods``.

    def create(self, job: QuantumCircuitJob, number: int) -> None:
        """Have the pods of a round, gated."""
        self._want(job, number)

    def ungate(self, job: QuantumCircuitJob, number: int, backend: str) -> None:
        """Let the pods of a round start; for a job without a template, those that its user brought."""
        if job.spec.classical is None:
            self.brought.open(job, backend)
            return
        entry = self._want(job, number)
        if entry.round == number and entry.backend != backend:
            entry.backend = backend
            self._queue.add(job.metadata.uid or "")

    def delete(self, job: QuantumCircuitJob, number: int) -> None:
        """Have no pod of this round, or of an earlier one, that still runs."""
        uid = job.metadata.uid or ""
        entry = self._jobs.setdefault(uid, _Wanted(job, number))
        if number >= entry.round:
            entry.round, entry.wanted, entry.backend = number, False, None
            self._queue.add(uid)

    def claims(self, job: QuantumCircuitJob) -> bool:
        """Whether pods that a user brought wait for this job's slot."""
        return self.brought.claims(job)

    def _want(self, job: QuantumCircuitJob, number: int) -> _Wanted:
        uid = job.metadata.uid or ""
        entry = self._jobs.get(uid)
        if entry is None or number > entry.round:
            entry = self._jobs[uid] = _Wanted(job, number)
            self._known.forget_gone(uid)
            self._judge(uid)
            self._queue.add(uid)
        return entry

    # What there is.

    def handle(self, change: Change[PodObject]) -> None:
        """Take in what became of a pod."""
        match change:
            case Seen(key=key, object=pod):
                if pod.job_uid is not None:
                    self._seen(pod.job_uid, pod)
                    self._warn_of_two_owners(pod)
                else:
                    self.brought.seen(key, pod)
            case Deleted(key=key, uid=uid, last=last):
                self.brought.gone(key)
                self._gone(key, uid, last)
            case Undecodable(key=key, problem=problem):
                log.error("a pod cannot be read; it is left alone", pod=key, problem=problem)

    def job_changed(self, change: Change[JobObject]) -> None:
        """Take in what became of a job, once whoever tells ``wants`` knows it."""
        self.brought.job_changed(change)
        uid = (change.object.metadata.uid or "") if isinstance(change, Seen) else change.uid
        entry = self._jobs.get(uid)
        if entry is not None and entry.told and not self._outlets.wants(uid):
            del self._jobs[uid]
            self._known.forget_gone(uid)

    def _seen(self, uid: str, pod: PodObject, *, shown: bool = True) -> None:
        self._known.see(uid, pod, shown=shown)
        self._judge(uid)
        self._queue.add_after(uid, TURNED_AWAY_S if pod.turned_away else 0.0)

    def _gone(self, key: str, pod_uid: str, last: PodObject | None) -> None:
        uid = self._known.lose(key, pod_uid, last)
        if uid is not None and uid in self._jobs:
            self._judge(uid)
            self._queue.add(uid)
        elif uid is not None:
            self._known.forget_gone(uid)

    def _judge(self, uid: str) -> None:
        """Tell the engine, once, when a round has ended."""
        entry = self._jobs.get(uid)
        if entry is None or not entry.wanted or entry.told:
            return
        pods = self._known.of_round(uid, entry.round)
        ends = [pod.outcome for pod in pods if pod.outcome is not None]
        failed = next((end for end in ends if not end.succeeded), None)
        if failed is not None:
            self._tell_end(uid, entry, succeeded=False, message=failed.message)
        elif len(ends) == (count := completions(entry.job)):
            message = ends[0].message if count == 1 else f"all {count} pods have succeeded"
            self._tell_end(uid, entry, succeeded=True, message=message)

    def _tell_end(self, uid: str, entry: _Wanted, *, succeeded: bool, message: str) -> None:
        entry.told = True
        event = PodsEnded(at=self._clock(), round=entry.round, succeeded=succeeded, message=message)
        self._outlets.post(uid, event)

    def _warn_of_two_owners(self, pod: PodObject) -> None:
        if pod.annotated is not None and pod.annotated != pod.job_name:
            self.brought.warn(
                pod,
                "TwoJobs",
                f"it belongs to the job {pod.job_name}, and its annotation names {pod.annotated}, which is "
                "ignored; take the annotation qsched.io/job off the template of one of the two",
            )

    # Bringing it about.

    async def _bring_about(self, uid: str) -> None:
        """Make the cluster what is wanted for a job."""
        if not self._may_write():
            self._queue.add_after(uid, AGAIN_S)  # if it leads no more, it ends, and the queue with it
            return
        entry = self._jobs.get(uid)
        if entry is None and self._outlets.wants(uid):
            return  # the engine has not said yet what it wants
        for pod in list(self._known.of(uid).values()):
            if pod.outcome is None and (pod.seen.turned_away or not self._is_wanted(entry, pod)):
                await self._delete(pod)
        if entry is None or not entry.wanted:
            if self._jobs.get(uid) is entry:
                self._jobs.pop(uid, None)
                self._known.forget_gone(uid)
            return
        if not entry.told:
            await self._complete_round(uid, entry)
        if entry.told and all(pod.outcome is not None for pod in self._known.of(uid).values()):
            self._known.forget_gone(uid)

    def _is_wanted(self, entry: _Wanted | None, pod: Pod) -> bool:
        return entry is not None and entry.wanted and pod.seen.number >= entry.round

    async def _complete_round(self, uid: str, entry: _Wanted) -> None:
        """Make the pods of a round that are missing, and lift the gates if that is wanted."""
        for index, name in enumerate(pod_names(entry.job, entry.round)):
            pod = self._known.of(uid).get(name)
            if pod is None:
                if not await self._create(uid, entry, index, name):
                    return
                pod = self._known.of(uid).get(name)
            elif not pod.shown:
                await self._confirm(pod)
            if pod is not None and pod.outcome is None:
                await self._open(uid, entry, pod)

    async def _create(self, uid: str, entry: _Wanted, index: int, name: str) -> bool:
        """Make a pod; False if that is given up."""
        namespace = entry.job.metadata.namespace or "default"
        try:
            await self._outlets.stored(uid)
            made = await self._api.create(pods_path(namespace), make_pod(entry.job, entry.round, index))
        except AlreadyExists:
            made = await self._api.get(pod_path(namespace, name))
        except (Absent, NotFound):
            log.info("no pods are made: the job is gone", job=f"{namespace}/{entry.job.metadata.name}")
            return False
        except InvalidInput as error:
            self._give_up(uid, entry, str(error))
            return False
        except Refused as error:
            if error.status == 403 and "is being terminated" in str(error):
                return False  # the job goes too
            if error.status in {400, 422}:
                self._give_up(uid, entry, str(error))
                return False
            self._complain(entry, str(error))
            raise  # a quota, a policy, a missing ServiceAccount: that may change
        entry.trouble = ""
        pod = _pods.decode(made)
        if pod.job_uid != uid:
            message = f"the name {name} is taken by a pod that is not this job's; delete that pod"
            self._complain(entry, message)
            raise Conflict(message, status=409)
        self._seen(uid, pod, shown=False)
        self._queue.add_after(uid, UNSEEN_S)
        return True

    async def _confirm(self, pod: Pod) -> None:
        """Look for a pod that we made and no reflector showed: it may have gone while nobody could watch."""
        metadata = pod.seen.metadata
        try:
            found = _pods.decode(await self._api.get(_path(pod)))
        except Absent:
            found = None
        if found is None or found.metadata.uid != metadata.uid:
            self._gone(f"{metadata.namespace}/{metadata.name}", metadata.uid or "", None)

    async def _open(self, uid: str, entry: _Wanted, pod: Pod) -> None:
        """Lift a pod's gate, and write its backend on it: a new one too, for a job that has moved."""
        backend = entry.backend
        if backend is None or (not pod.seen.gated and pod.seen.backend == backend):
            return
        changed = await lift_gate(self._api, pod.seen, backend)
        if changed is not None:
            self._seen(uid, changed, shown=pod.shown)

    async def _delete(self, pod: Pod) -> None:
        metadata = pod.seen.metadata
        try:
            await self._api.delete(_path(pod), uid=metadata.uid)
        except Conflict:  # another pod of that name is there by now
            self._gone(f"{metadata.namespace}/{metadata.name}", metadata.uid or "", None)

    def _give_up(self, uid: str, entry: _Wanted, message: str) -> None:
        """End a job whose pods can never be made: at once if it waits, else with its attempt."""
        self._outlets.post(
            uid,
            Unplaceable(at=self._clock(), message=message, permanent=True, reason="InvalidPodTemplate"),
        )
        self._tell_end(uid, entry, succeeded=False, message=message)

    def _complain(self, entry: _Wanted, message: str) -> None:
        """Say, once, why pods cannot be made yet."""
        if message != entry.trouble:
            entry.trouble = message
            meta = entry.job.metadata
            subject = Subject(API_VERSION, "QuantumCircuitJob", meta.namespace, meta.name, meta.uid or "")
            self._recorder.record(subject, "FailedCreate", message)


def _path(pod: Pod) -> str:
    metadata = pod.seen.metadata
    return pod_path(metadata.namespace or "default", metadata.name)
